# SPDX-License-Identifier: Apache-2.0
"""`strongroom audit` over a real room: records by task, app, party and time (LOG-3)."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from strongroom.cli import main
from strongroom.core.codec.log_entry import CATEGORIES
from strongroom.errors import NotFound, Refused
from tests.integration.world import PASSPHRASE, World

_PATIENCE_S = 90


class Ask(Protocol):
    """Runs `strongroom audit` as a party."""

    def __call__(self, party: str, *words: object, code: int = 0) -> dict[str, object]:
        """Return the JSON that it prints; it ends with `code`."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("audit"), "intl") as made:
        yield made


@pytest.fixture(scope="module")
def app(world: World) -> str:
    return world.app()


@pytest.fixture(scope="module")
def task(world: World, app: str) -> str:
    """Return a task that ended well; one that was refused came before it."""
    inputs = [world.dataset("hospital", "name,amount\nann,1\n")]
    unsigned = world.agreement(app, inputs, sign=False)
    with pytest.raises(Refused):
        world.ask(unsigned)
    done = world.ask(world.agreement(app, inputs))
    world.done(done)
    return done


@pytest.fixture
def ask(world: World, task: str, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return what runs `strongroom audit` as a party."""
    del task
    secret = world.folder / "passphrase"
    secret.write_bytes(PASSPHRASE)

    def run(party: str, *words: object, code: int = 0) -> dict[str, object]:
        home = world.parties[party].home.root
        line = ["--json", "--home", home, "--passphrase-file", secret, "audit", *words]
        capsys.readouterr()
        assert main([str(word) for word in line]) == code
        value: dict[str, object] = json.loads(capsys.readouterr().out)
        return value

    return run


@pytest.fixture
def copy(ask: Ask, tmp_path: Path) -> Path:
    """Return a copy of the room's log."""
    ask("insurer", "fetch", tmp_path / "log")
    return tmp_path / "log"


def rows(value: dict[str, object]) -> list[dict[str, object]]:
    """Return the records of an answer."""
    found = value["entries"]
    assert isinstance(found, list)
    return found


def test_a_copy_is_searched_by_task_app_party_and_time(
    world: World, app: str, task: str, ask: Ask, copy: Path
) -> None:
    every = rows(ask("insurer", "query", copy))
    assert len(every) > 8
    of_task = rows(ask("insurer", "query", copy, "--task", task))
    assert {row["action"] for row in of_task} >= {"task.request", "task.complete"}
    assert all(task in (row["subject"], row["object"]) for row in of_task)
    of_app = rows(ask("insurer", "query", copy, "--app", app))
    assert 0 < len(of_app) < len(every)
    assert {row["action"] for row in of_app} >= {"app.register", "task.release"}
    me = world.parties["insurer"].identity.public.id
    mine = rows(ask("insurer", "query", copy, "--party", "insurer"))
    assert mine == rows(ask("insurer", "query", copy, "--party", me))
    assert 0 < len(mine) < len(every)
    times = [str(row["time"]) for row in every]
    middle = times[len(times) // 2]
    late = rows(ask("insurer", "query", copy, "--since", middle))
    early = rows(ask("insurer", "query", copy, "--until", middle))
    assert [row["time"] for row in late] == [t for t in times if t >= middle]
    assert [row["time"] for row in early] == [t for t in times if t <= middle]


def test_what_failed_and_what_is_of_a_class(ask: Ask, copy: Path) -> None:
    failed = rows(ask("insurer", "query", copy, "--failed"))
    assert [row["action"] for row in failed] == ["task.request"]
    assert {row["outcome"] for row in failed} == {"refused"}
    tasks = rows(ask("insurer", "query", copy, "--class", "task"))
    assert {row["action"] for row in tasks} == {"task.release", "task.complete"}


def test_an_id_may_be_given_by_how_it_begins_and_an_app_by_its_bundle(
    world: World, app: str, task: str, ask: Ask, copy: Path
) -> None:
    whole = rows(ask("insurer", "query", copy, "--task", task))
    assert rows(ask("insurer", "query", copy, "--task", task[:12])) == whole
    assert rows(ask("insurer", "query", "--task", task[:12])) == whole
    of_app = rows(ask("insurer", "query", copy, "--app", app))
    (bundle,) = world.folder.glob("*.bundle")
    assert rows(ask("insurer", "query", copy, "--app", bundle)) == of_app
    for letters in (16, 32, 48):
        assert rows(ask("insurer", "query", copy, "--app", app[:letters])) == of_app
    assert rows(ask("insurer", "query", copy, "--task", "0" * 32)) == []
    assert rows(ask("insurer", "query", copy, "--task", "0" * 64)) == []


def test_an_id_that_is_not_there_is_said_so_and_not_an_empty_answer(
    ask: Ask, copy: Path
) -> None:
    for more in ((), (copy,)):
        said = ask("insurer", "query", *more, "--task", "ffff-no", code=5)
        assert said["error"] == NotFound.code
    assert ask("insurer", "query", copy, "--task", "", code=2)["error"] == "usage"


def test_a_party_asks_the_room_for_what_concerns_it(
    app: str, ask: Ask, copy: Path
) -> None:
    every = rows(ask("insurer", "query", copy))
    mine = rows(ask("insurer", "query"))
    assert 0 < len(mine) < len(every)
    of_app = rows(ask("insurer", "query", "--app", app))
    assert 0 < len(of_app) < len(mine)
    assert of_app == [
        row for row in rows(ask("insurer", "query", copy, "--app", app)) if row in mine
    ]
    until = str(mine[len(mine) // 2]["time"])
    assert rows(ask("insurer", "query", "--until", until)) == [
        row for row in mine if str(row["time"]) <= until
    ]


def signed_to_the_end(
    read: Callable[[], list[dict[str, object]]],
) -> list[dict[str, object]]:
    """Return the records of an enclave once its end is signed, at a check-in."""
    deadline = time.monotonic() + _PATIENCE_S
    found = read()
    while not any(row["action"] == "gate.destroy" for row in found):
        assert time.monotonic() < deadline
        time.sleep(0.5)
        found = read()
    return found


def test_the_log_of_a_node_is_searched_the_same_way(
    world: World, app: str, ask: Ask, copy: Path
) -> None:
    gate = ("gate", world.room_folder.compute() / "gate-log", "--room-log", copy)
    whole = ask("maker", *gate)
    every = rows(whole)
    counts = whole["categories"]
    assert isinstance(counts, dict)
    assert tuple(counts) == CATEGORIES
    assert sum(counts.values()) == whole["records"] == len(every)
    of_app = signed_to_the_end(lambda: rows(ask("maker", *gate, "--app", app)))
    assert {"gate.create", "gate.report"} <= {row["action"] for row in of_app}
    assert rows(ask("maker", *gate, "--party", "maker")) == of_app
    enclave = str(next(r for r in of_app if r["action"] == "gate.create")["object"])
    of_task = rows(ask("maker", *gate, "--task", enclave[:10]))
    assert of_task
    assert all(enclave in (row["subject"], row["object"]) for row in of_task)
    for name in counts:
        found = rows(ask("maker", *gate, "--class", name))
        assert {row["category"] for row in found} <= {name}
    assert ask("maker", *gate, "--party", "insurer", code=5)["error"] == NotFound.code


def test_people_see_names_and_how_ids_begin(
    world: World,
    task: str,
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    home = str(world.parties["insurer"].home.root)
    line = ["--home", home, "audit", "query", str(copy), "--task", task]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "insurer" in said
    assert task[:16] in said
    assert task not in said
