# SPDX-License-Identifier: Apache-2.0
"""SNP reports in AMD's layout, with fresh keys and roots: nothing here is AMD's."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from struct import pack, pack_into
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.core.rats import Endorsements, HardwareEvidence, Trust

ARC = "1.3.6.1.4.1.3704.1"
BEGIN, NOW, END = 1_700_000_000, 1_750_000_000, 1_800_000_000
CHIP = bytes(range(1, 65))
REPORT_DATA = b"\x5a" * 64
PSS = padding.PSS(padding.MGF1(hashes.SHA384()), hashes.SHA384.digest_size)
GUIDS = {
    "vcek": UUID("63da758d-e664-4564-adc5-f4b93be8accd"),
    "intermediate": UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"),
    "root": UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"),
}


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return the key of that name, made once."""
    del name
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(
    name: str, curve: type[ec.EllipticCurve] = ec.SECP384R1
) -> ec.EllipticCurvePrivateKey:
    """Return the key of that name, made once."""
    del name
    return ec.generate_private_key(curve())


def called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True)
class Authority:
    """A CA of the hierarchy; `key` names its key."""

    name: str
    key: str

    def certificate(
        self,
        issuer: "Authority",
        *,
        serial: int = 7,
        end: int = END,
        digest: hashes.SHA224 | hashes.SHA384 | None = None,
    ) -> bytes:
        return (
            x509.CertificateBuilder()
            .subject_name(called(self.name))
            .issuer_name(called(issuer.name))
            .serial_number(serial)
            .not_valid_before(moment(BEGIN))
            .not_valid_after(moment(end))
            .public_key(rsa_key(self.key).public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(rsa_key(issuer.key), digest or hashes.SHA384(), rsa_padding=PSS)
            .public_bytes(Encoding.PEM)
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
        return builder.sign(
            rsa_key(self.key), hashes.SHA384(), rsa_padding=PSS
        ).public_bytes(Encoding.DER)


ARK, ASK = Authority("ARK-Milan", "ark"), Authority("SEV-Milan", "ask")


def integer(number: int) -> bytes:
    size = number.bit_length() // 8 + 1
    return bytes((2, size)) + number.to_bytes(size, "big")


def text(value: str) -> bytes:
    return bytes((0x16, len(value))) + value.encode()


@dataclass(frozen=True)
class Leaf:
    """A VCEK or VLEK certificate, and what its extensions say."""

    role: str = "vcek"
    product: str = "Milan-B0"
    spl: dict[int, int] = field(default_factory=lambda: {1: 3, 2: 0, 3: 8, 8: 209})
    hwid: bytes | None = CHIP
    csp_id: str | None = None
    key: str = "leaf"
    curve: type[ec.EllipticCurve] = ec.SECP384R1
    serial: int = 9
    end: int = END

    def extensions(self) -> dict[str, bytes]:
        found = {f"{ARC}.2": text(self.product)}
        found |= {f"{ARC}.3.{spl}": integer(svn) for spl, svn in self.spl.items()}
        if self.hwid is not None:
            found[f"{ARC}.4"] = self.hwid
        if self.csp_id is not None:
            found[f"{ARC}.5"] = text(self.csp_id)
        return found

    def certificate(self, issuer: Authority = ASK) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(called(f"SEV-{self.role.upper()}"))
            .issuer_name(called(issuer.name))
            .serial_number(self.serial)
            .not_valid_before(moment(BEGIN))
            .not_valid_after(moment(self.end))
            .public_key(ec_key(self.key, self.curve).public_key())
        )
        for oid, value in self.extensions().items():
            builder = builder.add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), False
            )
        signed = builder.sign(rsa_key(issuer.key), hashes.SHA384(), rsa_padding=PSS)
        return signed.public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Body:
    """What a report says, before it is signed."""

    version: int = 2
    policy: int = 0x30000
    vmpl: int = 0
    algorithm: int = 1
    flags: int = 0
    tcb: bytes = bytes((3, 0, 0, 0, 0, 0, 8, 209))
    cpuid: bytes = bytes(3)
    chip_id: bytes = CHIP
    vectors: tuple[int, int] = (0, 0)
    measurement: bytes = b"\x77" * 48
    patch: dict[int, bytes] = field(default_factory=dict)

    def sign(self, leaf: Leaf) -> bytes:
        """Return the report, signed by the key of `leaf`."""
        report = bytearray(1184)
        pack_into("<IIQ", report, 0, self.version, 4, self.policy)
        pack_into("<II", report, 0x30, self.vmpl, self.algorithm)
        report[0x38:0x40] = self.tcb
        pack_into("<I", report, 0x48, self.flags)
        report[0x50:0x90] = REPORT_DATA
        report[0x90:0xC0] = self.measurement
        report[0x180:0x188] = self.tcb
        report[0x188:0x18B] = self.cpuid
        report[0x1A0:0x1E0] = self.chip_id
        report[0x1E0:0x1E8] = self.tcb
        report[0x1E8:0x1EB] = report[0x1EC:0x1EF] = bytes((5, 55, 1))
        report[0x1F0:0x1F8] = self.tcb
        pack_into("<QQ", report, 0x1F8, *self.vectors)
        for at, value in self.patch.items():
            report[at : at + len(value)] = value
        key = ec_key(leaf.key, leaf.curve)
        r, s = decode_dss_signature(
            key.sign(bytes(report[:0x2A0]), ec.ECDSA(hashes.SHA384()))
        )
        report[0x2A0:0x2E8] = r.to_bytes(72, "little")
        report[0x2E8:0x330] = s.to_bytes(72, "little")
        return bytes(report)


