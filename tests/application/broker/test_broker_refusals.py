# SPDX-License-Identifier: Apache-2.0
"""Every failure twin that the broker decides: it stops there, and says who and what."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from strongroom.application.broker.config import Method
from strongroom.application.cleanroom import (
    AppRegistration,
    InputBinding,
    Withdrawal,
)
from strongroom.application.cleanroom.messages import (
    Request,
    open_answer,
    seal_request,
)
from strongroom.core.codec import cbor
from strongroom.core.codec.signed import sign_record
from strongroom.errors import (
    AppFailed,
    Conflict,
    Malformed,
    NotFound,
    Refused,
    Stale,
    StrongroomError,
    Tampered,
    Unavailable,
    Untrusted,
)
from strongroom.management.audit import LogEntry
from strongroom.management.keys import Identity
from strongroom.management.trusted_list import Member, TrustedList
from tests.application.broker.world import ROLES, World, manifest, terms


def last_entry(world: World, back: int = 1) -> LogEntry:
    ledger = world.broker._ledger
    assert ledger is not None
    return LogEntry.from_bytes(ledger.log.entry(ledger.log.size - back))


def refused(
    world: World,
    action: Callable[[], object],
    rule: str,
    kind: type[StrongroomError] = Refused,
) -> StrongroomError:
    """Check that an action is refused by a rule, in words, and logged by its id."""
    with pytest.raises(kind) as caught:
        action()
    error = caught.value
    assert rule in {finding.rule for finding in error.findings}, error
    for f in error.findings:
        assert all((f.rule, f.owner, f.expected, f.got, f.remedy)), f
    entry = last_entry(world)
    assert entry.outcome == "refused"
    assert rule in entry.detail["rules"].split(",")
    return error


# --- who asks (WL-1, T-3, T-4, T-6)


def test_before_the_first_list_nobody_but_the_administrator_gets_in(
    fresh: World,
) -> None:
    refused(
        fresh, lambda: fresh.ask("insurer", "agreement.list"), "trusted-list.member"
    )
    refused(
        fresh,
        lambda: fresh.ask("administrator", "agreement.list"),
        "trusted-list.member",
    )
    fresh.publish()
    assert fresh.ask("insurer", "agreement.list")["agreements"] == []


def test_a_party_that_is_not_on_the_list_gets_nothing(world: World) -> None:
    stranger = Identity.generate("stranger", world.row.id, os.urandom)
    box = world.box(stranger, "agreement.list")
    refused(world, lambda: world.send(box), "trusted-list.member")
    assert last_entry(world).subject == "unknown"


def test_a_party_whose_key_did_not_sign_is_refused(world: World) -> None:
    stranger = Identity.generate("insurer", world.row.id, os.urandom)
    forged = replace(
        _request(world, stranger, "agreement.list"), sender=world.id("insurer")
    )
    world.request = forged
    box = seal_request(forged, stranger, world.public.recipient)
    refused(world, lambda: world.send(box), "cose.key", Untrusted)


def test_a_missing_role_is_named(world: World) -> None:
    error = refused(
        world,
        lambda: world.ask("hospital", "task.request", request=b""),
        "trusted-list.role",
    )
    assert "role result" in str(error)
    assert last_entry(world).subject == world.id("hospital")


def test_only_the_administrator_publishes(world: World) -> None:
    refused(
        world,
        lambda: world.ask("insurer", "trusted-list.publish", list=b""),
        "trusted-list.administrator",
    )


def test_an_older_or_repeated_list_never_returns(world: World) -> None:
    world.publish()
    world.version -= 1
    refused(world, world.publish, "trusted-list.version", Stale)


def test_a_list_of_another_suite_is_malformed(world: World) -> None:
    other = "sm" if world.row.id == "intl" else "intl"
    stranger = Identity.generate("stranger", other, os.urandom)
    listed = TrustedList(
        world.row.id, world.version + 1, 1, (Member(stranger.public, ("data",)),)
    )
    signed = sign_record(world.admin.signing, listed)
    with pytest.raises(Malformed, match="suite"):
        world.ask("administrator", "trusted-list.publish", list=signed)


def test_a_party_off_the_list_loses_access_and_its_agreements_rest(
    world: World, agreement: str
) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    world.publish({name: held for name, held in ROLES.items() if name != "clinic"})
    try:
        refused(
            world, lambda: world.ask("clinic", "agreement.list"), "trusted-list.member"
        )
        refused(world, lambda: world.release(attempt), "trusted-list.member")
    finally:
        world.publish()
    assert world.task(agreement)


def test_a_recipient_that_lost_its_role_gets_no_release(
    world: World, agreement: str
) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    world.publish(ROLES | {"insurer": ("service",)})
    try:
        refused(world, lambda: world.release(attempt), "trusted-list.role")
    finally:
        world.publish()


# --- messages


def _request(world: World, who: Identity, op: str, **changes: object) -> Request:
    world.box(who, op)
    return replace(world.request, **changes)  # type: ignore[arg-type]  # tests vary any


def _send(world: World, who: Identity, request: Request) -> dict[str, object]:
    world.request = request
    return world.send(seal_request(request, who, world.public.recipient))


def test_the_same_request_gets_the_same_answer_and_is_done_once(
    world: World, agreement: str
) -> None:
    wanted = world.wanted(agreement)
    box = world.box(world.parties["insurer"], "task.request", request=wanted)
    answers = [world.call(Method.MESSAGE, {"box": box}) for _ in range(3)]
    assert len({world.bytes_of(each, "box") for each in answers}) == 1
    assert [len(each["tickets"]) for each in answers] == [1, 0, 0]  # type: ignore[arg-type]
    world.start()
    assert world.call(Method.MESSAGE, {"box": box})["box"] == answers[0]["box"]


def test_an_altered_request_under_a_used_id_is_refused(world: World) -> None:
    insurer = world.parties["insurer"]
    request = _request(world, insurer, "agreement.list", body=cbor.encode({}))
    _send(world, insurer, request)
    _send(world, insurer, request)
    altered = replace(request, op="dataset.list")
    refused(world, lambda: _send(world, insurer, altered), "request.replayed", Stale)


def test_answers_to_a_replayed_question_never_share_a_nonce(
    world: World, app: str, data: list[str]
) -> None:
    box = world.box(world.parties["insurer"], "agreement.list")
    request = world.request
    first = world.bytes_of(world.call(Method.MESSAGE, {"box": box}), "box")
    world.agreement(app, data)
    second = world.bytes_of(world.call(Method.MESSAGE, {"box": box}), "box")
    assert first != second
    assert first[: world.row.nonce_bytes] != second[: world.row.nonce_bytes]
    assert open_answer(request, world.row, second)


def test_a_request_for_another_room_or_another_time_is_refused(world: World) -> None:
    insurer = world.parties["insurer"]
    elsewhere = _request(world, insurer, "agreement.list", room="0" * 64)
    refused(world, lambda: _send(world, insurer, elsewhere), "request.room")
    for seconds in (-601, 601):
        late = _request(
            world, insurer, "agreement.list", sent_at=world.clock() + seconds
        )
        send = partial(_send, world, insurer, late)
        refused(world, send, "request.time", Stale)


def test_a_box_that_does_not_open_is_refused_and_logged(world: World) -> None:
    box = bytearray(world.box(world.parties["insurer"], "agreement.list"))
    box[-1] ^= 1
    with pytest.raises(Tampered):
        world.call(Method.MESSAGE, {"box": bytes(box)})
    assert last_entry(world).outcome == "refused"


def test_an_answer_key_of_the_wrong_length_is_refused_before_anything_happens(
    world: World,
) -> None:
    insurer = world.parties["insurer"]
    request = _request(world, insurer, "agreement.list", reply_key=b"short")
    box = seal_request(request, insurer, world.public.recipient)
    with pytest.raises(Malformed, match="answer key"):
        world.call(Method.MESSAGE, {"box": box})


def test_an_unknown_operation_is_malformed(world: World) -> None:
    with pytest.raises(Malformed, match="no operation"):
        world.ask("insurer", "task.steal")
    assert last_entry(world).action == "message"


# --- registrations


def test_a_dataset_must_be_its_owners_own(world: World) -> None:
    said, key = world.registration("hospital", terms())

    def register(who: str, said: object, key: bytes) -> None:
        signed = world.sign(who, said)  # type: ignore[arg-type]
        world.ask(who, "dataset.register", registration=signed, key=key)

    refused(world, lambda: register("clinic", said, key), "registration.owner")
    stolen = replace(said, owner=world.id("clinic"))
    refused(world, lambda: register("clinic", stolen, key), "registration.owner")
    wrong = os.urandom(len(key))
    refused(world, lambda: register("hospital", said, wrong), "floe.header", Tampered)
    with pytest.raises(Malformed, match="id is not"):
        register("hospital", replace(said, length=said.length + 1), key)
    register("hospital", said, key)
    with pytest.raises(Conflict):
        register("hospital", said, key)
    newer = replace(said, registered_at=said.registered_at + 1)
    register("hospital", newer, key)


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "permit (",
        "permit (principal, action, resource);",
        '@id("A b") permit (principal, action, resource);',
        '@id("a") permit (principal == ?principal, action, resource);',
        '@id("a") permit (principal, action, resource) when { context.typo == "x" };',
        '@id("a") permit (principal, action, resource) when { context.uses > "x" };',
        '@id("a") permit (principal, action, resource);' * 2,
        '@id("a") permit (principal, action, resource) when {'
        + "(" * 5000
        + "true"
        + ")" * 5000
        + "};",
        '@id("a") permit (principal, action, resource) when {'
        + "true && " * 5000
        + "true};",
        '@id("a")//'
        "\r"
        "permit (principal, action, resource) when {" + "[" * 5000 + "]" * 5000 + "};",
        '@id("a") permit (principal, action, resource);' + " " * (1 << 16),
    ],
)
def test_a_policy_that_could_not_be_relied_on_is_refused_at_once(
    world: World, policy: str
) -> None:
    with pytest.raises(Malformed):
        world.dataset("hospital", policy or " ")


def test_an_app_is_registered_by_the_one_who_signed_it(world: World) -> None:
    refused(
        world,
        lambda: world.ask("hospital", "app.register", registration=b"", code_key=b""),
        "trusted-list.role",
    )
    with pytest.raises(Malformed):
        world.ask("maker", "app.register", registration=b"\xd2", code_key=b"")


# --- agreements


def test_an_agreement_that_could_never_hold_is_refused_with_every_reason(
    world: World, app: str, data: list[str]
) -> None:
    draft = world.draft(
        app,
        [*data, "0" * 64],
        signers=(world.id("insurer"), world.id("clinic")),
        recipients=(world.id("insurer"), "f" * 64),
        room="0" * 64,
        fields=("total", "secret"),
        entry_points=("main", "nothing"),
        min_group=3,
    )
    error = refused(world, lambda: world.propose(draft), "agreement.signers")
    rules = {finding.rule for finding in error.findings}
    assert rules == {
        "agreement.room",
        "agreement.dataset",
        "agreement.signers",
        "agreement.fields",
        "agreement.entry-point",
        "trusted-list.member",
    }
    assert "hospital" in str(error)
    assert "maker" in str(error)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("agreement.app", {"app": "0" * 96}),
        ("agreement.suite", {"suite": "other"}),
        ("agreement.expired", {"not_before": 1, "expires_at": 2}),
        ("agreement.inputs", {"inputs": ()}),
        ("agreement.inputs", {"inputs": (InputBinding("rows", ()),)}),
        ("agreement.inputs", {"inputs": (InputBinding("other", ("0" * 64,)),)}),
        ("agreement.fields", {"fields": ()}),
        ("agreement.min-group", {"entry_points": ("raw",), "min_group": 3}),
    ],
)
def test_an_agreement_must_fit_the_app(
    world: World, app: str, data: list[str], rule: str, changes: dict[str, object]
) -> None:
    if "suite" in changes:
        changes = {"suite": "sm" if world.row.id == "intl" else "intl"}
    draft = world.draft(app, data, **changes)
    refused(world, lambda: world.propose(draft), rule)


def test_only_signers_propose_sign_and_withdraw(
    world: World, app: str, data: list[str]
) -> None:
    draft = world.draft(
        app, data[:1], signers=tuple(world.id(n) for n in ROLES if n != "clinic")
    )
    refused(world, lambda: world.propose(draft, "clinic"), "agreement.signers")
    world.propose(draft)
    with pytest.raises(NotFound):
        world.sign_agreement("clinic", draft)
    with pytest.raises(NotFound):
        world.withdraw("clinic", draft.id)
    with pytest.raises(NotFound):
        world.ask("clinic", "agreement.show", agreement=draft.id)
    with pytest.raises(Conflict):
        world.propose(draft, "hospital")


def test_no_task_before_the_last_signature_and_the_missing_one_is_named(
    world: World, app: str, data: list[str]
) -> None:
    draft = world.draft(app, data)
    world.propose(draft)
    world.sign_agreement("hospital", draft)
    assert world.sign_agreement("maker", draft)["missing"] == [world.id("clinic")]
    error = refused(world, lambda: world.task(draft.id), "agreement.signatures")
    assert "clinic" in str(error)
    assert "hospital" not in str(error)
    shown = world.ask("insurer", "agreement.show", agreement=draft.id)
    assert shown["status"]["missing"] == [world.id("clinic")]  # type: ignore[index]
    assert shown["names"][world.id("clinic")] == "clinic"  # type: ignore[index]
    world.sign_agreement("clinic", draft)
    assert world.task(draft.id)
    with pytest.raises(Conflict, match="already signed"):
        world.sign_agreement("clinic", draft)


def test_a_signature_on_another_agreement_does_not_count(
    world: World, app: str, data: list[str]
) -> None:
    draft, other = world.draft(app, data), world.draft(app, data)
    world.propose(draft)
    with pytest.raises(Malformed, match="another agreement"):
        world.ask(
            "clinic",
            "agreement.sign",
            agreement=draft.id,
            signature=world.sign("clinic", other),
        )
    with pytest.raises(Malformed, match="another agreement"):
        world.ask(
            "insurer",
            "agreement.propose",
            agreement=other.to_bytes(),
            signature=world.sign("insurer", draft),
        )
    error = Untrusted
    with pytest.raises(error):
        world.ask(
            "clinic",
            "agreement.sign",
            agreement=draft.id,
            signature=world.sign("maker", draft),
        )


@pytest.mark.parametrize("who", list(ROLES))
def test_any_signer_withdraws_at_any_time_and_is_named(
    world: World, app: str, data: list[str], who: str
) -> None:
    draft = world.draft(app, data)
    world.propose(draft)
    world.withdraw(who, draft.id)
    with pytest.raises(Conflict, match=f"withdrawn by {who}"):
        world.sign_agreement("hospital", draft)
    with pytest.raises(Conflict, match=who):
        world.withdraw("hospital", draft.id)
    active = world.agreement(app, data)
    attempt = world.attempt(world.ticket(world.task(active)))
    world.withdraw(who, active)
    error = refused(world, lambda: world.release(attempt), "agreement.withdrawn")
    assert who in str(error)
    error = refused(world, lambda: world.task(active), "agreement.withdrawn")
    assert who in str(error)


def test_nobody_withdraws_in_anothers_name(world: World, agreement: str) -> None:
    said = Withdrawal(agreement, world.id("clinic"), "", world.clock())
    with pytest.raises(Untrusted):
        world.ask(
            "hospital", "agreement.withdraw", withdrawal=world.sign("clinic", said)
        )
    with pytest.raises(Malformed, match="own name"):
        world.ask(
            "hospital", "agreement.withdraw", withdrawal=world.sign("hospital", said)
        )


# --- tasks and policies: T-1 and T-2


def test_window_and_uses_are_held_at_request_and_at_release(
    world: World, app: str, data: list[str]
) -> None:
    early = world.agreement(app, data, not_before=world.clock() + 50)
    refused(world, lambda: world.task(early), "agreement.not-before")
    once = world.agreement(app, data, max_uses=1)
    waiting = [world.attempt(world.ticket(world.task(once))) for _ in range(2)]
    world.release(waiting[0])
    refused(world, lambda: world.release(waiting[1]), "agreement.uses")
    refused(world, lambda: world.task(once), "agreement.uses")
    with pytest.raises(Conflict):
        world.release(waiting[1])


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("usage.purpose", {"purposes": ("billing",)}),
        ("usage.app", {"apps": ("0" * 64,)}),
        ("usage.entry-point", {"entry_points": ("raw",)}),
        ("usage.recipient", {"recipients": ("0" * 64,)}),
        ("usage.fields", {"fields": ("count",)}),
        ("usage.expires-at", {"expires_at": 1}),
    ],
)
def test_an_owners_rule_refuses_by_its_name(
    world: World, app: str, rule: str, changes: dict[str, object]
) -> None:
    made = world.agreement(app, [world.dataset("clinic", terms(**changes))])
    error = refused(world, lambda: world.task(made), rule)
    assert [(f.rule, f.owner) for f in error.findings] == [(rule, "clinic")]


def test_uses_of_a_dataset_count_over_all_agreements(world: World, app: str) -> None:
    data = world.dataset("hospital", terms(max_uses=1))
    first, second = world.agreement(app, [data]), world.agreement(app, [data])
    late = world.attempt(world.ticket(world.task(second)))
    world.run(world.task(first))
    refused(world, lambda: world.release(late), "usage.max-uses")
    refused(world, lambda: world.task(first), "usage.max-uses")


def test_a_policy_that_permits_nothing_denies_by_default(
    world: World, app: str
) -> None:
    policy = '@id("never") forbid (principal, action, resource) when { false };'
    made = world.agreement(app, [world.dataset("hospital", policy)])
    refused(world, lambda: world.task(made), "usage.default-deny")


def test_a_policy_that_cannot_be_evaluated_refuses(world: World, app: str) -> None:
    policy = (
        '@id("use") permit (principal, action, resource);\n'
        '@id("sum") forbid (principal, action, resource) when '
        "{ context.now + 9223372036854775807 > 0 };"
    )
    made = world.agreement(app, [world.dataset("hospital", policy)])
    refused(world, lambda: world.task(made), "usage.policy-error")


def test_a_rule_of_the_owners_own_is_named_too(world: World, app: str) -> None:
    policy = terms() + '@id("not-today") forbid (principal, action, resource);'
    made = world.agreement(app, [world.dataset("hospital", policy)])
    refused(world, lambda: world.task(made), "usage.not-today")


def test_the_code_of_an_encrypted_app_has_its_own_policy(
    world: World, data: list[str]
) -> None:
    made = world.agreement(world.app("hidden", terms(purposes=("other",))), data)
    error = refused(world, lambda: world.task(made), "usage.purpose")
    assert error.findings[0].owner == "maker"


def test_a_result_without_named_fields_is_not_within_named_fields(
    world: World, app: str
) -> None:
    data = world.dataset("hospital", terms(fields=("total",)))
    made = world.agreement(app, [data], entry_points=("raw",), fields=())
    refused(world, lambda: world.task(made, "raw"), "usage.fields")


def test_a_task_request_must_fit(world: World, agreement: str) -> None:
    ask = world.ask
    refused(
        world,
        lambda: ask("insurer", "task.request", request=world.wanted(agreement, "raw")),
        "agreement.entry-point",
    )
    for values in ({"name": 1}, {"other": "x"}, {"name": "x", "more": 1}):
        wanted = world.wanted(agreement, "main", **values)
        refused(
            world,
            partial(ask, "insurer", "task.request", request=wanted),
            "task.values",
        )
    wanted = world.wanted(agreement)
    assert ask("insurer", "task.request", request=wanted)
    with pytest.raises(Conflict):
        ask("insurer", "task.request", request=wanted)


def test_a_dry_run_tells_everything_and_changes_nothing(world: World, app: str) -> None:
    policy = terms(purposes=("billing",), expires_at=1)
    draft = world.draft(app, [world.dataset("hospital", policy)], max_uses=1)
    world.propose(draft)
    ledger = world.broker._ledger
    assert ledger is not None
    before = len(ledger.state.tasks)
    answer = world.ask(
        "insurer", "task.dry-run", request=world.wanted(draft.id, "main", x=1)
    )
    assert answer["allowed"] is False
    found = answer["findings"]
    assert isinstance(found, list)
    assert {f["rule"] for f in found} == {
        "agreement.signatures",
        "usage.purpose",
        "usage.expires-at",
        "task.values",
    }
    assert len(ledger.state.tasks) == before
    entry = last_entry(world)
    assert (entry.category, entry.action) == ("interface", "task.dry-run")
    assert entry.detail["app"] == app
    assert set(entry.detail["rules"].split(",")) == {f["rule"] for f in found}


def test_results_and_tasks_are_the_recipients_alone(
    world: World, agreement: str
) -> None:
    task = world.task(agreement)
    with pytest.raises(Conflict):
        world.ask("insurer", "task.result", task=task)
    world.run(task)
    refused(
        world, lambda: world.ask("hospital", "task.result", task=task), "task.recipient"
    )
    for who, op in (("hospital", "task.status"), ("insurer", "task.result")):
        with pytest.raises(NotFound):
            world.ask(who, op, task=task if who == "hospital" else "0" * 64)


# --- releases


def test_keys_are_released_once_an_attempt(world: World, agreement: str) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    world.release(attempt)
    refused(world, lambda: world.release(attempt), "release.once", Stale)
    thief = world.attempt(attempt.ticket)
    refused(world, lambda: world.release(thief), "release.once", Stale)
    assert last_entry(world).object == attempt.ticket.task


def test_another_app_gets_no_keys(world: World, agreement: str) -> None:
    ticket = world.ticket(world.task(agreement))
    other = world.attempt(replace(ticket, app="00" * world.row.digest_bytes))
    refused(world, lambda: world.release(other), "app.measurement")
    assert world.release(world.attempt(ticket)).task == ticket.task


def test_evidence_for_another_challenge_or_other_keys_gets_no_keys(
    world: World, agreement: str
) -> None:
    ticket = world.ticket(world.task(agreement))
    stale = world.attempt(replace(ticket, challenge=bytes(32)))
    refused(world, lambda: world.release(stale), "app.nonce", Stale)
    honest, thief = world.attempt(ticket), world.attempt(ticket)
    refused(world, lambda: world.release(honest, keys=thief.keys), "app.user_data")
    elsewhere = world.attempt(replace(ticket, attempt=2))
    refused(world, lambda: world.release(honest, keys=elsewhere.keys), "release.keys")


def test_evidence_of_an_unknown_monitor_or_of_none_gets_no_keys(
    world: World, agreement: str
) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    honest = attempt.evidence
    forged = replace(honest, app=honest.app[:-1] + bytes([honest.app[-1] ^ 1]))
    with pytest.raises(StrongroomError):
        world.release(attempt, evidence=forged.to_bytes())
    bare = replace(honest, app=b"")
    refused(
        world, lambda: world.release(attempt, evidence=bare.to_bytes()), "app.evidence"
    )
    with pytest.raises(StrongroomError):
        world.release(attempt, evidence=replace(honest, kind="tdx").to_bytes())
    assert world.release(attempt).task == attempt.ticket.task


def test_a_simulated_platform_is_refused_unless_the_agreement_names_it(
    world: World, app: str, data: list[str]
) -> None:
    made = world.agreement(app, data, appraisal=world.appraisal(app, kinds=("tdx",)))
    attempt = world.attempt(world.ticket(world.task(made)))
    refused(world, lambda: world.release(attempt), "platform.kind")


def test_unknown_tasks_and_attempts_are_not_found(world: World, agreement: str) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    with pytest.raises(NotFound):
        world.release(attempt, task="x" * 1000)
    with pytest.raises(NotFound):
        world.release(attempt, attempt=2)
    with pytest.raises(NotFound):
        world.release(attempt, attempt=0)


def test_a_final_error_of_an_app_is_not_tried_again(
    world: World, agreement: str
) -> None:
    task = world.task(agreement)
    attempt = world.attempt(world.ticket(task))
    world.release(attempt)
    world.fail(attempt.ticket, AppFailed("x" * 5000))
    answer = world.ask("insurer", "task.status", task=task)["status"]
    assert isinstance(answer, dict)
    assert (answer["state"], answer["attempts"]) == ("failed", 1)
    assert len(answer["error"]["message"]) == 500


# --- receipts: T-5 and AS-3


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("receipt.task", {"task": "0" * 64}),
        ("receipt.attempt", {"attempt": 2}),
        ("receipt.agreement", {"agreement": "0" * 64}),
        ("receipt.room", {"room": "0" * 64}),
        ("receipt.app", {"app": "00"}),
        ("receipt.inputs", {"inputs": ()}),
        ("receipt.values", {"values": b""}),
        ("receipt.recipient", {"recipient": "0" * 64}),
        ("receipt.entry-point", {"entry_point": "raw"}),
    ],
)
def test_a_receipt_for_anything_else_is_refused(
    world: World, agreement: str, rule: str, changes: dict[str, object]
) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    release = world.release(attempt)
    receipt = world.receipt(attempt, release, **changes)
    gone = world.machine.destroy(attempt.enclave)
    refused(world, lambda: world.complete(attempt, receipt, gone), rule, Untrusted)
    world.complete(attempt, world.receipt(attempt, release), gone)


def test_a_receipt_needs_the_enclaves_key_and_its_own_destruction(
    world: World, agreement: str
) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    release = world.release(attempt)
    other = world.attempt(attempt.ticket)
    gone = world.machine.destroy(attempt.enclave)
    forged = world.receipt(other, release)
    refused(world, lambda: world.complete(attempt, forged, gone), "cose.key", Untrusted)
    receipt = world.receipt(attempt, release)
    alive = world.machine.destroy(other.enclave)
    refused(
        world,
        lambda: world.complete(attempt, receipt, alive),
        "destruction.enclave-id",
        Untrusted,
    )
    with pytest.raises(Untrusted):
        world.complete(attempt, receipt, world.sign("insurer", _gone(world, attempt)))
    world.complete(attempt, receipt, gone)
    with pytest.raises(Conflict):
        world.complete(attempt, forged, gone)
    with pytest.raises(Conflict):
        world.fail(attempt.ticket, Unavailable("too late"))


def _gone(world: World, attempt: object) -> Withdrawal:
    del attempt
    return Withdrawal("", world.id("insurer"), "", 1)


def test_a_receipt_before_a_release_is_a_conflict(world: World, agreement: str) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    with pytest.raises(Conflict):
        world.complete(attempt, b"", b"")


# --- queries


def test_a_party_sees_what_concerns_it_and_no_policy_of_others(
    world: World, app: str
) -> None:
    own = world.dataset("hospital")
    draft = world.draft(
        app, [own], signers=tuple(world.id(n) for n in ROLES if n != "clinic")
    )
    world.propose(draft)
    for name, sees in (("clinic", False), ("insurer", True), ("hospital", True)):
        rows = world.ask(name, "dataset.list")["datasets"]
        assert isinstance(rows, list)
        found = {row["dataset"]: row for row in rows}
        assert (own in found) is sees
        if sees:
            assert bool(found[own]["policy"]) is (name == "hospital")
        agreements = world.ask(name, "agreement.list")["agreements"]
        assert isinstance(agreements, list)
        named = {row["agreement"]["nonce"] for row in agreements}
        assert (draft.nonce in named) is sees
    apps = world.ask("insurer", "app.list")["apps"]
    assert isinstance(apps, list)
    assert app in {row["app"] for row in apps}


def test_the_log_can_be_asked_by_task_and_time_and_holds_no_secret(
    world: World, agreement: str
) -> None:
    task = world.task(agreement)
    world.run(task)
    nothing = {"app": None, "party": None, "since": None, "until": None}
    rows = world.ask("insurer", "log.query", task=task, **nothing)["entries"]
    assert isinstance(rows, list)
    actions = [LogEntry.from_bytes(row["entry"]).action for row in rows]
    assert actions == ["task.request", "task.release", "task.complete"]
    late = nothing | {"since": world.clock() + 1}
    assert world.ask("insurer", "log.query", task=task, **late)["entries"] == []
    early = nothing | {"until": 0}
    assert world.ask("insurer", "log.query", task=task, **early)["entries"] == []


def test_the_log_can_be_asked_by_app(world: World, app: str, agreement: str) -> None:
    """Agreements about an app are found by it, as its tasks are; others are not."""
    world.run(world.task(agreement))
    nothing = {"task": None, "party": None, "since": None, "until": None}

    def actions(app: str) -> set[str]:
        rows = world.ask("insurer", "log.query", app=app, **nothing)["entries"]
        assert isinstance(rows, list)
        return {LogEntry.from_bytes(row["entry"]).action for row in rows}

    assert actions(app) >= {"agreement.propose", "agreement.sign", "task.release"}
    assert actions("00" * 48) == set()


def test_no_key_of_anyone_is_in_log_or_journal(world: World) -> None:
    said, key = world.registration("hospital", terms())
    signed = world.sign("hospital", said)
    world.ask("hospital", "dataset.register", registration=signed, key=key)
    ledger = world.broker._ledger
    assert ledger is not None
    entries = b"".join(ledger.log.entry(i) for i in range(ledger.log.size))
    for secret in (key, key.hex().encode()):
        assert secret not in entries
        assert secret not in world.journal.read_bytes()
    assert key.hex() not in repr(ledger.state)
    assert repr(key) not in repr(ledger.state)


def _register_app(world: World, code_key: bytes = b"", **changes: object) -> None:
    said = AppRegistration(
        manifest=manifest(world.row.id, "other"),
        signer=world.parties["maker"].public.sign.key_id,
        owner=world.id("maker"),
        policy="",
        registered_at=world.clock(),
    )
    said = replace(said, **changes)  # type: ignore[arg-type]  # tests vary any
    signed = world.sign("maker", said)
    world.ask("maker", "app.register", registration=signed, code_key=code_key)


def test_an_app_registration_must_go_together(world: World) -> None:
    register = partial(_register_app, world)
    refused(world, partial(register, signer=bytes(32)), "app.signer")
    refused(world, partial(register, owner=world.id("clinic")), "registration.owner")
    service = replace(manifest(world.row.id, "other"), kind="service")
    with pytest.raises(Malformed, match="task apps"):
        register(manifest=service)
    for broken in ({"policy": terms()}, {"code_key": b"k" * 32}):
        with pytest.raises(Malformed, match="code key"):
            register(**broken)
    register()
    with pytest.raises(Conflict):
        register()
    register(registered_at=world.clock() + 1)


def test_a_dataset_of_another_suite_does_not_open_here(world: World) -> None:
    said, key = world.registration("hospital", terms())
    signed = world.sign("hospital", replace(said, header=b"short"))
    with pytest.raises(Malformed):
        world.ask("hospital", "dataset.register", registration=signed, key=key)


def test_answers_are_forgotten_when_nobody_can_ask_for_them(fresh: World) -> None:
    fresh.publish()
    for _ in range(5):
        fresh.ask("insurer", "agreement.list")
    ledger = fresh.broker._ledger
    assert ledger is not None
    assert len(ledger.state.marks) == 6
    fresh.clock.time += 1300
    for _ in range(5):
        fresh.ask("insurer", "agreement.list")
    assert len(ledger.state.marks) == 5
