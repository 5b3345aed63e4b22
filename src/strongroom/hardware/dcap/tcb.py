# SPDX-License-Identifier: Apache-2.0
"""How up to date a platform is, by Intel's TCB documents; decided anew each time."""

from collections.abc import Sequence

from strongroom.core.rats import Tcb
from strongroom.hardware.dcap.documents import Level, TcbInfo
from strongroom.hardware.dcap.pck import PckTcb
from strongroom.hardware.refusal import refuse

OUT_OF_DATE, UP_TO_DATE = "OutOfDate", "UpToDate"
OUT_OF_DATE_CONFIGURATION = "OutOfDateConfigurationNeeded"
REVOKED = "Revoked"
_WORSE = {
    UP_TO_DATE: OUT_OF_DATE,
    "SWHardeningNeeded": OUT_OF_DATE,
    "ConfigurationNeeded": OUT_OF_DATE_CONFIGURATION,
    "ConfigurationAndSWHardeningNeeded": OUT_OF_DATE_CONFIGURATION,
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
        got=f"components {list(pck.components)} with PCE SVN {pck.pce_svn}"
        + ("" if tdx_svns is None else f" and TEE_TCB_SVN {tdx_svns.hex()}"),
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


def converge(platform: Level, *others: Level | None) -> Tcb:
    """Return one status of a platform and its parts, with all advisories.

    The date is the oldest. A part that is revoked revokes the whole; a part with any
    other status than UpToDate counts as out of date.
    """
    status, date = platform.status, platform.date
    advisories = dict.fromkeys(platform.advisories)
    for other in filter(None, others):
        advisories |= dict.fromkeys(other.advisories)
        date = min(date, other.date)
        if other.status == REVOKED:
            status = REVOKED
        elif other.status != UP_TO_DATE and status != REVOKED:
            status = _WORSE.get(status, status)
    return Tcb(status, tuple(advisories), date)
