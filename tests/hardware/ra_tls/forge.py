# SPDX-License-Identifier: Apache-2.0
"""RA-TLS certificates over evidence of the forges of the kinds that they carry."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.rats import HardwareEvidence, Trust
from strongroom.hardware.ra_tls import abi
from tests.hardware.sev_snp import forge as snp

NOW = snp.NOW
BEGIN, END = NOW - 3600, NOW + 3600
SNP_TAG, QUOTE_TAG = 0x1A7504, 60000
CMW_JSON, CMW_CBOR = 0x0C, 0x04


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of that name, made once."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


def spki(name: str = "server") -> bytes:
    return (
        key(name)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def digest(data: bytes, algorithm: str = "sha256") -> bytes:
    return hashlib.new(algorithm, data).digest()


def claims(
    name: str = "server", algorithm: int = 1, **others: bytes
) -> dict[str, bytes]:
    """Return claims that name a key, as an encoder may order them."""
    names = {1: "sha256", 7: "sha384", 8: "sha512"}
    hashed = digest(spki(name), names.get(algorithm, "md5"))
    return {**others, "pubkey-hash": cbor2.dumps([algorithm, hashed])}


def snp_report(bound: bytes, **changes: object) -> bytes:
    """Return an SNP report whose report data begin with `bound`."""
    body = replace(snp.MILAN.body, patch={0x50: bound.ljust(64, b"\0")})
    return replace(body, **changes).sign(snp.MILAN.leaf)  # type: ignore[arg-type]


def tagged(
    named: object, *, bound: bytes | None = None, tag: int = SNP_TAG, **changes: object
) -> bytes:
    """Return tag([report, claims]) whose report binds the claims, or `bound`."""
    encoded = named if isinstance(named, bytes) else cbor2.dumps(named)
    report = snp_report(digest(encoded) if bound is None else bound, **changes)
    return cbor2.dumps(cbor2.CBORTag(tag, [report, encoded]))


def der(tag: int, content: bytes) -> bytes:
    length = len(content).to_bytes(3, "big")
    return bytes((tag, 0x83)) + length + content


def wrapped(
    evidence: HardwareEvidence,
    *,
    media_type: str = abi.MEDIA_TYPE,
    ind: object = None,
    form: int = CMW_CBOR,
) -> bytes:
    """Return a conceptual message wrapper around evidence."""
    more = [] if ind is None else [ind]
    value = evidence.to_bytes()
    if form == CMW_CBOR:
        return der(form, cbor2.dumps([media_type, value, *more]))
    text = urlsafe_b64encode(value).decode().rstrip("=")
    items = ", ".join((f'"{media_type}"', f'"{text}"', *map(str, more)))
    return der(form, f"[{items}]".encode())


def snp_evidence(bound: bytes) -> HardwareEvidence:
    return HardwareEvidence("sev-snp", {"report": snp_report(bound)})


@dataclass(frozen=True)
class Forge:
    """A certificate and the endorsements that belong to it; `with_` varies one thing.

    `critical` are the extensions that are; `signer` and `issuer` whose signature and
    name it has.
    """

    extensions: dict[str, bytes] = field(
        default_factory=lambda: {abi.TAGGED_EVIDENCE: tagged(claims())}
    )
    critical: tuple[str, ...] = ()
    key: str = "server"
    signer: str = "server"
    issuer: str = "ra-tls"
    end: int = END
    digest: Callable[[], hashes.SHA224 | hashes.SHA256] = hashes.SHA256
    trusted: Trust | None = None

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def carrying(self, extensions: dict[str, bytes]) -> "Forge":
        return replace(self, extensions=extensions)

    def certificate(self) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(snp.called("ra-tls"))
            .issuer_name(snp.called(self.issuer))
            .serial_number(1)
            .not_valid_before(datetime.fromtimestamp(BEGIN, UTC))
            .not_valid_after(datetime.fromtimestamp(self.end, UTC))
            .public_key(key(self.key).public_key())
        )
        for oid, value in self.extensions.items():
            builder = builder.add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value),
                critical=oid in self.critical,
            )
        signed = builder.sign(key(self.signer), self.digest())
        return signed.public_bytes(Encoding.DER)

    def evidence(self, certificate: bytes | None = None) -> HardwareEvidence:
        made = self.certificate() if certificate is None else certificate
        return HardwareEvidence("ra-tls", {"certificate": made})

    def trust(self) -> Trust:
        return self.trusted or snp.MILAN.trust()


BOUND = Forge()
