# SPDX-License-Identifier: Apache-2.0
"""Nitro documents in AWS's layout, with fresh keys and roots: nothing here is AWS's."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import new as new_hash
from struct import pack

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.rats import Endorsements, HardwareEvidence, Trust

BEGIN, NOW, END = 1_700_000_000, 1_750_000_000, 1_800_000_000
LEAF_END = NOW + 10_800
NONCE = b"\x5a" * 32
PCRS = {index: bytes([index + 1]) * 48 for index in range(16)}
ES384 = -35

Curve = type[ec.EllipticCurve]


P384 = ec.SECP384R1


@cache
def key(name: str, curve: Curve) -> ec.EllipticCurvePrivateKey:
    """Return the key of that name, made once."""
    del name
    return ec.generate_private_key(curve())


def spki(name: str) -> bytes:
    return (
        key(name, P384)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True)
class Link:
    """One certificate of the chain; `key` names its key."""

    name: str
    key: str
    ca: bool = True
    serial: int = 7
    end: int = END
    curve: Curve = P384

    def certificate(
        self,
        issuer: "Link",
        digest: hashes.SHA224 | hashes.SHA384 | None = None,
    ) -> bytes:
        return (
            x509.CertificateBuilder()
            .subject_name(called(self.name))
            .issuer_name(called(issuer.name))
            .serial_number(self.serial)
            .not_valid_before(moment(BEGIN))
            .not_valid_after(moment(self.end))
            .public_key(key(self.key, self.curve).public_key())
            .add_extension(x509.BasicConstraints(self.ca, None), critical=True)
            .sign(key(issuer.key, issuer.curve), digest or hashes.SHA384())
            .public_bytes(Encoding.DER)
        )

    def crl(self, *revoked: int, end: int = END) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(called(self.name))
            .last_update(moment(BEGIN))
            .next_update(moment(end))
        )
        for serial in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(moment(BEGIN))
                .build()
            )
        return builder.sign(key(self.key, self.curve), hashes.SHA384()).public_bytes(
            Encoding.DER
        )


ROOT = Link("aws.nitro-enclaves", "root")
REGION = Link("region.aws.nitro-enclaves", "region")
INSTANCE = Link("i-0.aws.nitro-enclaves", "instance")
LEAF = Link("i-0-enc0.aws", "leaf", ca=False, serial=9, end=LEAF_END)


def chain() -> tuple[bytes, ...]:
    return (
        ROOT.certificate(ROOT),
        REGION.certificate(ROOT),
        INSTANCE.certificate(REGION),
    )


@dataclass(frozen=True)
class Forge:
    """A document and the endorsements that belong to it; `with_` varies one thing."""

    leaf: Link = LEAF
    algorithm: int = ES384
    cabundle: tuple[bytes, ...] | None = None
    certificate: bytes | None = None
    roots: tuple[bytes, ...] | None = None
    crls: tuple[bytes, ...] = ()
    changes: dict[str, object] = field(default_factory=dict)
    unprotected: dict[int, object] = field(default_factory=dict)
    payload: bytes | None = None
    parts: dict[str, bytes] = field(default_factory=dict)

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def saying(self, **changes: object) -> "Forge":
        return replace(self, changes={**self.changes, **changes})

    def content(self) -> dict[str, object]:
        """Return the document; a change to `...` leaves that field out."""
        leaf = self.leaf.certificate(INSTANCE)
        fields = {
            "module_id": "i-0-enc0",
            "digest": "SHA384",
            "timestamp": NOW * 1000 + 545,
            "pcrs": PCRS,
            "certificate": leaf if self.certificate is None else self.certificate,
            "cabundle": list(chain() if self.cabundle is None else self.cabundle),
            "public_key": None,
            "user_data": None,
            "nonce": NONCE,
        } | self.changes
        return {name: value for name, value in fields.items() if value is not ...}

    def document(self, *, tagged: bool = False) -> bytes:
        payload = self.payload or cbor2.dumps(self.content())
        protected = cbor2.dumps({1: self.algorithm})
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
        signer = key(self.leaf.key, self.leaf.curve)
        size = (signer.key_size + 7) // 8
        r, s = decode_dss_signature(signer.sign(signed, ec.ECDSA(hashes.SHA384())))
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        envelope = [protected, self.unprotected, payload, signature]
        return cbor2.dumps(cbor2.CBORTag(18, envelope) if tagged else envelope)

    def evidence(self, document: bytes | None = None) -> HardwareEvidence:
        made = self.document() if document is None else document
        return HardwareEvidence("nitro", {"document": made, **self.parts})

    def trust(self) -> Trust:
        roots = (ROOT.certificate(ROOT),) if self.roots is None else self.roots
        collateral = {"crl": self.crls} if self.crls else {}
        return Trust(Endorsements(roots, (), collateral))


ENCLAVE = Forge()
INSTANCE_TPM = Forge(changes={"pcrs": ..., "nitrotpm_pcrs": PCRS})


@dataclass(frozen=True)
class TpmQuote:
    """A quote of the instance's TPM beside its document; `with_` varies one thing."""

    ak: str = "ak"
    signer: str = "ak"
    nonce: bytes = NONCE
    document_nonce: bytes | None = NONCE
    public_key: object = None
    magic: bytes = b"\xffTCG\x80\x18"
    bank: int = 0x0C
    selected: tuple[int, ...] = (0, 4, 7)
    quoted: dict[int, bytes] = field(default_factory=lambda: dict(PCRS))
    digest: str = "sha256"
    trailing: bytes = b""
    empty_banks: tuple[int, ...] = ()
    pcrs: bytes | None = None

    def with_(self, **changes: object) -> "TpmQuote":
        return replace(self, **changes)  # type: ignore[arg-type]

    def quote(self) -> bytes:
        values = b"".join(self.quoted[index] for index in self.selected)
        pcr_digest = new_hash(self.digest, values).digest()
        bits = sum(1 << index for index in self.selected)
        return (
            self.magic
            + sized(b"\x00\x0bsigner")
            + sized(self.nonce)
            + pack(">QIIBQ", 64506, 3, 0, 1, 0x2019)
            + pack(">I", 1 + len(self.empty_banks))
            + b"".join(pack(">HB3x", each, 3) for each in self.empty_banks)
            + pack(">HB", self.bank, 3)
            + bits.to_bytes(3, "little")
            + sized(pcr_digest)
            + self.trailing
        )

    def forge(self) -> Forge:
        """Return the document that goes with this quote, and the quote beside it."""
        quote = self.quote()
        signature = key(self.signer, ec.SECP256R1).sign(
            quote, ec.ECDSA(hashes.SHA256())
        )
        values = {str(index): pcr.hex() for index, pcr in PCRS.items()}
        pcrs = json.dumps({"sha384": values}).encode()
        point = (
            key(self.ak, ec.SECP256R1)
            .public_key()
            .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )
        return INSTANCE_TPM.saying(
            public_key=point if self.public_key is None else self.public_key,
            nonce=self.document_nonce,
        ).with_(
            parts={
                "tpm_quote": quote,
                "tpm_signature": signature,
                "pcrs": pcrs if self.pcrs is None else self.pcrs,
            }
        )


def sized(data: bytes) -> bytes:
    return pack(">H", len(data)) + data
