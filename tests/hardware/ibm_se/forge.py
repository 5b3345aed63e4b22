# SPDX-License-Identifier: Apache-2.0
"""Host-key documents in IBM's layout, with fresh keys and roots: nothing is IBM's."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.core.crypto.der import items
from strongroom.core.rats import Endorsements, HardwareEvidence, Trust

BEGIN, NOW, END = 1_700_000_000, 1_750_000_000, 1_800_000_000
IBM = "International Business Machines Corporation"
SIGNING_UNIT = "IBM Z Host Key Signing Service"
SERIAL = 0x522E

Digest = hashes.SHA224 | hashes.SHA256 | hashes.SHA512
Curve = type[ec.EllipticCurve]


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return the key of that name, made once."""
    del name
    return rsa.generate_private_key(65537, 2048)


@cache
def host_key(curve: Curve) -> ec.EllipticCurvePrivateKey:
    """Return the host's key, made once."""
    return ec.generate_private_key(curve())


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def name(
    unit: str,
    locality: str = "Poughkeepsie",
    *,
    company: str = IBM,
    turned: bool = False,
) -> x509.Name:
    """Return a name as IBM's; `turned` has the same parts in another order."""
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "New York"),
        x509.NameAttribute(NameOID.LOCALITY_NAME, locality),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, company),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        x509.NameAttribute(NameOID.COMMON_NAME, company),
    ]
    return x509.Name(parts[::-1] if turned else parts)


@dataclass(frozen=True)
class Authority:
    """One certificate above the document; `key` names its key."""

    name: x509.Name
    key: str
    ca: bool = True
    serial: int = 7
    end: int = END

    def certificate(self, issuer: "Authority") -> bytes:
        return (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .serial_number(self.serial)
            .not_valid_before(moment(BEGIN))
            .not_valid_after(moment(self.end))
            .public_key(rsa_key(self.key).public_key())
            .add_extension(x509.BasicConstraints(self.ca, None), critical=True)
            .sign(rsa_key(issuer.key), hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )

    def crl(self, *revoked: int, begin: int = BEGIN, end: int = END) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(moment(begin))
            .next_update(moment(end))
        )
        for serial in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(moment(BEGIN))
                .build()
            )
        return builder.sign(rsa_key(self.key), hashes.SHA256()).public_bytes(
            Encoding.DER
        )


def without_end(crl: bytes, key: str) -> bytes:
    """Return a revocation list without its next update, signed again by that key."""
    parsed = x509.load_der_x509_crl(crl)
    body = parsed.tbs_certlist_bytes
    ((_, begin, end),) = items(body, 0, len(body))
    found = items(body, begin, end)
    starts = [begin, *(stop for _, _, stop in found)]
    fields = [body[a:b] for a, b in pairwise(starts)]
    algorithm = fields[1]
    body = _der(0x30, b"".join(fields[:_NEXT_UPDATE] + fields[_NEXT_UPDATE + 1 :]))
    proof = rsa_key(key).sign(body, PKCS1v15(), hashes.SHA256())
    return _der(0x30, body + algorithm + _der(3, b"\0" + proof))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    head = bytes([size]) if size < 128 else bytes([0x80 | len(length)]) + length
    return bytes([tag]) + head + content


_NEXT_UPDATE = 4
"""After version, algorithm, issuer and this update (RFC 5280 section 5.1)."""

ROOT = Authority(name("Root CA", company="Public Authority"), "root")
MIDDLE = Authority(name("Code Signing CA", company="Public Authority"), "middle")
SIGNER = Authority(name(SIGNING_UNIT), "signer", ca=False)


@dataclass(frozen=True)
class Forge:
    """A document and the endorsements that belong to it; `with_` varies one thing."""

    signer: Authority = SIGNER
    issuer_name: x509.Name | None = None
    issuer_key: str | None = None
    curve: Curve = ec.SECP521R1
    digest: Digest = field(default_factory=hashes.SHA512)
    end: int = END
    critical: bytes | None = None
    root: Authority = ROOT
    signing: tuple[bytes, ...] | None = None
    intermediates: tuple[bytes, ...] | None = None
    crls: tuple[bytes, ...] | None = None

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def document(self, encoding: Encoding = Encoding.PEM) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name("IBM Z Host Key", "Armonk"))
            .issuer_name(self.issuer_name or self.signer.name)
            .serial_number(SERIAL)
            .not_valid_before(moment(BEGIN))
            .not_valid_after(moment(self.end))
            .public_key(host_key(self.curve).public_key())
        )
        if self.critical is not None:
            unknown = x509.UnrecognizedExtension(
                x509.ObjectIdentifier("1.2.3.4"), self.critical
            )
            builder = builder.add_extension(unknown, critical=True)
        key = rsa_key(self.issuer_key or self.signer.key)
        return builder.sign(key, self.digest).public_bytes(encoding)

    def evidence(self, document: bytes | None = None) -> HardwareEvidence:
        made = self.document() if document is None else document
        return HardwareEvidence("ibm-se", {"host_key_document": made})

    def trust(self) -> Trust:
        signing, above, crls = self.signing, self.intermediates, self.crls
        collateral = {
            "host_key_signing_certificate": (self.signer.certificate(MIDDLE),)
            if signing is None
            else signing,
            "intermediate": (MIDDLE.certificate(ROOT),) if above is None else above,
            "crls": (ROOT.crl(), MIDDLE.crl(), self.signer.crl())
            if crls is None
            else crls,
        }
        root = self.root.certificate(self.root)
        return Trust(
            Endorsements(
                (root,),
                (),
                {role: found for role, found in collateral.items() if found},
            )
        )


HOST = Forge()
