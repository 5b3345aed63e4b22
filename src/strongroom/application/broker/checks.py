# SPDX-License-Identifier: Apache-2.0
"""Agreements against the state: can this one be made, may it be used now (T-1, T-2).

Both return every finding at once, in the words of the people concerned, so that a
dry run tells all that a refusal would.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from strongroom.application.broker.policy import UNSTRUCTURED, Use, evaluate
from strongroom.application.broker.state import App, Contract, State
from strongroom.application.cleanroom import Agreement
from strongroom.core.codec.bundle import EntryPoint, OutputRule
from strongroom.errors import Finding, Refused
from strongroom.management.trusted_list import Role

_OWNER = "all parties of an agreement"


def refuse(findings: list[Finding]) -> None:
    """Raise one refusal for all findings, if there are any."""
    if findings:
        raise Refused("; ".join(map(str, findings)), findings)


def narrowed(agreement: Agreement, entry: EntryPoint) -> OutputRule:
    """Return the entry point's output rule as the agreement narrows it."""
    rule = entry.output
    return replace(
        rule,
        fields=tuple(name for name in rule.fields if name in agreement.fields),
        min_group=max(rule.min_group, agreement.min_group),
    )


def agreement_findings(
    state: State, room: str, suite_id: str, agreement: Agreement, now: int
) -> list[Finding]:
    """Return why this agreement could never be used here; empty if it could."""
    findings = [
        *_setting(room, suite_id, agreement, now),
        *_members(state, agreement),
        *_signers(state, agreement),
    ]
    app = state.apps.get(agreement.app)
    if app is None:
        got = f"app {agreement.app[:16]}, which nobody has registered"
        findings.append(_finding("app", "a registered app", got))
    else:
        findings += [*_entry_points(app, agreement)]
    return findings


@dataclass(frozen=True)
class Wish:
    """One use that a party asks for; `counted` if it is already among the uses."""

    entry_point: str
    recipient: str
    counted: bool = False


def usage_findings(
    state: State, contract: Contract, wish: Wish, now: int
) -> list[Finding]:
    """Return why a party may not use an agreement now; empty if it may.

    1. The agreement: signatures, window, withdrawal, uses left.
    2. The parties are still on the trusted list, the recipient in its role (WL-1).
    3. The policy of every dataset, and of the code where it is encrypted.
    """
    agreement, entry_point = contract.agreement, wish.entry_point
    findings = [
        *_standing(state, contract, contract.uses - wish.counted, now),
        *_members(state, agreement),
        *_recipient(state, agreement, wish.recipient),
    ]
    app = state.apps.get(agreement.app)
    entry = None
    if app is not None:
        entry = app.registration.manifest.entry_point(entry_point)
    if app is None or entry is None or entry_point not in agreement.entry_points:
        named = ", ".join(agreement.entry_points)
        return [*findings, _finding("entry-point", f"one of {named}", entry_point)]
    rule = narrowed(agreement, entry)
    use = Use(
        purpose=agreement.purpose,
        app=agreement.app,
        entry_point=entry_point,
        recipient=wish.recipient,
        fields=(UNSTRUCTURED,) if rule.type == "bytes" else rule.fields,
        min_group=rule.min_group,
        now=now,
    )
    return [*findings, *_policies(state, agreement, app, use, wish)]


def _finding(rule: str, expected: str, got: str, remedy: str = "") -> Finding:
    remedy = remedy or "Propose another agreement that says so."
    return Finding(f"agreement.{rule}", _OWNER, expected, got, remedy)


def _setting(
    room: str, suite_id: str, agreement: Agreement, now: int
) -> Iterator[Finding]:
    if agreement.room != room:
        yield _finding("room", f"room {room[:16]}", f"room {agreement.room[:16]}")
    if agreement.suite != suite_id:
        yield _finding("suite", f"suite {suite_id}", f"suite {agreement.suite}")
    if now >= agreement.expires_at:
        yield _finding("expired", "an end in the future", f"{agreement.expires_at}")


def _members(state: State, agreement: Agreement) -> Iterator[Finding]:
    for party in dict.fromkeys((*agreement.signers, *agreement.recipients)):
        yield from _role(state, party, None)


def _role(state: State, party: str, role: Role | None) -> Iterator[Finding]:
    try:
        state.require(party, role)
    except Refused as error:
        yield from error.findings


