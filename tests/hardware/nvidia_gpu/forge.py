# SPDX-License-Identifier: Apache-2.0
"""SPDM exchanges in NVIDIA's layout, with fresh keys and roots: no device's."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from struct import pack

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from strongroom.core.rats import Endorsements, HardwareEvidence, Trust

BEGIN, NOW, END = 1_700_000_000, 1_750_000_000, 1_800_000_000
NONCE, RESPONDER_NONCE = b"\x5a" * 32, b"\xa5" * 32
FWID = b"\x77" * 48
COMPOSITE, TCB_INFO = "2.23.133.5.4.1", "2.23.133.5.4.1.1"
SHA384 = bytes.fromhex("0609608648016503040202")
GPU, SWITCH, BLACKWELL = (
    "GH100 A01 GSP FMC LF",
    "LS_10 A01 FSP FMC LF",
    "GB100 A01 GSP FMC LF",
)
OPAQUE: dict[int, bytes] = {
    3: b"550.90.07\0",
    6: bytes.fromhex("009f009601000000"),
    12: pack("<III", 0, 1, 4),
    17: b"1010\0",
    20: FWID,
    21: b"\x55",
    99: b"\xde\xad",
}


def key(
    name: str, curve: type[ec.EllipticCurve] = ec.SECP384R1
) -> ec.EllipticCurvePrivateKey:
    """Return the key of that name, made once for each curve."""
    return _key(name, curve)


@cache
def _key(name: str, curve: type[ec.EllipticCurve]) -> ec.EllipticCurvePrivateKey:
    del name
    return ec.generate_private_key(curve())


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)])
    if len(body) > 127:
        n = (len(body).bit_length() + 7) // 8
        size = bytes([0x80 | n]) + len(body).to_bytes(n, "big")
    return bytes([tag]) + size + body


def fwid(digest: bytes) -> bytes:
    return der(0x30, SHA384, der(0x04, digest))


def composite(digest: bytes) -> bytes:
    """Return the extension of Hopper: version, key, FWID."""
    spki = key("leaf").public_key()
    encoded = spki.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der(0x30, b"\x02\x01\x01", encoded, fwid(digest))


def tcb_info(digest: bytes) -> bytes:
    """Return the extension of Blackwell: vendor, model, ..., FWIDs."""
    fwids = der(0xA6, fwid(digest), fwid(bytes(48)))
    return der(0x30, der(0x80, b"NVIDIA"), der(0x81, b"GB100"), fwids, der(0x87, b"\0"))


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True)
class Forge:
    """An exchange to be, the certificates of its device, and what is trusted."""

    subject: str = GPU
    extension: tuple[str, bytes] | None = (COMPOSITE, composite(FWID))
    curve: type[ec.EllipticCurve] = ec.SECP384R1
    signer: str = "leaf"
    issuers: tuple[str, ...] = ("brom", "provisioner", "identity")
    """Above the leaf, the root not counted."""
    certified_by: str = ""
    """Whose key signs the leaf, if not its issuer's."""
    root: str = "root"
    trusted: str = "root"
    brom_is_ca: bool = True
    leaf_end: int = END
    measurements: dict[int, bytes] = field(
        default_factory=lambda: {i: bytes([i]) * 48 for i in range(1, 5)}
    )
    opaque: dict[int, bytes] = field(default_factory=lambda: dict(OPAQUE))
    request: bytes = b"\x11\xe0\x01\xff" + NONCE + b"\0"
    response: bytes = b"\x11\x60\0\0"
    more_chains: tuple[bytes, ...] = ()
    lists: tuple[bytes, ...] = ()
    brought: bool = False

    def but(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def record(self) -> bytes:
        return b"".join(
            pack("<BBHBH", index, 1, 3 + len(value), 1, len(value)) + value
            for index, value in self.measurements.items()
        )

    def signed(self) -> bytes:
        record = self.record()
        opaque = b"".join(
            pack("<HH", of, len(value)) + value for of, value in self.opaque.items()
        )
        return b"".join(
            (
                self.request,
                self.response,
                bytes([len(self.measurements)]),
                len(record).to_bytes(3, "little"),
                record,
                RESPONDER_NONCE,
                pack("<H", len(opaque)),
                opaque,
            )
        )

    def report(self) -> bytes:
        return sealed(self.signed(), self.signer, self.curve)

    def certificates(self) -> list[x509.Certificate]:
        """Return the leaf and those above it, the root last."""
        names = (self.subject, *self.issuers, self.root)
        keys = ("leaf", *self.issuers, self.root)
        chain = []
        for at, (subject, of) in enumerate(zip(names, keys, strict=True)):
            above = min(at + 1, len(keys) - 1)
            signer = self.certified_by if at == 0 and self.certified_by else keys[above]
            chain.append(self._certificate(subject, of, names[above], signer))
        return chain

    def _certificate(
        self, subject: str, of: str, issuer: str, signer: str
    ) -> x509.Certificate:
        leaf = of == "leaf"
        public = key(of, self.curve if leaf else ec.SECP384R1).public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named(issuer))
            .public_key(public)
            .serial_number(1 + len(subject))
            .not_valid_before(moment(BEGIN))
            .not_valid_after(moment(self.leaf_end if leaf else END))
        )
        if leaf and self.extension is not None:
            oid, value = self.extension
            builder = builder.add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value),
                critical=False,
            )
        if not leaf:
            is_ca = of != "brom" or self.brom_is_ca
            builder = builder.add_extension(x509.BasicConstraints(is_ca, None), True)
        return builder.sign(key(signer), hashes.SHA384())

    def chain(self) -> bytes:
        """Return the chain without its root, leaf first."""
        return b"".join(pem(each) for each in self.certificates()[:-1])

    def evidence(self) -> HardwareEvidence:
        parts = {"report": self.report()}
        if self.brought:
            parts["certificate_chain"] = self.chain()
        return HardwareEvidence("nvidia-gpu", parts)

    def trust(self) -> Trust:
        collateral = {"crl": self.lists} if self.lists else {}
        if not self.brought:
            collateral["certificate_chain"] = (*self.more_chains, self.chain())
        root = pem(self.but(root=self.trusted).certificates()[-1])
        return Trust(Endorsements((root,), (), collateral))


def sealed(
    signed: bytes, signer: str = "leaf", curve: type[ec.EllipticCurve] = ec.SECP384R1
) -> bytes:
    """Return an exchange with its signature."""
    signature = key(signer, curve).sign(signed, ec.ECDSA(hashes.SHA384()))
    r, s = decode_dss_signature(signature)
    return signed + r.to_bytes(48, "big") + s.to_bytes(48, "big")


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def revocations(issuer: str, *serials: int, end: int = END) -> bytes:
    """Return the list of an issuer."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(named(issuer))
        .last_update(moment(BEGIN))
        .next_update(moment(end))
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial)
        builder = builder.add_revoked_certificate(
            revoked.revocation_date(moment(BEGIN)).build()
        )
    return builder.sign(key(issuer), hashes.SHA384()).public_bytes(Encoding.DER)


VALID = Forge()
