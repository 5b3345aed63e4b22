# SPDX-License-Identifier: Apache-2.0
"""A small certification authority for tests: fresh keys, real X.509."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.x509 import Certificate

NOW = 1_800_000_000
DAY = 86_400


def moment(seconds: int) -> datetime:
    """Return Unix seconds as `cryptography` wants a time."""
    return datetime.fromtimestamp(seconds, UTC)


def name(text: str) -> x509.Name:
    """Return a name with a common name alone, or the one of RFC 4514."""
    if "=" in text:
        return x509.Name.from_rfc4514_string(text)
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    """A key with its certificate; self-signed unless an `issuer` signs it."""

    subject: str
    issuer: "Authority | None" = None
    ca: bool = True
    path_length: int | None = None
    not_before: int = NOW - DAY
    not_after: int = NOW + DAY
    critical: str = ""
    critical_value: bytes = b"\x05\x00"
    extensions: dict[str, bytes] = field(default_factory=dict)
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        signer = self.issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(self.subject))
            .issuer_name(name(signer.subject))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment(self.not_before))
            .not_valid_after(moment(self.not_after))
            .add_extension(x509.BasicConstraints(self.ca, self.path_length), True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if self.critical:
            oid = x509.ObjectIdentifier(self.critical)
            builder = builder.add_extension(
                x509.UnrecognizedExtension(oid, self.critical_value), critical=True
            )
        for dotted, value in self.extensions.items():
            oid = x509.ObjectIdentifier(dotted)
            builder = builder.add_extension(
                x509.UnrecognizedExtension(oid, value), critical=False
            )
        made = builder.sign(signer.key, hashes.SHA256())
        self.certificate = Certificate(made.public_bytes(Encoding.DER))

    def revocations(
        self,
        *revoked: Certificate,
        this_update: int = NOW - DAY,
        next_update: int = NOW + DAY,
        key: ec.EllipticCurvePrivateKey | None = None,
        scope: x509.ExtensionType | None = None,
    ) -> RevocationList:
        """Return this authority's revocation list, with a critical `scope`."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name(self.subject))
            .last_update(moment(this_update))
            .next_update(moment(next_update))
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public_key()
                ),
                critical=False,
            )
        )
        if scope is not None:
            builder = builder.add_extension(scope, critical=True)
        for each in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.serial)
                .revocation_date(moment(this_update))
                .build()
            )
        made = builder.sign(key or self.key, hashes.SHA256())
        return RevocationList(made.public_bytes(Encoding.DER))
