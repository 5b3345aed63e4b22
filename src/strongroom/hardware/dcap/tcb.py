# SPDX-License-Identifier: Apache-2.0
"""How up to date a platform is, by Intel's TCB documents; decided anew each time."""

from collections.abc import Sequence

from strongroom.core.rats import Tcb
from strongroom.hardware.dcap.documents import Level, ModuleIdentity, TcbInfo
from strongroom.hardware.dcap.pck import PckTcb
from strongroom.hardware.refusal import refuse

_OUT_OF_DATE, _REVOKED, _UP_TO_DATE = "OutOfDate", "Revoked", "UpToDate"
_WORSE = {
    _UP_TO_DATE: _OUT_OF_DATE,
    "SWHardeningNeeded": _OUT_OF_DATE,
    "ConfigurationNeeded": "OutOfDateConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded": "OutOfDateConfigurationNeeded",
}
"""What a platform's status becomes where a part of it is out of date."""


def platform_level(
    kind: str, info: TcbInfo, pck: PckTcb, tdx_svns: bytes | None
) -> Level:
    """Return the first TCB level that the platform reaches.

    Args:
        kind: of the evidence, for rule ids.
        info: the TCB info of the platform's family.
        pck: of the PCK certificate.
        tdx_svns: TEE_TCB_SVN of a TD, or None for SGX. Its first two components are
            the TDX module's own where that has a version, and then judged apart.

    Raises:
        Untrusted: `tcb_out_of_date`: below every level.
    """
    first = 2 if tdx_svns is not None and tdx_svns[1] else 0
    for level in info.levels:
        if (
            pck.pce_svn >= level.svn
            and all(map(int.__ge__, pck.components, level.sgx))
            and (
                tdx_svns is None
                or (
                    len(level.tdx) == len(tdx_svns)
                    and all(map(int.__ge__, tdx_svns[first:], level.tdx[first:]))
                )
            )
        ):
            return level
    raise refuse(
        kind,
        "tcb_out_of_date",
        "platform",
        expected="a TCB level that Intel lists",
        got=f"components {list(pck.components)} with PCE SVN {pck.pce_svn}",
        remedy="Update the platform's firmware and microcode, then attest again.",
    )


def svn_level(kind: str, what: str, levels: Sequence[Level], svn: int) -> Level:
    """Return the first level of an enclave or module that `svn` reaches.

    Raises:
        Untrusted: `tcb_out_of_date`: below every level.
    """
    found = next((each for each in levels if svn >= each.svn), None)
    if found is None:
        raise refuse(
            kind,
            "tcb_out_of_date",
            what,
            expected=f"an SVN of at least {min((e.svn for e in levels), default=0)}",
            got=str(svn),
            remedy="Update the platform's software, then attest again.",
        )
    return found


def module_level(
    kind: str, info: TcbInfo, tcb_svn: bytes, signer: bytes, attributes: bytes
) -> Level | None:
    """Return the level of a TD's module, once it is one that Intel knows.

    Raises:
        Untrusted: `collateral_mismatch`: another module; `tcb_out_of_date`.
    """
    name = f"TDX_{tcb_svn[1]:02X}" if tcb_svn[1] else "TDX"
    module = info.modules.get(name)
    if module is None or not _is_module(module, signer, attributes):
        raise refuse(
            kind,
            "collateral_mismatch",
            "tdx_module",
            expected=f"a module {name} of Intel's",
            got="an unknown one" if module is None else "another signer or attributes",
        )
    if not tcb_svn[1]:
        return None
    return svn_level(kind, "tdx_module", module.levels, tcb_svn[0])


def converge(platform: Level, *others: Level | None) -> Tcb:
    """Return one status of a platform and its parts, with all advisories.

    The date is the oldest. A part that is revoked revokes the whole.
    """
    status, levels = platform.status, [platform]
    for other in filter(None, others):
        levels.append(other)
        if other.status == _REVOKED:
            status = _REVOKED
        elif other.status != _UP_TO_DATE and status != _REVOKED:
            status = _WORSE.get(status, status)
    advisories = dict.fromkeys(name for each in levels for name in each.advisories)
    return Tcb(status, tuple(advisories), min(each.date for each in levels))


def _is_module(module: ModuleIdentity, signer: bytes, attributes: bytes) -> bool:
    masked = bytes(a & m for a, m in zip(attributes, module.mask, strict=False))
    return (
        module.mr_signer == signer
        and len(module.mask) == len(attributes)
        and masked == module.attributes
    )
