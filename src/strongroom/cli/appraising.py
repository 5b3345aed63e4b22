# SPDX-License-Identifier: Apache-2.0
"""`strongroom attest appraise`: a policy over hardware evidence, rule by rule."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.command import command
from strongroom.cli.desk import Desk
from strongroom.cli.errors import Refusal, finding_values
from strongroom.cli.given import At, EndorsementsOf, Given, hex_bytes, read_given
from strongroom.cli.output import Block, Facts, Grid, Line
from strongroom.cli.views import iso, short
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.core.rats.hardware_policy import HardwarePolicy
    from strongroom.errors import StrongroomError
    from strongroom.services.attestation.claim_rules import Decision
    from strongroom.services.attestation.hardware_appraise import HardwareAppraisal
    from strongroom.services.attestation.reference_rules import References

_REFUSED = 4


def add_appraise(group: typer.Typer) -> None:
    """Put the command into its group."""
    command(group, "appraise")(appraise)


def appraise(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    evidence: Annotated[
        Path, typer.Argument(help="Hardware evidence, or a case folder.")
    ],
    *,
    policy: Annotated[Path, typer.Option(help="Policy over hardware, in TOML.")],
    endorsements: EndorsementsOf = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(help="Signed set of reference values; repeatable."),
    ] = None,
    nonce: Annotated[
        str | None,
        typer.Option(help="What the evidence must have bound, in hex."),
    ] = None,
    time: At = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what every rule would decide."),
    ] = False,
) -> None:
    """Verify hardware evidence and appraise it under a policy; exit 4 if refused."""
    from strongroom.services.attestation.policy_file import (  # noqa: PLC0415
        read_policy,
    )

    rules = read_policy(policy.read_bytes())
    given = read_given(evidence, endorsements, time, desk.now())
    references = _references(reference or [], given.now)
    bound = given.bound if nonce is None else hex_bytes(nonce, "--nonce")
    if dry_run:
        _dry_run(desk, given, rules, bound, references)
        return
    found = _appraised(given, rules, bound, references)
    found.require()
    _show(desk, given, found, dry_run=False)


def _references(files: list[Path], now: int) -> "References":
    from strongroom.core.rats.reference_values import open_references  # noqa: PLC0415
    from strongroom.services.attestation.reference_rules import (  # noqa: PLC0415
        References,
    )

    return References(tuple(open_references(each.read_bytes()) for each in files), now)


def _appraised(
    given: Given,
    policy: "HardwarePolicy",
    bound: bytes | None,
    references: "References",
) -> "HardwareAppraisal":
    from strongroom.services.attestation.hardware_appraise import (  # noqa: PLC0415
        appraise_hardware,
    )

    return appraise_hardware(given.verify(), policy, bound, references)


def _dry_run(
    desk: Desk,
    given: Given,
    policy: "HardwarePolicy",
    bound: bytes | None,
    references: "References",
) -> None:
    from strongroom.errors import StrongroomError  # noqa: PLC0415

    try:
        found = _appraised(given, policy, bound, references)
    except StrongroomError as error:
        if not error.findings:
            raise
        _show_unauthentic(desk, given, policy, error)
        raise typer.Exit(error.exit_code) from error
    _show(desk, given, found, dry_run=True)
    if not found.accepted:
        raise typer.Exit(_REFUSED)


def _show_unauthentic(
    desk: Desk, given: Given, policy: "HardwarePolicy", error: "StrongroomError"
) -> None:
    value = {
        "kind": given.evidence.kind,
        "accepted": False,
        "dry_run": True,
        "findings": finding_values(error.findings),
        "decisions": [],
        "not_decided": [rule.id for rule in policy.rules],
    }
    note = say("It does not verify, so that no rule of the policy came to be asked.")
    desk.printer.show(
        value, Refusal("Refused", error.message, error.findings), Line(note)
    )


def _show(
    desk: Desk, given: Given, found: "HardwareAppraisal", *, dry_run: bool
) -> None:
    value = {
        "kind": found.kind,
        "owner": found.owner,
        "policy": found.policy_digest,
        "time": iso(given.now),
        "accepted": found.accepted,
        "dry_run": dry_run,
        "findings": finding_values(found.findings),
        "decisions": [_decision(each) for each in found.decisions],
        "unchecked": list(found.unchecked),
        "not_proven": list(found.not_proven),
    }
    verdict = (
        Line(say("The policy accepts this evidence."), "green")
        if found.accepted
        else Line(say("The policy refuses this evidence."), "red")
    )
    rows = [
        ("kind", found.kind),
        ("whose policy", found.owner),
        ("policy", short(found.policy_digest)),
        ("as at", iso(given.now)),
    ]
    blocks: list[Block] = [
        verdict,
        Facts("Appraisal", rows),
        _rules(found),
        Grid("Not checked", ("what",), [(each,) for each in found.unchecked]),
        Grid("Not proven", ("what",), [(each,) for each in found.not_proven]),
    ]
    if not found.accepted:
        blocks.append(Refusal("Refused", "", found.findings))
    desk.printer.show(value, *blocks)


def _rules(found: "HardwareAppraisal") -> Grid:
    yes, no = say("holds"), say("does not hold")
    table = [
        (each.rule, each.claim, each.expected, each.got, yes if each.holds else no)
        for each in found.decisions
    ]
    return Grid("Rules", ("rule", "claim", "expected", "got", "verdict"), table)


def _decision(each: "Decision") -> dict[str, object]:
    value = {**asdict(each), "holds": each.holds}
    del value["finding"]
    if each.reference is None:
        del value["reference"]
    return value
