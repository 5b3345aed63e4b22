# SPDX-License-Identifier: Apache-2.0
"""Verify quotes of TDX domains: authenticity, never expectation."""

from collections.abc import Mapping

from strongroom.core.rats import HardwareClaims, HardwareEvidence, LoggedEvent, Trust
from strongroom.core.rats.claims import vouch
from strongroom.errors import Malformed
from strongroom.hardware.dcap.envelope import verify_envelope
from strongroom.hardware.dcap.quote import TDX_TEE, Quote
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tcg.event_log import parse_event_log, rtmr
from strongroom.hardware.tcg.measured_boot import check_data
from strongroom.hardware.tdx.abi import KIND, RTMRS, TdBody
from strongroom.hardware.tdx.ccel_table import check_table
from strongroom.hardware.tdx.runtime_log import read_runtime_log, replay
from strongroom.hardware.tdx.tcb import check_module, judge

_NOT_PROVEN = (
    "which program runs in the guest, unless a measured boot leads to it",
    "that the host answers, or answers in time",
)
_TABLE = "event_log_acpi_table"
_NO_LOG = "what RTMR 0 to 3 stand for: no event log was given"
_DIGEST_BYTES = 48


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what a TD's quote says, known to be Intel hardware's own word.

    Parts: `quote` (version 4, or 5 with a body of TDX 1.0, 1.5 or 1.5 extended);
    `event_log` (CCEL), perhaps with the `event_log_acpi_table` that points to it, or
    `runtime_event_log` (JSON), optional.
    Endorsements: as of "sgx", with the documents for TDX.

    1. Parse the quote; it is of a TD.
    2. Its signatures, chains and documents hold (dcap.envelope, steps 1 to 7).
    3. The TDX module is one that Intel knows.
    4. The TCB status is worked out of platform, module and quoting enclave; of a TD
       that is behind on a platform that no longer is, it is TDRelaunchAdvised.
    5. An event log that is given leads to RTMR 0 to 3, each of them, and does not
       contradict itself.

    Not checked: report data, debug, TCB status, any measurement, migration and other
    attributes, service TDs. That is appraisal.

    Raises:
        Malformed: step 1, or an endorsement that is not one.
        Untrusted: steps 2, 3 and 5; a TCB below every level that Intel lists.
        Stale: a certificate, list or document out of its time.
    """
    # 1
    quote = Quote.parse(evidence.part("quote"), "TDX quote")
    if quote.tee_type != TDX_TEE:
        raise refuse(
            KIND,
            "format",
            "quote",
            expected="a quote of a TD",
            got=f"TEE type {quote.tee_type:#x}",
        )
    body = TdBody.parse(quote.body)
    values = body.values
    # 2
    envelope = verify_envelope(KIND, "TDX", quote, trust, now)
    # 3
    info, pck = envelope.documents.tcb_info, envelope.pck
    check_module(info, body)
    # 4
    tcb = judge(envelope, body)
    # 5
    events = _events(evidence.parts, values)
    fields = quote.header_fields() | body.fields()
    if quote.version == 5:  # noqa: PLR2004 - the version that names its body
        fields["body_type"] = quote.body_type
    fields |= {
        "debug": body.debug,
        "fmspc": pck.tcb.fmspc.hex(),
        "pck_ca": pck.authority,
    }
    return HardwareClaims(
        kind=KIND,
        format=f"TDX quote v{quote.version}",
        device=b"",
        bound=values["report_data"],
        bound_as="report_data",
        debug=body.debug,
        measurements=body.measurements(),
        tcb=tcb,
        fields=fields,
        events=events,
        not_proven=_NOT_PROVEN if events else (*_NOT_PROVEN, _NO_LOG),
        proof=vouch(),
    )


def _events(
    parts: Mapping[str, bytes], values: Mapping[str, bytes]
) -> tuple[LoggedEvent, ...]:
    """Return the events of the logs that are given; each log leads to the registers."""
    events: tuple[LoggedEvent, ...] = ()
    if "event_log" in parts:
        try:
            if _TABLE in parts:
                check_table(parts[_TABLE], parts["event_log"])
            log = parse_event_log(parts["event_log"], "CCEL")
            found = log.replay("sha384")
            events = log.events("sha384", rtmr)
            odd = log.contradiction("sha384", rtmr)
        except Malformed as error:
            raise _misleading("log", error.message) from error
        _check_replay({rtmr(n) or "": value for n, value in found.items()}, values)
        check_data(KIND, odd)
    if "runtime_event_log" in parts:
        try:
            events = read_runtime_log(parts["runtime_event_log"])
        except Malformed as error:
            raise _misleading("runtime_log", error.message) from error
        _check_replay(replay(events), values)
    return events


def _check_replay(replayed: Mapping[str, bytes], values: Mapping[str, bytes]) -> None:
    for name in RTMRS:
        value = replayed.get(name, bytes(_DIGEST_BYTES))
        if value != values[name]:
            raise _misleading(
                name, f"one that leads to {value.hex()[:16]}", values[name]
            )


def _misleading(what: str, got: str, wanted: bytes = b"") -> Exception:
    expected = f"an event log that leads to {wanted.hex()[:16] or 'RTMR 0 to 3'}"
    return refuse(KIND, "event_log", what, expected=expected, got=got)