def table(**certificates: bytes) -> bytes:
    """Return a table of certificates as a host hands it to its guest."""
    head, rest = b"", b""
    offset = 24 * (len(certificates) + 1)
    for role, data in certificates.items():
        head += GUIDS[role].bytes + pack("<II", offset + len(rest), len(data))
        rest += data
    return head + bytes(24) + rest


@dataclass(frozen=True)
class Forge:
    """Evidence and the endorsements that belong to it; `with_` varies one thing."""

    leaf: Leaf = Leaf()
    body: Body = Body()
    roots: tuple[bytes, ...] | None = None
    intermediates: tuple[bytes, ...] | None = None
    leaves: tuple[bytes, ...] | None = None
    crls: tuple[bytes, ...] = ()
    cert_table: bytes | None = None

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def report(self) -> bytes:
        return self.body.sign(self.leaf)

    def evidence(self, report: bytes | None = None) -> HardwareEvidence:
        parts = {"report": self.report() if report is None else report}
        if self.cert_table is not None:
            parts["cert_table"] = self.cert_table
        return HardwareEvidence("sev-snp", parts)

    def trust(self) -> Trust:
        roots, above, leaves = self.roots, self.intermediates, self.leaves
        collateral = {
            self.leaf.role: (self.leaf.certificate(),) if leaves is None else leaves,
            "intermediate": (ASK.certificate(ARK),) if above is None else above,
            "crl": self.crls,
        }
        return Trust(
            Endorsements(
                (ARK.certificate(ARK),) if roots is None else roots,
                (),
                {role: found for role, found in collateral.items() if found},
            )
        )


MILAN = Forge()
GENOA = Forge(
    Leaf(product="Genoa"),
    Body(version=3, cpuid=bytes((0x19, 0xA0, 2)), vmpl=3),
)
TURIN = Forge(
    Leaf(product="Turin", spl={9: 1, 1: 3, 2: 2, 3: 5, 8: 97}, hwid=CHIP[:8]),
    Body(
        version=5,
        cpuid=bytes((0x1A, 2, 1)),
        tcb=bytes((1, 3, 2, 5, 0, 0, 0, 97)),
        chip_id=CHIP[:8].ljust(64, b"\0"),
        vectors=(0x3F, 0x7F),
    ),
)
VLEK = Forge(
    Leaf(role="vlek", product="Milan", hwid=None, csp_id="CN=cloud.example"),
    Body(version=3, cpuid=bytes((0x19, 1, 1)), flags=4, chip_id=bytes(64)),
)
