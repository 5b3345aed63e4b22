# SPDX-License-Identifier: Apache-2.0
"""A forge of Intel quotes: a whole PKI with fresh keys, documents, and quotes of it."""

import json
import struct
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Endorsements, HardwareEvidence
from tests.hardware.pki import DAY, NOW, Authority

FMSPC, PCE_ID = bytes.fromhex("00a067110000"), bytes(2)
SVNS, PCE_SVN = (5,) * 16, 11
QE_SIGNER, MODULE_SIGNER = b"\x8c" * 32, bytes(48)
INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
AUTH = bytes(range(32))
SEPT_VE_DISABLE = 1 << 28
_SGX_OID = bytes.fromhex("2a864886f84d010d01")
MODULE = {
    "mrsigner": MODULE_SIGNER.hex(),
    "attributes": "00" * 8,
    "attributesMask": "ff" * 8,
}
_BODY_SIZE = {1: 384, 2: 584, 3: 648, 4: 885}


def der(tag: int, body: bytes) -> bytes:
    """Return one DER item of at most 64 KiB."""
    size = len(body)
    long = b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + (bytes([size]) if size < 128 else long) + body


def pair(*path: int, value: bytes) -> bytes:
    """Return an (object id, value) pair below Intel's own id."""
    return der(0x30, der(6, _SGX_OID + bytes(path)) + value)


def pck_extension(svns: tuple[int, ...] = SVNS, pce_svn: int = PCE_SVN) -> bytes:
    """Return the SGX extension of a PCK certificate."""
    tcb = b"".join(
        pair(2, n, value=der(2, bytes([svn])))
        for n, svn in enumerate((*svns, pce_svn), 1)
    )
    tcb += pair(2, 18, value=der(4, bytes(svns)))
    return der(
        0x30,
        pair(1, value=der(4, b"p" * 16))
        + pair(2, value=der(0x30, tcb))
        + pair(3, value=der(4, PCE_ID))
        + pair(4, value=der(4, FMSPC))
        + pair(5, value=der(10, b"\1")),
    )