def _recipient(state: State, agreement: Agreement, recipient: str) -> Iterator[Finding]:
    if recipient not in agreement.recipients:
        expected = f"a recipient: {state.names(agreement.recipients)}"
        yield _finding("recipient", expected, state.name(recipient))
    yield from _role(state, recipient, "result")


def _signers(state: State, agreement: Agreement) -> Iterator[Finding]:
    """Everyone who gives or gets something has to sign."""
    needed = dict.fromkeys(agreement.recipients, "a recipient")
    for name in agreement.datasets:
        dataset = state.datasets.get(name)
        if dataset is None:
            got = f"dataset {name[:16]}, which nobody has registered"
            yield _finding("dataset", "registered datasets", got)
        else:
            needed[dataset.registration.owner] = f"the owner of dataset {name[:16]}"
    app = state.apps.get(agreement.app)
    if app is not None:
        needed[app.registration.owner] = "the app's provider"
    for party, part in needed.items():
        if party not in agreement.signers:
            expected = f"{state.name(party)}, {part}, among the signers"
            yield _finding("signers", expected, state.names(agreement.signers))


def _entry_points(app: App, agreement: Agreement) -> Iterator[Finding]:
    manifest = app.registration.manifest
    known: set[str] = set()
    for name in agreement.entry_points:
        entry = manifest.entry_point(name)
        if entry is None:
            got = f"{name}, which {manifest.name} does not have"
            yield _finding("entry-point", "entry points of the app", got)
            continue
        known.update(entry.output.fields)
        yield from _inputs(entry, agreement)
        if agreement.min_group and not entry.output.group_column:
            got = f"{name}, which names no group column"
            yield _finding("min-group", "an app that counts its groups", got)
        if entry.output.fields and not narrowed(agreement, entry).fields:
            got = f"none of the fields of {name}"
            yield _finding("fields", "some field that may leave", got)
    extra = [name for name in agreement.fields if name not in known]
    if extra:
        expected = f"fields of the app: {', '.join(sorted(known)) or 'none'}"
        yield _finding("fields", expected, ", ".join(extra))


def _inputs(entry: EntryPoint, agreement: Agreement) -> Iterator[Finding]:
    bound = [binding.parameter for binding in agreement.inputs]
    declared = [p.name for p in entry.parameters if p.is_dataset]
    if sorted(bound) != sorted(declared):
        expected = f"datasets for {', '.join(declared) or 'nothing'} of {entry.name}"
        yield _finding("inputs", expected, ", ".join(bound) or "nothing")
        return
    many = {p.name for p in entry.parameters if p.many}
    for binding in agreement.inputs:
        count = len(binding.datasets)
        if count < 1 or (count > 1 and binding.parameter not in many):
            wanted = "one or more" if binding.parameter in many else "one"
            expected = f"{wanted} dataset for {binding.parameter}"
            yield _finding("inputs", expected, str(count))


def _standing(
    state: State, contract: Contract, uses: int, now: int
) -> Iterator[Finding]:
    agreement = contract.agreement
    if contract.withdrawn_by:
        who = state.name(contract.withdrawn_by)
        remedy = f"Talk to {who}, then propose a new agreement."
        got = f"one that {who} has withdrawn"
        yield _finding("withdrawn", "an agreement in force", got, remedy)
    if contract.missing:
        who = state.names(contract.missing)
        yield _finding(
            "signatures",
            f"the signatures of all {len(agreement.signers)} parties",
            f"none yet of {who}",
            f"Ask {who} to sign, or withdraw the agreement.",
        )
    if now < agreement.not_before:
        expected = f"a time from {agreement.not_before} on"
        yield _finding("not-before", expected, str(now), "Ask again then.")
    if now >= agreement.expires_at:
        yield _finding("expired", f"a time before {agreement.expires_at}", str(now))
    if uses >= agreement.max_uses:
        expected = f"fewer than {agreement.max_uses} uses so far"
        yield _finding("uses", expected, str(uses))


def _policies(
    state: State, agreement: Agreement, app: App, use: Use, wish: Wish
) -> Iterator[Finding]:
    for name in dict.fromkeys(agreement.datasets):
        dataset = state.datasets[name]
        owner = state.name(dataset.registration.owner)
        text = dataset.registration.policy
        yield from evaluate(
            text, owner, ("Dataset", name), use, dataset.uses - wish.counted
        )
    if app.code_key:
        owner, text = state.name(app.registration.owner), app.registration.policy
        yield from evaluate(
            text, owner, ("App", agreement.app), use, app.uses - wish.counted
        )
