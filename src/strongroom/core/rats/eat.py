# SPDX-License-Identifier: Apache-2.0
"""Entity Attestation Tokens (RFC 9711): the labels, and a strict reader of claims.

Every label that evidence of this project uses is in `Label`; those below -65536 are
private use (RFC 8392 section 9.1). A claims set holds exactly the labels of its
profile: neither fewer nor more.
"""

from enum import IntEnum
from typing import TypeVar

from strongroom.core.codec import cbor
from strongroom.errors import Malformed, Stale

T = TypeVar("T", int, str, bytes, list[object])

CLOCK_SKEW_S = 300
"""How far ahead of the verifier's clock an attester's may be."""

DEBUG_ENABLED, DEBUG_DISABLED_SINCE_BOOT = 0, 2
CONTENT_CBOR = 60
"""CoAP content format of application/cbor, for the measurements claim."""


class Label(IntEnum):
    """Claim labels: RFC 8392 and RFC 9711 first, then ours."""

    IAT = 6
    EAT_NONCE = 10
    UEID = 256
    OEMID = 258
    HWMODEL = 259
    DBGSTAT = 263
    EAT_PROFILE = 265
    BOOTCOUNT = 267
    SWNAME = 270
    MEASUREMENTS = 273

    SUITE = -70300
    FIRMWARE_SVN = -70301
    LOCKS = -70302
    MONITOR_KEY = -70303
    ENCLAVE_ID = -70310
    MEASUREMENT = -70311
    SIGNER = -70312
    SVN = -70313
    MEMORY_BYTES = -70314
    THREADS = -70315
    PROCESSES = -70316
    PERMISSIONS = -70317
    CONFIG = -70318
    USER_DATA = -70319


def media_type(profile: str) -> str:
    """Return the type of a token of `profile` (RFC 9782), its `typ` header."""
    return f'application/eat+cwt; eat_profile="{profile}"'


class ClaimsSet:
    """A claims set whose labels are those of its profile; values read by type."""

    def __init__(self, data: bytes, labels: frozenset[Label]) -> None:
        claims = cbor.decode(data)
        if not isinstance(claims, dict) or claims.keys() != labels:
            message = "these are not the claims of this EAT profile"
            raise Malformed(message)
        self._claims: dict[object, object] = claims

    def take(self, label: Label, kind: type[T]) -> T:
        """Return the value of `label`.

        Raises:
            Malformed: it is not of type `kind`.
        """
        value = self._claims[label]
        if type(value) is not kind:
            message = f"EAT claim {label.name.lower()} is not {kind.__name__}"
            raise Malformed(message)
        return value

    def texts(self, label: Label) -> tuple[str, ...]:
        """Return a list of texts.

        Raises:
            Malformed: it is not one.
        """
        values = self._claims[label]
        if isinstance(values, list):
            texts = tuple(each for each in values if isinstance(each, str))
            if len(texts) == len(values):
                return texts
        message = f"EAT claim {label.name.lower()} is not a list of texts"
        raise Malformed(message)

    def debug(self) -> bool:
        """Return whether dbgstat says that debugging is on."""
        return self.take(Label.DBGSTAT, int) == DEBUG_ENABLED


def dbgstat(*, debug: bool) -> int:
    """Return the dbgstat claim; `ClaimsSet.debug` is the inverse."""
    return DEBUG_ENABLED if debug else DEBUG_DISABLED_SINCE_BOOT


def check_clock(issued_at: int, now: int, owner: str) -> None:
    """Refuse evidence that is not made yet.

    Raises:
        Stale: it is from more than `CLOCK_SKEW_S` ahead of `now`.
    """
    if issued_at > now + CLOCK_SKEW_S:
        raise Stale.because(
            rule="evidence.time",
            owner=owner,
            expected=f"evidence of at most {CLOCK_SKEW_S} s after {now}",
            got=f"evidence of {issued_at}",
            remedy="Set the clocks of attester and verifier.",
        )
