# SPDX-License-Identifier: Apache-2.0
"""Every route of `strongroom attack` ends as the page says, really tried (HW-1)."""

import contextlib
import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.attack import arena, processes, report
from strongroom.attack.arena import Users
from strongroom.attack.route import ACTORS, SUCCEEDED, Result
from strongroom.attack.table import ROUTES
from strongroom.system.monitor.sandbox import probe

PAGE = Path(__file__).parents[2] / "docs" / "attacks.md"
SLOW = ("device and journal", "gcore", "another device", "another platform")
"""Attacks that start machines or write core files: half of the time, spent in CI."""

FOR_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to be three users")
isolated = pytest.mark.skipif(
    any(how is not None for how in probe().values()), reason="locks are missing here"
)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    wanted = [
        route
        for route in ROUTES.values()
        if "CI" in os.environ
        or not any(word in f"{route.family} {route.name}" for word in SLOW)
    ]
    return list(arena.attack(wanted, ACTORS))


@isolated
def test_every_attack_ends_as_documented(results: list[Result]) -> None:
    assert [each for each in results if not report.is_as_known(each)] == []


@isolated
@FOR_ROOT
def test_little_is_left_untried(results: list[Result]) -> None:
    """As root all is tried, but what needs swap, a debugger or a capability."""
    reasons = {each.note for each in results if each.outcome == "not tried"}
    allowed = ("no swap is on", "is not installed", "lacks CAP_", "go to a program")
    assert [each for each in reasons if not any(part in each for part in allowed)] == []


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for temporary files that every user may use."""
    with tempfile.TemporaryDirectory(prefix="sr-") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


def run(
    place: Path, *options: str, user: int | None = None, code: int = 0
) -> dict[str, object]:
    """Run the command, as another user if told; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "strongroom", "attack", "--json", *options],
        env={"PATH": os.environ["PATH"], "HOME": "/", "TMPDIR": os.fspath(place)},
        cwd="/",
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    value: dict[str, object] = json.loads(done.stdout)
    return value


def lines_of_processes() -> list[bytes]:
    """Return the arguments of every process of the machine."""
    found = []
    for pid in processes.everyone():
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    return found


@isolated
@FOR_ROOT
def test_an_ordinary_user_attacks_alone_and_leaves_nothing_behind(
    place: Path,
) -> None:
    options = [f"--only={word}" for word in ("memory by p", "handle", "fork bomb")]
    rows = run(place, *options, user=Users.here().stranger)["results"]
    assert isinstance(rows, list)
    by_actor: dict[str, set[str]] = {}
    for row in rows:
        by_actor.setdefault(row["actor"], set()).add(row["outcome"])
    assert by_actor == {
        "same user": {"denied", "done", "refused"},
        "another user": {"not tried"},
        "root": {"not tried"},
        "app": {"stopped"},
    }
    assert list(place.iterdir()) == [], "files are left"
    left = [line for line in lines_of_processes() if os.fsencode(place) in line]
    assert left == [], "processes are left"


@isolated
@FOR_ROOT
def test_nothing_tried_is_no_success(place: Path) -> None:
    options = ("--only=memory by ptrace", "--actor=root")
    said = run(place, *options, user=Users.here().stranger, code=1)
    rows = said["results"]
    assert isinstance(rows, list)
    assert {row["outcome"] for row in rows} == {"not tried"}
    assert said["not_tried"] == len(rows) > 0


def test_the_page_is_the_table() -> None:
    known = report.known_results(ROUTES.values(), ACTORS)
    command = "strongroom attack --list --format markdown > docs/attacks.md"
    assert PAGE.read_text("utf-8") == report.page(known), f"run {command}"


def test_what_succeeds_has_a_reason_and_nothing_else_has() -> None:
    for route in ROUTES.values():
        for actor, known in route.known.items():
            assert bool(known.why) == (known.outcome in SUCCEEDED), (route.name, actor)


def test_nobody_but_root_reads_memory() -> None:
    for route in ROUTES.values():
        if route.family in ("ordinary memory", "secret memory"):
            ends = {route.known[a].outcome for a in ("same user", "another user")}
            assert ends == {"denied"}, route.name


def test_root_reads_secret_memory_by_injected_code_alone() -> None:
    read = {
        route.name
        for route in ROUTES.values()
        if route.family == "secret memory" and route.known["root"].outcome == "read"
    }
    assert read == {"secret memory by injected code (gdb)"}


def test_another_user_gets_nowhere() -> None:
    ends = {
        route.known["another user"].outcome
        for route in ROUTES.values()
        if "another user" in route.known
    }
    assert ends == {"denied", "nothing found"}


def test_grades_are_those_of_the_simulated_device() -> None:
    assert {route.grade for route in ROUTES.values()} == {"OS", "SIM"}


@pytest.mark.parametrize(
    ("outcome", "note", "is_known"),
    [
        ("denied", "EPERM", True),
        ("not tried", "no swap is on", True),
        ("read", "", False),
        ("error", errno.errorcode[errno.ENOSYS], False),
    ],
)
def test_an_outcome_that_is_not_the_known_one_is_unexpected(
    outcome: str, note: str, *, is_known: bool
) -> None:
    result = Result("memory by ptrace", "same user", outcome, note)  # type: ignore[arg-type]
    assert report.is_as_known(result) == is_known


def test_a_route_that_stopped_working_is_unexpected_too() -> None:
    result = Result("memory by ptrace", "root", "denied", "EPERM")
    assert not report.is_as_known(result)


def test_a_refusal_by_another_rule_is_unexpected() -> None:
    name = "the whole store set back"
    assert report.is_as_known(Result(name, "host", "refused", "storage.rollback"))
    assert not report.is_as_known(Result(name, "host", "refused", "storage.key"))