def raw(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return r and s of a signature."""
    halves = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return b"".join(each.to_bytes(32, "big") for each in halves)


def report(  # noqa: PLR0913 - what an enclave may vary in
    signer: bytes,
    report_data: bytes,
    attributes: int = 1,
    *,
    misc: int = 0,
    product: int = 1,
    svn: int = 8,
    kss: bytes = b"",
) -> bytes:
    """Return an enclave report; `kss` fills the fields of key separation."""
    return struct.pack(
        "<16sI12x16s16s32s32x32s32x64sHHH42x16s64s",
        b"\x05" * 16,
        misc,
        kss[:16],
        attributes.to_bytes(16, "little"),
        b"\x42" * 32,
        signer,
        kss,
        product,
        svn,
        0,
        kss[:16],
        report_data,
    )


def time(seconds: int) -> str:
    """Return a time as Intel writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Enclave:
    """The quoting enclave; `svn` is judged by the levels of its identity."""

    signer: bytes = QE_SIGNER
    attributes: int = 1
    misc: int = 0
    product: int = 1
    svn: int = 8
    report_data: bytes | None = None
    authentication: bytes = AUTH


@dataclass(frozen=True)
class Td:
    """What a trust domain's report says beside its report data."""

    svn: bytes = bytes((3, 0)).ljust(16, b"\0")
    svn_now: bytes = bytes((3, 0)).ljust(16, b"\0")
    signer: bytes = MODULE_SIGNER
    module_attributes: bytes = bytes(8)
    attributes: int = SEPT_VE_DISABLE
    service_td: bytes = bytes(48)
    rtmrs: bytes = bytes(48 * 4)

    def body(self, body_type: int, report_data: bytes, *, debug: bool) -> bytes:
        """Return the report."""
        attributes = (self.attributes | debug).to_bytes(8, "little")
        head = self.svn + bytes(48) + self.signer + self.module_attributes
        middle = attributes + bytes(8) + b"\x42" * 48 + bytes(48 * 3)
        whole = head + middle + self.rtmrs + report_data
        whole += self.svn_now + self.service_td + bytes(237)
        return whole[: _BODY_SIZE[body_type]]


@dataclass
class IntelWorld:
    """Everything that Intel and one platform have; fields may be changed by a test."""

    tee: str = "sgx"
    version: int = 3
    body_type: int = 1
    debug: bool = False
    status: str = "UpToDate"
    report_data: bytes = b"r" * 64
    kss: bytes = b""
    svns: tuple[int, ...] = SVNS
    pce_svn: int = PCE_SVN
    qe: Enclave = field(default_factory=Enclave)
    td: Td = field(default_factory=Td)
    fmspc_said: bytes = FMSPC
    qe_signer_said: bytes = QE_SIGNER
    next_update: int = NOW + DAY
    certification_type: int = 5
    vendor: bytes = INTEL_QE
    key_type: int = 2
    info: dict[str, object] = field(default_factory=dict)
    identified: dict[str, object] = field(default_factory=dict)
    chain: str = "pck platform root"
    padding: bytes = b""
    root: Authority = field(default_factory=lambda: Authority("SGX Root CA"))
    platform: Authority = field(init=False)
    signing: Authority = field(init=False)
    pck: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.platform = Authority("SGX PCK Platform CA", self.root)
        self.signing = Authority("SGX TCB Signing", self.root, ca=False)
        extension = {"1.2.840.113741.1.13.1": pck_extension(self.svns, self.pce_svn)}
        self.pck = Authority("PCK", self.platform, ca=False, extensions=extension)

    def quote(self) -> bytes:
        """Return a quote."""
        key = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )[1:]
        signed = self._header() + self._body()
        inner = self._certification(point)
        if self.version > 3:
            inner = struct.pack("<HI", 6, len(inner)) + inner
        data = raw(key, signed) + point + inner
        return signed + struct.pack("<I", len(data)) + data

    def _header(self) -> bytes:
        tee_type = 0x81 if self.tee == "tdx" else 0
        header = struct.pack(
            "<HHIHH16s20s",
            self.version,
            self.key_type,
            tee_type,
            0,
            0,
            self.vendor,
            bytes(20),
        )
        if self.version == 5:
            header += struct.pack("<HI", self.body_type, _BODY_SIZE[self.body_type])
        return header

    def _body(self) -> bytes:
        if self.body_type == 1:
            attributes = 3 if self.debug else 1
            return report(b"\x24" * 32, self.report_data, attributes, kss=self.kss)
        return self.td.body(self.body_type, self.report_data, debug=self.debug)

    def _certification(self, point: bytes) -> bytes:
        """Return the quoting enclave's report and what vouches for it."""
        auth = self.qe.authentication
        bound = sha256(point + auth).digest() + bytes(32)
        qe = report(
            self.qe.signer,
            bound if self.qe.report_data is None else self.qe.report_data,
            self.qe.attributes,
            misc=self.qe.misc,
            product=self.qe.product,
            svn=self.qe.svn,
        )
        chain = pem(*(getattr(self, name) for name in self.chain.split()))
        chain += self.padding
        data = qe + raw(self.pck.key, qe) + struct.pack("<H", len(auth)) + auth
        return data + struct.pack("<HI", self.certification_type, len(chain)) + chain

    def evidence(self) -> HardwareEvidence:
        """Return the quote as evidence."""
        return HardwareEvidence(self.tee, {"quote": self.quote()})

    def endorsements(self, *revoked: Certificate) -> Endorsements:
        """Return what a verifier needs; `revoked` are in their issuers' lists."""
        chain = pem(self.signing, self.root)
        lists = [each.revocations(*revoked).der for each in (self.platform, self.root)]
        return Endorsements(
            (self.root.certificate.der,),
            (),
            {
                "tcb_info": (self.signed("tcbInfo", self.tcb_info()),),
                "tcb_info_issuer_chain": (chain,),
                "qe_identity": (self.signed("enclaveIdentity", self.identity()),),
                "qe_identity_issuer_chain": (chain,),
                "pck_crl": (lists[0],),
                "pck_crl_issuer_chain": (pem(self.platform, self.root),),
                "root_ca_crl": (lists[1],),
            },
        )

    def signed(self, name: str, value: dict[str, object]) -> bytes:
        """Return a document as Intel's service gives it."""
        inner = json.dumps(value, separators=(",", ":"))
        signature = raw(self.signing.key, inner.encode()).hex()
        return f'{{"{name}":{inner},"signature":"{signature}"}}'.encode()

    def tcb_info(self) -> dict[str, object]:
        """Return a TCB info of two levels: the platform's status, and one below."""
        sgx = [{"svn": each} for each in SVNS]
        tdx = [{"svn": 0}] * 16
        low = {"sgxtcbcomponents": [{"svn": 0}] * 16, "pcesvn": 0}
        high = {"sgxtcbcomponents": sgx, "pcesvn": PCE_SVN}
        return {
            "id": self.tee.upper(),
            "version": 3,
            "issueDate": time(NOW - DAY),
            "nextUpdate": time(self.next_update),
            "fmspc": self.fmspc_said.hex(),
            "pceId": PCE_ID.hex(),
            "tcbType": 0,
            "tcbEvaluationDataNumber": 20,
            "tcbLevels": [
                level({**high, "tdxtcbcomponents": tdx}, self.status),
                level({**low, "tdxtcbcomponents": tdx}, "OutOfDate"),
            ],
            **({"tdxModule": MODULE} if self.tee == "tdx" else {}),
            **self.info,
        }

    def identity(self) -> dict[str, object]:
        """Return a QE identity."""
        return {
            "id": "TD_QE" if self.tee == "tdx" else "QE",
            "version": 2,
            "issueDate": time(NOW - DAY),
            "nextUpdate": time(self.next_update),
            "tcbEvaluationDataNumber": 20,
            "miscselect": "00" * 4,
            "miscselectMask": "ff" * 4,
            "attributes": "01" + "00" * 15,
            "attributesMask": "ff" * 16,
            "mrsigner": self.qe_signer_said.hex(),
            "isvprodid": 1,
            "tcbLevels": [level({"isvsvn": 8}, "UpToDate")],
            **self.identified,
        }


