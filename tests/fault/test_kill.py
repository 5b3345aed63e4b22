# SPDX-License-Identifier: Apache-2.0
"""Kill -9 anywhere: nothing acknowledged is lost, and asking again succeeds."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest

from strongroom.client import agreements, datasets, tasks
from strongroom.client.session import Session
from strongroom.core.codec import cbor
from strongroom.errors import (
    Conflict,
    NotFound,
    StrongroomError,
    Unavailable,
    error_from_value,
)
from tests.fault.processes import Process, descendants, find, gone, until
from tests.fault.proxy import When
from tests.fault.rig import DATA, Node, Part, Rig
from tests.integration.world import PASSPHRASE, terms

RESULT = {"total": 1, "count": 2}
MESSAGES = "^/v1/messages"
_STARTS_KILLED = 4


@pytest.fixture(scope="module")
def intl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    yield from _opened(tmp_path_factory.mktemp("intl"), "intl")


@pytest.fixture(scope="module")
def sm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    yield from _opened(tmp_path_factory.mktemp("sm"), "sm")


@pytest.fixture(params=["intl", "sm"])
def each(request: pytest.FixtureRequest) -> Rig:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Rig)
    return found


def _opened(folder: Path, suite_id: str) -> Iterator[Rig]:
    rig = Rig(folder, suite_id)
    try:
        rig.open()
        rig.check()
        yield rig
        rig.check()
    finally:
        rig.close()


def start(call: Callable[[], object]) -> Future[object]:
    """Run a call beside the test."""
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except StrongroomError as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Operation:
    """One thing that a party asks for: how, and how it shows that it happened."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.path = MESSAGES

    def ready(self) -> None:
        """Do what comes before; the broker is verified already."""

    def act(self) -> None:
        """Ask."""
        raise NotImplementedError

    def again(self) -> None:
        """Ask once more, as the party would: what is done already is a Conflict."""
        try:
            self.rig.insist(self.act)
        except Conflict as error:
            if "already" not in error.message:
                raise

    def happened(self) -> None:
        """See that the broker knows of it."""


class Hello(Operation):
    """A party verifies the broker."""

    def ready(self) -> None:
        self.path = "^/v1/hello"

    def act(self) -> None:
        self.rig.parties["clinic"].verify_broker()


class Register(Operation):
    """A provider registers a dataset: its key is in the message."""

    def ready(self) -> None:
        self.session = self.rig.parties["hospital"]
        plain = self.rig.folder / f"rows-{os.urandom(4).hex()}.csv"
        plain.write_text(DATA)
        self.sealed = plain.with_suffix(".sealed")
        home = self.session.home
        info = datasets.seal(home, plain, self.sealed, "rows", self.session.clock())
        self.id = info.dataset_id
        assert self.session.line is not None

    def act(self) -> None:
        datasets.register(self.session, self.sealed, terms().to_cedar())

    def happened(self) -> None:
        rows = self.rig.insist(lambda: self.session.ask("dataset.list", {}))
        assert self.id in str(rows)


class Sign(Operation):
    """The last party but one signs an agreement."""

    def ready(self) -> None:
        self.id = self.rig.agreement(self.rig.app_id, [self.rig.data], sign=False)
        self.session = self.rig.parties["clinic"]
        assert self.session.line is not None

    def act(self) -> None:
        agreements.sign(self.session, self.id)

    def happened(self) -> None:
        status = self.rig.insist(lambda: agreements.show(self.session, self.id))
        assert self.session.identity.public.id in str(status.to_value())
        rig = self.rig
        with pytest.raises(Conflict, match="already signed"):
            rig.insist(self.act)


class Request(Operation):
    """The demander asks for one use."""

    def ready(self) -> None:
        self.before = self.rig.uses()
        self.tasks: list[str] = []

    def act(self) -> None:
        self.tasks.append(self.rig.ask(self.rig.used))

    def happened(self) -> None:
        for task in self.tasks:
            assert json.loads(finish(self.rig, task)) == RESULT
        assert self.rig.uses() >= self.before + len(self.tasks)


class Fetch(Operation):
    """The demander fetches a result that is complete."""

    def ready(self) -> None:
        session = self.rig.parties["insurer"]
        self.task = self.rig.ask(self.rig.used)
        self.rig.insist(lambda: tasks.wait(session, self.task, 30))
        self.before = self.rig.uses()

    def act(self) -> None:
        target = self.rig.folder / f"fetched-{self.task[:16]}"
        tasks.fetch(self.rig.parties["insurer"], self.task, target)
        assert json.loads(target.read_bytes()) == RESULT

    def happened(self) -> None:
        assert self.rig.uses() == self.before


def finish(rig: Rig, task: str) -> bytes:
    """Return a task's result, asking until it is there."""
    return rig.insist(lambda: rig.done(task, 40))


