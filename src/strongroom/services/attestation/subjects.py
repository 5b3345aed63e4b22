# SPDX-License-Identifier: Apache-2.0
"""Which platform evidence comes from, and which one an endorsement is for.

A store holds endorsements of many platforms: TCB info by FMSPC, VCEKs by chip. The
subject only selects among what the verifier trusts already; nothing is believed of
it, and a wrong one leads to a refusal.
"""

import json

from strongroom.core.codec.layout import NOT_LAID_OUT
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareEvidence
from strongroom.errors import Malformed

_PEM, _PEM_END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_SGX_EXTENSION = "1.2.840.113741.1.13.1"
_FMSPC = bytes.fromhex("060a2a864886f84d010d0104") + b"\x04\x06"
"""DER of the OID 1.2.840.113741.1.13.1.4 and the head of its value of 6 bytes."""
_FMSPC_BYTES = 6
_HWID = "1.3.6.1.4.1.3704.1.4"
_CHIP_ID = slice(0x1A0, 0x1E0)
"""CHIP_ID of an attestation report (AMD 56860, table "ATTESTATION_REPORT")."""


def evidence_subject(evidence: HardwareEvidence) -> str:
    """Return the platform that UNVERIFIED evidence names, or "" where it is open."""
    match evidence.kind:
        case "sgx" | "tdx":
            return _fmspc_of_quote(evidence.parts.get("quote", b""))
        case "az-tdx-vtpm":
            return _fmspc_of_quote(evidence.parts.get("td_quote", b""))
        case "ra-tls":
            return _fmspc_of_quote(_der(evidence.parts.get("certificate", b"")))
        case "sev-snp":
            return _chip(evidence.parts.get("report", b"")[_CHIP_ID])
        case _:
            return ""


def document_subject(role: str, data: bytes) -> str:
    """Return the platform that an endorsement is for, or "" where it is for any.

    Raises:
        Malformed: not a document of that role.
    """
    match role:
        case "tcb_info":
            return _fmspc_of_tcb_info(data)
        case "vcek":
            return _chip_of_vcek(data)
        case _:
            return ""


def _der(certificate: bytes) -> bytes:
    try:
        return Certificate.read(certificate).der
    except Malformed:
        return b""


def _fmspc_of_quote(quote: bytes) -> str:
    """Find the PCK certificate, which is the first that a quote carries.

    What stands before and after the quote does not matter.
    """
    start = quote.find(_PEM)
    end = quote.find(_PEM_END, start) + len(_PEM_END)
    if start < 0 or end < start:
        return ""
    try:
        pck = Certificate.read(quote[start:end])
    except Malformed:
        return ""
    values = pck.extension(_SGX_EXTENSION) or b""
    place = values.find(_FMSPC) + len(_FMSPC)
    if place < len(_FMSPC):
        return ""
    return f"fmspc:{values[place : place + _FMSPC_BYTES].hex()}"


def _fmspc_of_tcb_info(data: bytes) -> str:
    try:
        value = json.loads(data)
        return f"fmspc:{value.get('tcbInfo', value)['fmspc'].lower()}"
    except NOT_LAID_OUT as error:
        message = "this is no TCB info of Intel's service"
        raise Malformed(message) from error


def _chip_of_vcek(data: bytes) -> str:
    value = Certificate.read(data).extension(_HWID)
    if value is None:
        return ""
    wrapped = value[:1] == b"\x04" and len(value) > 1 and value[1] == len(value) - 2
    return _chip(value[2:] if wrapped else value)


def _chip(value: bytes) -> str:
    """Return a chip by its id; shorter ids stand in front of zeros in a report."""
    return f"chip:{value.rstrip(bytes(1)).hex()}" if any(value) else ""
