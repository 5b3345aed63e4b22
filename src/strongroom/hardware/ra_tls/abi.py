# SPDX-License-Identifier: Apache-2.0
"""Where a certificate carries evidence, and how that evidence names its key.

Three families of extensions are read:

- TCG DICE tagged evidence (2.23.133.5.4.9), as "Interoperable RA-TLS" of the CCC
  Attestation SIG has it: CBOR tag([evidence, claims]). Gramine since 1.8, rats-rs,
  librats.
- Non-standard ones with a bare quote (Gramine, RATS-TLS) or with Open Enclave's report.
- RATS conceptual message wrappers (draft-ietf-rats-msg-wrap, 1.3.6.1.5.5.7.1.35), as
  records of our own media type: `HardwareEvidence` of any kind with 32 bytes to bind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal, Self

from strongroom.core.codec import foreign_cbor
from strongroom.core.codec.cursor import Cursor
from strongroom.core.codec.foreign_cbor import Tag
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareEvidence
from strongroom.errors import Malformed
from strongroom.hardware.ra_tls.wrapper import EVIDENCE, Wrapper, is_wrapper

KIND = "ra-tls"

TAGGED_EVIDENCE = "2.23.133.5.4.9"
CMW = "1.3.6.1.5.5.7.1.35"
GRAMINE = "1.2.840.113741.1337.6"
GRAMINE_AS_WRITTEN = "0.6.9.42.840.113741.1337.6"
"""GRAMINE with its own DER head inside, as Gramine's certificates really have it."""

OE_REPORT, OE_REPORT_MICROSOFT = "1.2.840.113556.10.1.1", "1.3.6.1.4.1.311.105.1"

MEDIA_TYPE = "application/vnd.strongroom.hardware-evidence+cbor"
"""Of the bytes of a `HardwareEvidence` in a conceptual message wrapper."""

PUBKEY_HASH, NONCE = "pubkey-hash", "nonce"

Binding = Literal["claims", "spki", "pem"]
"""What the first 32 bytes of report data are SHA-256 of: the claims, the key's
SubjectPublicKeyInfo in DER, or the same in PEM with the zero that ends it in C."""

_INTEL_QUOTE, _SEV_SNP, _CSV = 60000, 0x1A7504, 0x1A7506
_HASHES = {1: "sha256", 7: "sha384", 8: "sha512"}
"""IANA Named Information Hash Algorithm Registry."""

_MAX_CLAIMS = 64
_TDX = 0x81
_QUOTE_HEADER_BYTES = 48
_QUOTES = {3: (0,), 4: (0, _TDX), 5: (0, _TDX)}
"""Versions of quotes with the TEE types of each."""

_OE_VERSION, _OE_SGX_REMOTE = 1, 2


@dataclass(frozen=True)
class KeyHash:
    """How claims name a key: `digest` is of its SubjectPublicKeyInfo in DER."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a "pubkey-hash": CBOR [hash-alg-id, hash-value].

        Raises:
            Malformed: not that, or an algorithm that nobody should use.
        """
        entry = foreign_cbor.decode(data, PUBKEY_HASH)
        if isinstance(entry, list) and len(entry) == len(fields(cls)):
            number, digest = entry
            if isinstance(number, int) and isinstance(digest, bytes):
                algorithm = _HASHES.get(number)
                if algorithm:
                    return cls(algorithm, digest)
        message = "a pubkey-hash is the number of SHA-256, -384 or -512, and a digest"
        raise Malformed(message)


@dataclass(frozen=True)
class Carried:
    """What one extension carries: UNVERIFIED.

    Attributes:
        oid: of the extension.
        evidence: for the verifier of its own kind.
        binding: what its report data is the SHA-256 of.
        claims: the bytes that it is of, where it is of claims.
        named: those claims by name.
        key_hash: what those claims say of the key, if anything.
    """

    oid: str
    evidence: HardwareEvidence
    binding: Binding
    claims: bytes = b""
    named: Mapping[str, bytes] = field(default_factory=dict)
    key_hash: KeyHash | None = None

    @staticmethod
    def parse(oid: str, value: bytes) -> "Carried":
        """Read the extension `oid`, one of `EXTENSIONS`.

        Raises:
            Malformed: not of that extension's format, or of evidence unknown here.
        """
        return _READERS[oid](oid, value)


