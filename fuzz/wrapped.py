# SPDX-License-Identifier: Apache-2.0
"""Parsers of hardware that take more than bytes, as functions of bytes.

Where a parser wants a choice beside its bytes, the first byte makes it.
"""

from typing import TypeVar

from cryptography.x509 import load_der_x509_certificate

from strongroom.core.crypto import der
from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.extensions import Extensions, read, read_plain
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Endorsements, HardwareClaims, HardwareEvidence, Trust
from strongroom.hardware import chain
from strongroom.hardware.dcap.documents import QeIdentity, TcbInfo, read_signed
from strongroom.hardware.dcap.pck import PckTcb
from strongroom.hardware.dcap.report import EnclaveReport
from strongroom.hardware.nvidia_gpu.collateral import Device
from strongroom.hardware.ra_tls.abi import EXTENSIONS, Carried, carried
from strongroom.hardware.sev_snp.collateral import EndorsementKey
from strongroom.hardware.sev_snp.tcb import PRODUCTS, TcbVersion
from strongroom.hardware.tcg import events
from strongroom.hardware.tcg.event_data import measured_bytes, text_of
from strongroom.hardware.tcg.signature import TPMT_SIGNATURE, Signature
from strongroom.hardware.tdx.abi import TdBody
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.subjects import evidence_subject

FORMATS = (
    TPMT_SIGNATURE,
    "ecdsa-sha256-der",
    "raw RSASSA-PKCS1v1.5 SHA-256",
    "raw RSASSA-PSS SHA-384",
    "sm2-sm3-raw",
)
EVENTS = tuple(n for n in vars(events).values() if isinstance(n, int))
_T = TypeVar("_T")
_NOW = 1_750_000_000
_REPORT_BYTES, _TD_BYTES, _NEW_TD_BYTES, _TCB_BYTES = 384, 584, 648, 8


def tcb_info(data: bytes) -> TcbInfo:
    """Read a TCB info with its envelope."""
    return TcbInfo.parse(read_signed(data, "tcbInfo").value)


def qe_identity(data: bytes) -> QeIdentity:
    """Read a QE identity with its envelope."""
    return QeIdentity.parse(read_signed(data, "enclaveIdentity").value)


def pck(data: bytes) -> PckTcb:
    """Read what a PCK certificate says of its processor."""
    return PckTcb.parse(Certificate.read(data))


def certificate(data: bytes) -> Certificate:
    """Read a certificate, and compare it with itself."""
    found = Certificate.read(data)
    found.is_signed_by(found)
    found.extension("1.2.3")
    return found


def extensions(data: bytes) -> Extensions | None:
    """Read a certificate's extensions; `cryptography` must have read the same."""
    Certificate.read(data)
    _, begin, end = der.sequence(data, 0, len(data))[0]
    *_, last = der.encodings(data, begin, end, 8)
    found = read_plain(last)
    if found and found != read(load_der_x509_certificate(data).extensions):
        message = "extensions are read in two ways"
        raise AssertionError(message)
    return found


def revocation_list(data: bytes) -> RevocationList:
    """Read a revocation list, and look something up in it."""
    found = RevocationList.read(data)
    found.revokes(1)
    return found


def sgx_report(data: bytes) -> EnclaveReport:
    """Read a report, of the size that its caller has counted."""
    return EnclaveReport.parse(_sized(data, _REPORT_BYTES))


def td_body(data: bytes) -> TdBody:
    """Read a TD's report, of either size that a quote can have."""
    return TdBody.parse(_sized(data[1:], _either(data, (_TD_BYTES, _NEW_TD_BYTES))))


def snp_tcb(data: bytes) -> TcbVersion:
    """Read a TCB version of any product."""
    return TcbVersion.parse(_sized(data[1:], _TCB_BYTES), _either(data, PRODUCTS))


def snp_key(data: bytes) -> EndorsementKey:
    """Read a VCEK, or a VLEK."""
    role = _either(data, ("vcek", "vlek"))
    return EndorsementKey.parse(
        Certificate.read(data[1:]), "vcek" if role == "vcek" else "vlek"
    )


def gpu_device(data: bytes) -> Device:
    """Read what a GPU's certificate says of it."""
    return Device.of(Certificate.read(data), b"")


def ra_tls_extension(data: bytes) -> Carried:
    """Read any extension of a certificate that carries evidence."""
    return Carried.parse(_either(data, EXTENSIONS), data[1:])


def ra_tls_certificate(data: bytes) -> tuple[Carried, ...]:
    """Read all of the evidence in certificates."""
    return tuple(
        found for each in Certificate.read_all(data) for found in carried(each)
    )


def tpm_signature(data: bytes) -> Signature:
    """Read a signature of a TPM, in any of the formats."""
    return Signature.parse(data[1:], _either(data, FORMATS), "signature")


def event_data(data: bytes) -> tuple[str, list[bytes]]:
    """Say what an event's data is, by the type of the event."""
    kind, rest = _either(data, EVENTS), data[1:]
    return text_of(kind, rest), list(measured_bytes(kind, rest))


def issuer_chain(data: bytes) -> tuple[Certificate, ...]:
    """Read the certificates of an endorsement."""
    return chain.read_chain(_no_trust(), data)


def hardware_evidence(data: bytes) -> tuple[str, HardwareClaims]:
    """Judge evidence of whatever kind where nobody is trusted."""
    evidence = HardwareEvidence.from_bytes(data)
    subject = evidence_subject(evidence)
    return subject, verify_hardware(evidence, _no_trust(), now=_NOW)


def _no_trust() -> Trust:
    return Trust(Endorsements((), (), {}), remember=False)


def _either(data: bytes, among: tuple[_T, ...]) -> _T:
    return among[(data[0] if data else 0) % len(among)]


def _sized(data: bytes, size: int) -> bytes:
    return data[:size].ljust(size, b"\0")
