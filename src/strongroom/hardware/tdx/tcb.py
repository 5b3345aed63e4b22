# SPDX-License-Identifier: Apache-2.0
"""How up to date a trust domain is: its platform, its TDX module, its quoting enclave.

As in Intel's library for quote verification (2026, EvaluateTcb and TDRelaunchCheck):
what the TD was launched with is judged, and, where the report of the TD says what the
platform has now, that too. If that alone is up to date, the TD had better be launched
again: the module was replaced under it, and it has run with the old one.
"""

from dataclasses import replace

from strongroom.core.rats import Tcb
from strongroom.hardware.dcap.documents import Level, ModuleIdentity, TcbInfo
from strongroom.hardware.dcap.envelope import Envelope
from strongroom.hardware.dcap.tcb import (
    OUT_OF_DATE,
    OUT_OF_DATE_CONFIGURATION,
    REVOKED,
    UP_TO_DATE,
    converge,
    platform_level,
    svn_level,
)
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tdx.abi import KIND, TdBody

_CONFIGURATION = frozenset(
    (
        "ConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded",
        OUT_OF_DATE_CONFIGURATION,
    )
)
_BEHIND = frozenset((OUT_OF_DATE, OUT_OF_DATE_CONFIGURATION))
_CURRENT = frozenset((UP_TO_DATE, "SWHardeningNeeded", *_CONFIGURATION)) - _BEHIND


def check_module(info: TcbInfo, body: TdBody) -> None:
    """Refuse a TD whose module is none that Intel knows.

    Its signer is the one that Intel names for its version, and it has no attributes.

    Raises:
        Untrusted: `collateral_mismatch`.
    """
    module = _module(info, body.values["tee_tcb_svn"][1])
    attributes = body.values["seam_attributes"]
    if (
        module.mr_signer != body.values["mr_signer_seam"]
        or module.attributes != attributes
        or any(attributes)
    ):
        raise _unknown("the module that Intel describes", "other signer or attributes")


def judge(envelope: Envelope, body: TdBody) -> Tcb:
    """Return the TCB status of a TD whose quote holds.

    Raises:
        Untrusted: `tcb_out_of_date`: below every level that Intel lists;
            `collateral_mismatch`: a module of a version that Intel does not list.
    """
    launched = _evaluate(envelope, body.values["tee_tcb_svn"])
    svn = body.values.get("tee_tcb_svn2", body.values["tee_tcb_svn"])
    if svn == body.values["tee_tcb_svn"]:
        return launched
    return relaunch(launched, _evaluate(envelope, svn).status)


def relaunch(launched: Tcb, current: str) -> Tcb:
    """Return `launched`, or the advice to launch again where only it is behind.

    Beyond what Intel's library does, a TD that now runs on what is revoked is revoked.
    """
    if current == REVOKED:
        return replace(launched, status=REVOKED)
    if launched.status not in _BEHIND or current not in _CURRENT:
        return launched
    configure = not _CONFIGURATION.isdisjoint((launched.status, current))
    advice = "TDRelaunchAdvised" + ("ConfigurationNeeded" if configure else "")
    return replace(launched, status=advice)


def _evaluate(envelope: Envelope, svns: bytes) -> Tcb:
    info = envelope.documents.tcb_info
    level = platform_level(KIND, info, envelope.pck.tcb, svns)
    return converge(level, _module_level(info, svns), envelope.qe_level)


def _module_level(info: TcbInfo, svns: bytes) -> Level | None:
    """Return the level of a module that has a version; the platform's holds others."""
    svn, version = svns[:2]
    if not version:
        return None
    return svn_level(KIND, "tdx_module", _module(info, version).levels, svn)


def _module(info: TcbInfo, version: int) -> ModuleIdentity:
    name = f"TDX_{version:02X}" if version else "TDX"
    found = info.modules.get(name)
    if found is None:
        raise _unknown("a module that Intel lists", name)
    return found


def _unknown(expected: str, got: str) -> Exception:
    return refuse(KIND, "collateral_mismatch", "tdx_module", expected=expected, got=got)
