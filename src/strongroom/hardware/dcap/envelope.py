# SPDX-License-Identifier: Apache-2.0
"""The signatures of an Intel quote: PCK over QE, QE over key, key over quote."""

from hashlib import sha256
from typing import NamedTuple

from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.rats import Trust
from strongroom.hardware.chain import check_key
from strongroom.hardware.dcap.collateral import Documents, Pck, documents, pck_of
from strongroom.hardware.dcap.documents import Level, QeIdentity, TcbInfo
from strongroom.hardware.dcap.pck import PckTcb
from strongroom.hardware.dcap.quote import Quote
from strongroom.hardware.dcap.report import EnclaveReport
from strongroom.hardware.dcap.tcb import svn_level
from strongroom.hardware.refusal import refuse

_HASH_BYTES = 32


class Envelope(NamedTuple):
    """What a quote whose signatures hold rests on."""

    documents: Documents
    pck: Pck
    qe_level: Level


def verify_envelope(
    kind: str, tee: str, quote: Quote, trust: Trust, now: int
) -> Envelope:
    """Return what the quote rests on, once all of it holds.

    1. The PCK chain leads to a root and nothing of it is revoked.
    2. The PCK signed the quoting enclave's report.
    3. That report holds the digest of the attestation key.
    4. The attestation key signed header and body.
    5. TCB info and QE identity are Intel's, current, and of this TEE.
    6. TCB info is of this processor family.
    7. The quoting enclave is the one that the identity describes.

    Raises:
        Untrusted, Stale, Malformed: the rule says which.
    """
    signature = quote.signature
    # 1
    pck = pck_of(kind, signature, trust, now)
    # 2
    key = pck.certificate.public_key
    if not key.signed_raw(signature.qe_report_signature, signature.qe_report, "sha256"):
        raise _unsigned(kind, "qe_report", "the platform's PCK")
    # 3
    report = EnclaveReport.parse(signature.qe_report)
    bound = sha256(signature.attestation_key + signature.qe_authentication_data)
    if report.report_data != bound.digest() + bytes(_HASH_BYTES):
        raise _unsigned(kind, "attestation_key", "the quoting enclave")
    # 4
    attestation = ForeignKey.from_point("P-256", signature.attestation_key)
    if not attestation.signed_raw(signature.signature, quote.signed, "sha256"):
        raise _unsigned(kind, "quote", "the attestation key")
    check_key(kind, "attestation_key", attestation.spki, trust)
    # 5
    found = documents(kind, tee, trust, now)
    # 6
    info = found.tcb_info
    if (info.fmspc, info.pce_id) != (pck.tcb.fmspc, pck.tcb.pce_id):
        raise refuse(
            kind,
            "collateral_mismatch",
            "fmspc",
            expected=f"TCB info of {_family(pck.tcb)}",
            got=_family(info),
        )
    # 7
    _check_identity(kind, report, found.qe_identity)
    levels = found.qe_identity.levels
    return Envelope(found, pck, svn_level(kind, "qe", levels, report.isv_svn))


def _family(of: PckTcb | TcbInfo) -> str:
    return f"FMSPC {of.fmspc.hex()} and PCE {of.pce_id.hex()}"


def _check_identity(kind: str, report: EnclaveReport, identity: QeIdentity) -> None:
    said = (
        _masked(report.misc_select, identity.misc_mask),
        _masked(report.attributes, identity.attributes_mask),
        report.mr_signer,
        report.isv_prod_id,
    )
    wanted = (
        identity.misc_select,
        identity.attributes,
        identity.mr_signer,
        identity.isv_prod_id,
    )
    if said != wanted:
        raise refuse(
            kind,
            "collateral_mismatch",
            "qe_identity",
            expected="the quoting enclave that Intel's identity describes",
            got=f"one signed by {report.mr_signer.hex()[:16]}",
        )


def _masked(value: bytes, mask: bytes) -> bytes:
    if len(mask) != len(value):
        return b""
    both = int.from_bytes(value, "big") & int.from_bytes(mask, "big")
    return both.to_bytes(len(value), "big")


def _unsigned(kind: str, what: str, signer: str) -> Exception:
    return refuse(
        kind, "signature", what, expected=f"a signature of {signer}", got="another"
    )
