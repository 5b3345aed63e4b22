# SPDX-License-Identifier: Apache-2.0
"""The main job end to end over real processes, and every failure twin of it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.client import agreements, tasks
from strongroom.client.home import DEFAULT_POLICY
from strongroom.errors import (
    AppFailed,
    LimitReached,
    Refused,
    StrongroomError,
    Tampered,
)
from tests.integration.world import World, terms

A, B = "name,amount\nann,1\nbob,2\n", "name,amount\nann,10\ncid,30\n"


@pytest.fixture(scope="module", params=["sm", "intl"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with World(tmp_path_factory.mktemp(str(request.param)), str(request.param)) as made:
        yield made


@pytest.fixture(scope="module")
def inputs(world: World) -> list[str]:
    return [world.dataset("hospital", A), world.dataset("clinic", B)]


@pytest.fixture(scope="module")
def app(world: World) -> str:
    return world.app()


@pytest.fixture(scope="module")
def agreement(world: World, app: str, inputs: list[str]) -> str:
    return world.agreement(app, inputs)


def refusal(error: pytest.ExceptionInfo[StrongroomError]) -> set[str]:
    """Return the rules of a refusal, each with all that a person needs."""
    for finding in error.value.findings:
        assert all(
            (finding.rule, finding.owner, finding.expected, finding.got, finding.remedy)
        )
    return {finding.rule for finding in error.value.findings}


def test_the_demander_gets_the_result_and_a_receipt_that_holds(
    world: World, agreement: str
) -> None:
    assert json.loads(world.done(world.ask(agreement))) == {"total": 11, "count": 4}


def test_an_encrypted_app_runs_with_its_code_key_released(
    world: World, inputs: list[str]
) -> None:
    secret = world.agreement(world.app("secret", encrypt=True), inputs)
    assert json.loads(world.done(world.ask(secret)))["total"] == 11


def test_no_key_moves_before_the_last_signature(
    world: World, app: str, inputs: list[str]
) -> None:
    made = world.agreement(app, inputs, sign=False)
    agreements.sign(world.parties["hospital"], made)
    with pytest.raises(Refused) as error:
        world.ask(made)
    assert "agreement.signatures" in refusal(error)
    assert "clinic" in str(error.value)
    assert "hospital" not in str(error.value)


def test_any_party_can_withdraw_after_it_is_active(
    world: World, app: str, inputs: list[str]
) -> None:
    made = world.agreement(app, inputs)
    agreements.withdraw(world.parties["clinic"], made, "no longer")
    with pytest.raises(Refused, match="clinic") as error:
        world.ask(made)
    assert "agreement.withdrawn" in refusal(error)


def test_an_exhausted_agreement_is_refused(
    world: World, app: str, inputs: list[str]
) -> None:
    made = world.agreement(app, inputs, max_uses=1)
    world.done(world.ask(made))
    with pytest.raises(Refused) as error:
        world.ask(made)
    assert "agreement.uses" in refusal(error)


def test_an_owner_can_limit_purpose_app_recipient_fields_and_uses(
    world: World, app: str
) -> None:
    other = "0" * 64
    policies = {
        "usage.purpose": terms(purposes=("billing",)),
        "usage.app": terms(apps=(other,)),
        "usage.entry-point": terms(entry_points=("slow",)),
        "usage.recipient": terms(recipients=(other,)),
        "usage.fields": terms(fields=("count",)),
        "usage.expires-at": terms(expires_at=1),
    }
    for rule, policy in policies.items():
        data = world.dataset("hospital", A, policy.to_cedar())
        with pytest.raises(Refused) as error:
            world.ask(world.agreement(app, [data]))
        assert refusal(error) == {rule}
        assert error.value.findings[0].owner == "hospital"


def test_a_dry_run_names_every_rule_and_changes_nothing(world: World, app: str) -> None:
    policy = terms(purposes=("billing",), expires_at=1).to_cedar()
    made = world.agreement(app, [world.dataset("hospital", A, policy)])
    found = tasks.dry_run(world.parties["insurer"], made, "main", {"name": "ann"})
    assert {finding.rule for finding in found} == {"usage.purpose", "usage.expires-at"}
    assert agreements.show(world.parties["insurer"], made).uses == 0


def test_a_dry_run_of_what_is_allowed_finds_nothing(
    world: World, agreement: str
) -> None:
    assert (
        tasks.dry_run(world.parties["insurer"], agreement, "main", {"name": "x"}) == ()
    )


def test_only_a_recipient_may_ask(world: World, agreement: str) -> None:
    with pytest.raises(Refused) as error:
        tasks.request(world.parties["clinic"], agreement, "main", {"name": "ann"})
    assert {"agreement.recipient", "trusted-list.role"} & refusal(error)


def test_only_the_recipient_gets_the_result(
    world: World, agreement: str, tmp_path: Path
) -> None:
    task = world.ask(agreement)
    world.done(task)
    with pytest.raises(StrongroomError):
        tasks.fetch(world.parties["hospital"], task, tmp_path / "stolen")
    assert not (tmp_path / "stolen").exists()


def test_an_entry_point_outside_the_agreement_is_refused(
    world: World, agreement: str
) -> None:
    with pytest.raises(Refused) as error:
        world.ask(agreement, entry="show_record")
    assert "agreement.entry-point" in refusal(error)


def test_a_result_that_breaks_the_output_rule_stays_inside(
    world: World, agreement: str
) -> None:
    with pytest.raises(Refused) as error:
        world.done(world.ask(agreement, "raw"))
    assert "output.fields" in refusal(error)


def test_what_an_app_raises_stays_inside(world: World, agreement: str) -> None:
    with pytest.raises(AppFailed) as error:
        world.done(world.ask(agreement, "boom"))
    assert "patient" not in str(error.value)


@pytest.mark.parametrize(
    ("way", "limit"),
    [
        ("hungry", "memory_bytes"),
        ("fork bomb", "processes"),
        ("thread bomb", "threads"),
    ],
)
def test_an_app_over_a_limit_is_stopped_and_the_limit_is_named(
    world: World, agreement: str, way: str, limit: str
) -> None:
    with pytest.raises(LimitReached, match=limit):
        world.done(world.ask(agreement, way))


def test_one_flipped_bit_of_a_ciphertext_is_refused(world: World, app: str) -> None:
    data = world.dataset("hospital", A)
    made = world.agreement(app, [data])
    path = world.room_folder.store / "objects" / data
    stored = bytearray(path.read_bytes())
    stored[-20] ^= 1
    path.write_bytes(stored)
    with pytest.raises(Tampered) as error:
        world.done(world.ask(made))
    assert any(rule.startswith("floe.") for rule in refusal(error))


def test_another_app_in_the_place_of_the_approved_one_gets_no_key(
    world: World, inputs: list[str]
) -> None:
    approved = world.app("swapped")
    made = world.agreement(approved, inputs)
    other = world.app("swapped", source="def main(rows, name): return {}")
    store = world.room_folder.store / "bundles"
    (store / approved).write_bytes((store / other).read_bytes())
    with pytest.raises(Refused) as error:
        world.done(world.ask(made))
    assert "app.measurement" in refusal(error)


def test_a_party_off_the_trusted_list_loses_access_at_its_next_call(
    world: World, agreement: str
) -> None:
    kept: dict[str, tuple[str, ...]] = {
        "hospital": ("data",),
        "clinic": ("data",),
        "maker": ("algorithm",),
    }
    everyone = kept | {"insurer": ("result",)}
    world.publish(kept)  # type: ignore[arg-type]  # roles are literals
    try:
        with pytest.raises(Refused) as error:
            world.ask(agreement)
        assert "trusted-list.member" in refusal(error)
    finally:
        world.publish(everyone)  # type: ignore[arg-type]  # roles are literals
    assert world.done(world.ask(agreement))


def test_such_evidence_is_refused_unless_a_policy_names_it(world: World) -> None:
    session = world.again("clinic")
    session.home.set_policy(DEFAULT_POLICY)
    try:
        with pytest.raises(Refused) as error:
            session.verify_broker()
        assert refusal(error) == {"platform.kind"}
    finally:
        session.home.set_policy(world.policy)


def test_a_replayed_message_gives_the_same_answer_and_no_second_task(
    world: World, agreement: str
) -> None:
    before = agreements.show(world.parties["insurer"], agreement).uses
    session = world.again("insurer")
    sent: list[bytes] = []
    send = session.transport.send

    def record(
        method: str, path: str, body: object = None, query: dict[str, str] | None = None
    ) -> bytes:
        if path == "/v1/messages" and isinstance(body, bytes):
            sent.append(body)
        return send(method, path, body, query)

    session.transport.send = record  # type: ignore[method-assign]  # a tap on the wire
    task = tasks.request(session, agreement, "main", {"name": "ann"})
    answers = {send("POST", "/v1/messages", sent[-1]) for _ in range(2)}
    world.done(task)
    assert len(answers) == 1
    assert agreements.show(world.parties["insurer"], agreement).uses == before + 1


def test_the_ordinary_side_never_held_the_plaintext(
    world: World, agreement: str
) -> None:
    world.done(world.ask(agreement))
    for path in world.room_folder.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"ann,10" not in data
            assert b"bob,2" not in data


def test_the_broker_forgets_nothing_when_it_is_killed(
    world: World, agreement: str
) -> None:
    state = agreements.show(world.parties["insurer"], agreement)
    os.kill(world.nodes["manage"].pid, 9)
    world.stop("manage", 9)
    world.start("manage")
    assert agreements.show(world.again("insurer"), agreement) == state
    assert json.loads(world.done(world.ask(agreement)))["total"] == 11


def test_a_task_whose_node_is_killed_is_run_by_the_next(
    world: World, agreement: str
) -> None:
    task = world.ask(agreement, "0.5", "slow")
    while tasks.status(world.parties["insurer"], task).state != "released":
        pass
    world.stop("compute", 9)
    world.start("compute")
    assert json.loads(world.done(task, 60))["total"] == 11
