# SPDX-License-Identifier: Apache-2.0
"""The literal table of algorithms that keys are made for (SYS-4, KM-3)."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from strongroom.core.crypto.ciphers import CIPHERS
from strongroom.core.crypto.proving import MACS, SIGNATURES

Purpose = Literal["encrypt", "sign", "mac"]


@dataclass(frozen=True)
class Algorithm:
    """One row.

    Attributes:
        name: as `generate` takes it.
        purpose: the one that its keys have.
        suites: where it needs no permission; elsewhere the key ring must be told.
        source: the specification.
        note: what its user should know.
    """

    name: str
    purpose: Purpose
    suites: tuple[str, ...]
    source: str
    note: str = ""

    @property
    def seed_bytes(self) -> int:
        """How many secret bytes make a key."""
        return {**CIPHERS, **SIGNATURES, **MACS}[self.name][0]


_UNAUTHENTICATED = "unauthenticated: for old counterparts only, by permission"

ALGORITHMS: Final = MappingProxyType(
    {
        row.name: row
        for row in (
            Algorithm("sm4-gcm", "encrypt", ("sm",), "GB/T 32907, GB/T 36624"),
            Algorithm("aes-256-gcm", "encrypt", ("intl",), "NIST SP 800-38D"),
            Algorithm("chacha20-poly1305", "encrypt", ("intl",), "RFC 8439"),
            Algorithm(
                "sm2-encrypt", "encrypt", ("sm",), "GB/T 32918.4", "1 to 64 bytes"
            ),
            Algorithm(
                "hpke-sm2",
                "encrypt",
                ("sm",),
                "RFC 9180, GB/T 32918",
                "an envelope",
            ),
            Algorithm(
                "hpke-x25519-mlkem768",
                "encrypt",
                ("intl",),
                "RFC 9180, FIPS 203",
                "an envelope, hybrid",
            ),
            Algorithm("sm4-cbc", "encrypt", (), "GB/T 17964", _UNAUTHENTICATED),
            Algorithm("sm4-ctr", "encrypt", (), "GB/T 17964", _UNAUTHENTICATED),
            Algorithm("sm2", "sign", ("sm",), "GB/T 32918.2", "with an ID"),
            Algorithm("ed25519", "sign", ("intl",), "RFC 8032"),
            Algorithm("ecdsa-p256", "sign", ("intl",), "FIPS 186-5"),
            Algorithm("ecdsa-p384", "sign", ("intl",), "FIPS 186-5"),
            Algorithm("ml-dsa-65", "sign", ("intl",), "FIPS 204"),
            Algorithm("hmac-sm3", "mac", ("sm",), "GB/T 15852.2, RFC 2104"),
            Algorithm("hmac-sha384", "mac", ("intl",), "RFC 2104"),
        )
    }
)