def _tagged(oid: str, value: bytes) -> Carried:
    """Read tag([evidence, claims]), or a wrapper in TCG's extension.

    DICE Attestation Architecture 1.1, sections 6.1.1 and 6.1.8.
    """
    if is_wrapper(value):
        return _wrapped(oid, value)
    tagged = foreign_cbor.decode(value, "tagged evidence")
    if not isinstance(tagged, Tag) or tagged.number not in _TAGS:
        message = "this is no tagged evidence of a kind that is known here"
        raise Malformed(message)
    evidence, claims = _pair(tagged.value)
    named = _claims(claims)
    entry = named.get(PUBKEY_HASH)
    return Carried(
        oid=oid,
        evidence=_TAGS[tagged.number](evidence),
        binding="claims",
        claims=claims,
        named=named,
        key_hash=None if entry is None else KeyHash.parse(entry),
    )


def _pair(value: foreign_cbor.Value) -> tuple[bytes, bytes]:
    if isinstance(value, list) and len(value) == len(("evidence", "claims")):
        evidence, claims = value
        if isinstance(evidence, bytes) and isinstance(claims, bytes):
            return evidence, claims
    message = "tagged evidence is a pair of evidence and claims, both bytes"
    raise Malformed(message)


def _claims(data: bytes) -> dict[str, bytes]:
    found = foreign_cbor.decode(data, "claims")
    if not isinstance(found, dict) or len(found) > _MAX_CLAIMS:
        message = f"claims are a map of at most {_MAX_CLAIMS}"
        raise Malformed(message)
    named: dict[str, bytes] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, bytes):
            message = "a claim is a text with bytes"
            raise Malformed(message)
        named[name] = value
    return named


def _bare(oid: str, value: bytes) -> Carried:
    """Read a quote that is all there is."""
    return Carried(oid, _quote(value), "spki")


def _open_enclave(oid: str, value: bytes) -> Carried:
    """Read Open Enclave's report: a header (`oe_report_header_t`) and a quote."""
    cursor = Cursor(value, "Open Enclave report")
    version, report_type, size = cursor.little(4), cursor.little(4), cursor.little(8)
    if (version, report_type, size) != (_OE_VERSION, _OE_SGX_REMOTE, cursor.left):
        message = "Open Enclave report: not a remote one of SGX, or not whole"
        raise Malformed(message)
    return Carried(oid, _quote(cursor.rest()), "pem")


def _wrapped(oid: str, value: bytes) -> Carried:
    """Read a conceptual message wrapper."""
    wrapper = Wrapper.parse(value)
    if wrapper.media_type != MEDIA_TYPE or wrapper.ind != EVIDENCE:
        message = f"a wrapper of {wrapper.media_type[:80]!r}, which is not known here"
        raise Malformed(message)
    return Carried(oid, HardwareEvidence.from_bytes(wrapper.value), "spki")


def _quote(value: bytes) -> HardwareEvidence:
    """Return the evidence that an Intel quote is, by its header.

    Quotes of versions 1 and 2 (EPID) ended with Intel's service in 2025.
    """
    version, tee = value[:2], value[4:8]
    tees = _QUOTES.get(int.from_bytes(version, "little"), ())
    if int.from_bytes(tee, "little") not in tees or len(value) < _QUOTE_HEADER_BYTES:
        message = f"a quote of version {version.hex()} and TEE {tee.hex()}"
        raise Malformed(message)
    return HardwareEvidence("tdx" if any(tee) else "sgx", {"quote": value})


def _snp_report(value: bytes) -> HardwareEvidence:
    return HardwareEvidence("sev-snp", {"report": value})


def _csv_report(value: bytes) -> HardwareEvidence:
    return HardwareEvidence("hygon-csv", {"report": value})


_TAGS: Mapping[int, Callable[[bytes], HardwareEvidence]] = MappingProxyType(
    {_INTEL_QUOTE: _quote, _SEV_SNP: _snp_report, _CSV: _csv_report}
)
_READERS: Mapping[str, Callable[[str, bytes], Carried]] = MappingProxyType(
    {
        TAGGED_EVIDENCE: _tagged,
        CMW: _wrapped,
        GRAMINE_AS_WRITTEN: _bare,
        GRAMINE: _bare,
        OE_REPORT_MICROSOFT: _open_enclave,
        OE_REPORT: _open_enclave,
    }
)
EXTENSIONS = tuple(_READERS)
"""Every extension that is read here, the standard one first."""


def carried(certificate: Certificate) -> tuple[Carried, ...]:
    """Return what a certificate carries, in the order of `EXTENSIONS`.

    A certificate with one extension twice is no certificate (RFC 5280 section 4.2);
    with two different ones it is Gramine's, with a quote for verifiers old and new.

    Raises:
        Malformed: an extension is not of its format.
    """
    return tuple(
        Carried.parse(oid, value)
        for oid in EXTENSIONS
        if (value := certificate.extension(oid)) is not None
    )