def level(
    tcb: dict[str, object], status: str, advisory: str = "INTEL-SA-00001"
) -> dict[str, object]:
    """Return one TCB level."""
    return {
        "tcb": tcb,
        "tcbDate": time(NOW - DAY),
        "tcbStatus": status,
        "advisoryIDs": [] if status == "UpToDate" else [advisory],
    }


def svn_levels(advisory: str, **statuses: str) -> list[dict[str, object]]:
    """Return levels of an enclave or a module; `_8="UpToDate"` is one."""
    return [
        level({"isvsvn": int(svn[1:])}, status, advisory)
        for svn, status in statuses.items()
    ]


def at(*svns: int) -> bytes:
    """Return a TEE_TCB_SVN that begins so: the module's SVN, its version, the rest."""
    return bytes(svns).ljust(16, b"\0")


def module(version: int, **statuses: str) -> dict[str, object]:
    """Return the identity of a TDX module with a version."""
    levels = svn_levels("INTEL-SA-00003", **statuses)
    return {"id": f"TDX_{version:02X}", **MODULE, "tcbLevels": levels}


def pem(*authorities: Authority) -> bytes:
    """Return certificates in PEM, leaf first."""
    return b"".join(
        each.certificate._x509.public_bytes(Encoding.PEM) for each in authorities
    )


KINDS = {
    "sgx v3": IntelWorld(),
    "tdx v4": IntelWorld(tee="tdx", version=4, body_type=2),
    "tdx v5, 1.0": IntelWorld(tee="tdx", version=5, body_type=2),
    "tdx v5, 1.5": IntelWorld(tee="tdx", version=5, body_type=3),
    "tdx v5, 1.5 extended": IntelWorld(tee="tdx", version=5, body_type=4),
    "sgx v4": IntelWorld(version=4),
    "sgx v5": IntelWorld(version=5),
}


def world(name: str, **changes: object) -> IntelWorld:
    """Return a world of a kind with fields changed and fresh keys."""
    return replace(KINDS[name], **changes)  # type: ignore[arg-type]  # tests vary any
