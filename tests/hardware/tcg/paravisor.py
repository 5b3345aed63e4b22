# SPDX-License-Identifier: Apache-2.0
"""What Azure's paravisor leaves beside its TPM, made here around any report."""

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from struct import pack

from tests.hardware.tcg.forge import Ak, Log, Quote, rsa_key
from tests.hardware.tpm2.forge import pcrs_json

USER_DATA = b"\x17" * 64
AK = Ak("rsa")
QUOTE = Quote(ak=AK)


def b64(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(data).decode().rstrip("=")


def jwk(ak: Ak, **changes: object) -> dict[str, object]:
    numbers = rsa_key(ak.name).public_key().public_numbers()
    made = {"kid": "HCLAkPub", "kty": "RSA", "key_ops": ["sign"]}
    return {**made, "e": b64(numbers.e), "n": b64(numbers.n), **changes}


@dataclass(frozen=True)
class Paravisor:
    """Runtime data, and the report around them; `with_` varies one thing."""

    ak: Ak = AK
    claims: dict[str, object] = field(default_factory=dict)
    json: bytes | None = None
    report_type: int = 2
    hash_type: int = 1
    versions: tuple[int, int] = (1, 1)
    magic: bytes = b"HCLA"
    sizes: tuple[int, int, int] = (0, 0, 0)
    padding: bytes = bytes(300)

    def with_(self, **changes: object) -> "Paravisor":
        return replace(self, **changes)  # type: ignore[arg-type]

    def runtime_data(self) -> bytes:
        if self.json is not None:
            return self.json
        ek = jwk(Ak("rsa", "ek"), kid="HCLEkPub", key_ops=["encrypt"])
        said = {
            "keys": [jwk(self.ak), ek],
            "vm-configuration": {"secure-boot": True, "vmUniqueId": "1"},
            "user-data": USER_DATA.hex().upper(),
        }
        return json.dumps({**said, **self.claims}).encode()

    def report_data(self) -> bytes:
        """Return what the hardware is to bind."""
        name = {1: "sha256", 2: "sha384", 3: "sha512"}.get(self.hash_type, "sha256")
        return hashlib.new(name, self.runtime_data()).digest().ljust(64, b"\0")

    def report(self, hardware: bytes) -> bytes:
        """Return the contents of the NV index."""
        data = self.runtime_data()
        total, rest, claims = self.sizes
        size = len(data) + claims
        head = pack(
            "<4sIIII12x", self.magic, self.versions[0], 1236 + size + total, 2, 0
        )
        middle = (20 + size + rest, self.versions[1], self.report_type, self.hash_type)
        runtime = pack("<IIIII", *middle, size)
        return head + hardware.ljust(1184, b"\0") + runtime + data + self.padding


def quote_parts(quote: Quote = QUOTE) -> dict[str, bytes]:
    """Return the parts of a quote as this kind of evidence calls them."""
    attest = quote.attest()
    return {
        "tpm_quote": attest,
        "tpm_signature": quote.ak.raw(attest, quote.signed_with),
        "tpm_signature_format": b"raw RSASSA-PKCS1v1.5 SHA-256",
        "pcrs": pcrs_json(quote),
    }


def log_of(quote: Quote = QUOTE) -> dict[str, bytes]:
    """Return the event log beside a quote."""
    log: Log = quote.log
    return {"event_log": log.agile()}