POINTS: list[tuple[type[Operation], When, Part]] = [
    (Hello, "before", "enclave"),
    (Hello, "after", "template"),
    (Register, "before", "enclave"),
    (Register, "after", "enclave"),
    (Register, "after", "service"),
    (Sign, "before", "enclave"),
    (Sign, "after", "enclave"),
    (Sign, "after", "monitor"),
    (Request, "before", "enclave"),
    (Request, "after", "enclave"),
    (Request, "before", "service"),
    (Fetch, "before", "enclave"),
    (Fetch, "after", "template"),
]


def cut(rig: Rig, kind: type[Operation], when: When, part: Part) -> None:
    """Kill a part of the management node while one request of a call is stopped."""
    operation = kind(rig)
    operation.ready()
    with rig.proxy.hold(operation.path, when) as hold:
        call = start(operation.act)
        hold.wait()
        rig.kill("manage", part)
        if part in ("service", "monitor"):
            until(lambda: rig.nodes["manage"].poll() is not None, "the node ends too")
            rig.supervise()
        hold.drop()
        try:
            call.result(60)
        except Unavailable:
            operation.again()
    operation.happened()
    rig.check()


@pytest.mark.parametrize(
    ("kind", "when", "part"),
    POINTS,
    ids=[f"{kind.__name__}-{when}-{part}".lower() for kind, when, part in POINTS],
)
def test_a_call_survives_the_end_of_the_management_side(
    intl: Rig, kind: type[Operation], when: When, part: Part
) -> None:
    cut(intl, kind, when, part)


@pytest.mark.parametrize("kind", [Register, Sign, Request])
def test_the_same_in_suite_sm(sm: Rig, kind: type[Operation]) -> None:
    cut(sm, kind, "after", "enclave")


@pytest.mark.parametrize("kind", [Register, Sign, Request])
def test_a_broker_killed_while_it_writes_loses_nothing(
    each: Rig, kind: type[Operation]
) -> None:
    """Kill at the moment the journal grows: written, not committed, not answered."""
    operation = kind(each)
    operation.ready()
    journal = each.room_folder.management / "broker.journal"
    size, broker = journal.stat().st_size, each.part("manage", "enclave")
    call = start(operation.act)
    until(lambda: journal.stat().st_size > size, "the journal grows", pause=0)
    os.kill(broker.pid, signal.SIGKILL)
    try:
        call.result(60)
    except Unavailable:
        operation.again()
    gone([broker])
    operation.happened()
    each.check()


def test_a_broker_killed_again_and_again_while_it_replays(intl: Rig) -> None:
    """Kill each new broker as it starts or when it writes that it has opened."""
    journal = intl.room_folder.management / "broker.journal"
    killed: list[Process] = []

    def hunt() -> None:
        for number in range(_STARTS_KILLED):
            found = intl.part("manage", "enclave")
            size = journal.stat().st_size
            if number % 2:
                until(
                    lambda size=size, found=found: (  # type: ignore[misc]  # bound now
                        journal.stat().st_size > size or find(found.pid) is None
                    ),
                    "the broker writes",
                    pause=0,
                )
            os.kill(found.pid, signal.SIGKILL)
            killed.append(found)
            gone([found])

    hunter = threading.Thread(target=hunt)
    hunter.start()
    session = intl.parties["clinic"]
    while hunter.is_alive():
        try:
            agreements.show(session, intl.used)
        except Unavailable:
            continue
    hunter.join()
    assert len(set(killed)) == _STARTS_KILLED
    assert intl.insist(lambda: agreements.show(session, intl.used)).state == "active"
    intl.check()


RUNS: list[tuple[str, When, Node, Part]] = [
    ("release$", "before", "compute", "enclave"),
    ("release$", "before", "manage", "enclave"),
    ("release$", "after", "compute", "monitor"),
    ("release$", "after", "manage", "service"),
    ("complete$", "before", "manage", "enclave"),
    ("complete$", "after", "manage", "monitor"),
    ("complete$", "after", "compute", "service"),
]
LEASED: list[tuple[str, When, Node, Part]] = [
    ("release$", "before", "compute", "service"),
    ("complete$", "before", "compute", "service"),
]


def _cut_task(rig: Rig, path: str, when: When, node: Node, part: Part) -> str:
    """Ask for a use; kill a part while the attempt is stopped at a request."""
    with rig.proxy.hold(path, when) as hold:
        task = rig.insist(lambda: rig.ask(rig.used))
        hold.wait()
        rig.kill(node, part)
        if node == "manage":
            _ends_with_its_parts(rig, node, part)
        if when == "before":
            hold.let_go()
        else:
            hold.drop()
        if node == "compute":
            _ends_with_its_parts(rig, node, part)
    return task


@pytest.mark.parametrize(
    ("path", "when", "node", "part"), RUNS, ids=["-".join(row) for row in RUNS]
)
def test_a_task_survives_the_end_of_anything_on_its_way(
    intl: Rig, path: str, when: When, node: Node, part: Part
) -> None:
    before = intl.uses()
    task = _cut_task(intl, path, when, node, part)
    assert json.loads(finish(intl, task)) == RESULT
    assert intl.uses() == before + 1, "a task counts once, however often tried"
    intl.check()


def test_a_node_that_falls_silent_loses_its_tasks_to_the_next(intl: Rig) -> None:
    """Killed before the release, and with the receipt in its hand: one wait."""
    before = intl.uses()
    for task in [_cut_task(intl, *point) for point in LEASED]:
        assert json.loads(finish(intl, task)) == RESULT
    assert intl.uses() == before + len(LEASED)
    intl.check()


def _ends_with_its_parts(rig: Rig, node: Node, part: Part) -> None:
    """A node without its monitor is none: it ends, and its supervisor starts it."""
    if part in ("service", "monitor"):
        until(lambda: rig.nodes[node].poll() is not None, f"{node} ends")
        rig.supervise()


@pytest.mark.parametrize("part", ["enclave", "template"])
def test_a_task_goes_on_when_its_enclave_is_killed_in_the_app(
    each: Rig, part: Part
) -> None:
    task = each.ask(each.used, "1", "slow")
    _running(each)
    each.kill("compute", part)
    assert json.loads(finish(each, task)) == RESULT
    each.check()


def _running(rig: Rig) -> None:
    """Wait until an app is in its sleep."""
    until(
        lambda: any(
            p.sleeps for p in descendants(rig.part("compute", "enclave").pid)[1:]
        ),
        "the app runs",
    )


def test_a_task_that_waits_outlives_the_compute_monitor(intl: Rig) -> None:
    first, second = (intl.ask(intl.used, "1", "slow") for _ in range(2))
    _running(intl)
    intl.kill("compute", "monitor")
    _ends_with_its_parts(intl, "compute", "monitor")
    for task in (first, second):
        assert json.loads(finish(intl, task)) == RESULT
    intl.check()


def test_everything_is_killed_at_once(intl: Rig) -> None:
    before = intl.uses()
    signed = Sign(intl)
    signed.ready()
    signed.act()
    task = intl.ask(intl.used, "1", "slow")
    _running(intl)
    family = [p for node in intl.nodes.values() for p in descendants(node.pid)]
    for process in family:
        os.kill(process.pid, signal.SIGKILL)
    for node in intl.nodes.values():
        node.wait()
    gone(family)
    intl.supervise()
    signed.happened()
    assert json.loads(finish(intl, task)) == RESULT
    assert intl.uses() == before + 1
    intl.check()


def _cli(session: Session, *words: object) -> list[str]:
    passphrase = session.home.root.parent / "passphrase"
    passphrase.write_bytes(PASSPHRASE)
    passphrase.chmod(0o600)
    start = (sys.executable, "-m", "strongroom", "--home", session.home.root, "--json")
    return [str(w) for w in (*start, "--passphrase-file", passphrase, *words)]


@pytest.mark.parametrize("path", ["^/v1/objects", MESSAGES])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_registration_whose_command_is_killed_is_made_by_the_next(
    intl: Rig, path: str, when: When
) -> None:
    operation = Register(intl)
    operation.ready()
    policy = intl.folder / "any-use.cedar"
    policy.write_text(terms().to_cedar())
    words = _cli(
        operation.session,
        *("data", "register", operation.sealed, "--policy", policy),
    )
    with intl.proxy.hold(path, when) as hold:
        process = subprocess.Popen(words)
        hold.wait()
        process.kill()
        process.wait()
        hold.let_go()
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode in (0, Conflict.exit_code), done
    operation.happened()


def test_a_task_whose_command_is_killed_is_finished_all_the_same(
    intl: Rig, tmp_path: Path
) -> None:
    before, out = intl.uses(), tmp_path / "out.json"
    words = _cli(
        intl.parties["insurer"],
        *("task", "run", intl.used, "--entry-point", "main"),
        *("--value", 'name="ann"', "-o", out),
    )
    with intl.proxy.hold("complete$", "before") as hold:
        process = subprocess.Popen(words)
        hold.wait()
        process.kill()
        process.wait()
    until(lambda: intl.uses() == before + 1, "the task is counted")
    subprocess.run(words, capture_output=True, check=True)
    assert json.loads(out.read_bytes()) == RESULT
    assert intl.uses() == before + 2


def test_a_word_of_a_node_about_a_finished_task_does_not_restart_the_broker(
    intl: Rig,
) -> None:
    task = intl.ask(intl.used)
    finish(intl, task)
    broker = intl.part("manage", "enclave")
    body = cbor.encode({"error": Unavailable("no").to_value()})
    for name, kind in ((task, Conflict), ("0" * 64, NotFound)):
        url = f"{intl.url}/v1/attempts/{name}/1/failed"
        answer = httpx.post(url, content=body)
        assert isinstance(error_from_value(cbor.decode(answer.content)), kind)
    assert intl.part("manage", "enclave") == broker
