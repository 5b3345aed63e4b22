# SPDX-License-Identifier: Apache-2.0
"""Starts a room and its attackers, each as its own user, and ends them all.

As root it takes three users' places: two that nobody else on the machine is, and its
own. As anybody else the room is this user's, and so is the one attacker.
"""

import contextlib
import json
import os
import pwd
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from strongroom.attack.processes import below, everyone, uid_of
from strongroom.attack.room import unmasked
from strongroom.attack.route import Actor, Result, Route
from strongroom.attack.target import Target
from strongroom.errors import Misconfigured, StrongroomError, error_from_value

_FIRST_UID, _UIDS = 61_184, 4_000
"""Of the range that no account is made in, and services get for a while."""
_END_S = 20.0
_MOST_S = 600.0
_KEPT = ("PATH", "LANG", "LC_ALL")
Child = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Users:
    """Who is who: the room's user, a stranger, root; None for who cannot be had."""

    owner: int
    stranger: int | None
    root: int | None

    @classmethod
    def here(cls) -> "Users":
        """Return the users that this process can be."""
        if os.geteuid():
            return cls(os.geteuid(), None, None)
        taken = {uid_of(pid) for pid in everyone()}
        start = secrets.randbelow(_UIDS)
        uids = (_FIRST_UID + (start + n) % _UIDS for n in range(_UIDS))
        free = (uid for uid in uids if uid not in taken and _new(uid))
        return cls(next(free), next(free), 0)

    def of(self, actor: Actor) -> int | None:
        """Return the user of an actor: app and host run as whoever has the room."""
        return {"another user": self.stranger, "root": self.root}.get(actor, self.owner)


def attack(routes: Sequence[Route], actors: Sequence[Actor]) -> Generator[Result]:
    """Try routes as actors, in this order; yield each result as it comes.

    Raises:
        Misconfigured: no room can be started on this machine; says why.
    """
    users = Users.here()
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(users.owner))
        stack.callback(_sweep, users)
        target = stack.enter_context(_room(folder, users.owner))
        for actor in actors:
            names = [route.name for route in routes if actor in route.known]
            uid = users.of(actor)
            if uid is None:
                reason = "takes root, to be another user"
                yield from (Result(n, actor, "not tried", reason) for n in names)
            elif names:
                yield from _attack_as(uid, actor, names, target)


def _attack_as(
    uid: int, actor: Actor, names: list[str], target: Target
) -> Iterator[Result]:
    """Yield what one attacker reports; what it does not report ended in an error."""
    left = list(names)
    with (
        tempfile.TemporaryFile() as errors,
        _child(uid, errors, "strongroom.attack.actor", actor, *names) as child,
    ):
        stdin, stdout = _pipes(child)
        deadline = threading.Timer(_MOST_S, child.kill)
        deadline.start()
        try:
            stdin.write(target.to_bytes())
            stdin.close()
            for line in stdout:
                result = Result(**json.loads(line))
                left.remove(result.route)
                yield result
            child.wait(_END_S)
        finally:
            deadline.cancel()
            child.terminate()  # of use only if it was cut short
        errors.seek(0)
        reason = errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
    yield from (Result(name, actor, "error", reason[:200]) for name in left)


@contextmanager
def _folder(owner: int) -> Iterator[Path]:
    """Make a folder that its modes alone protect."""
    with tempfile.TemporaryDirectory(prefix="strongroom-attack-") as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "room"
        folder.mkdir(mode=0o700)
        os.chown(folder, owner, -1)
        yield folder


@contextmanager
def _room(folder: Path, owner: int) -> Iterator[Target]:
    with (
        tempfile.TemporaryFile() as errors,
        _child(owner, errors, "strongroom.attack.room", os.fspath(folder)) as child,
    ):
        _, stdout = _pipes(child)
        line = stdout.readline().strip()
        if not line:
            child.wait(_END_S)
            errors.seek(0)
            raise _why_not(errors.read(), owner)
        yield unmasked(Target.from_bytes(bytes.fromhex(line.decode("ascii"))))


@contextmanager
def _child(
    uid: int, errors: IO[bytes], module: str, *arguments: str
) -> Iterator[Child]:
    """Run a module of ours as a user; it and all below it end with the context."""
    mine = uid == os.geteuid()
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-B", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd="/",
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        user=None if mine else uid,
        group=None if mine else uid,
        extra_groups=None if mine else [],
    )
    try:
        yield child
    finally:
        _end(child)


def _end(child: Child) -> None:
    """Close its stdin, which ends it; kill by id what is left after a while."""
    family = below(child.pid)
    stdin, stdout = _pipes(child)
    stdin.close()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        for pid in reversed(family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.wait()
    stdout.close()


def _sweep(users: Users) -> None:
    """Kill, by id, whatever users that are nobody else's have left."""
    if users.stranger is None:
        return
    for pid in everyone():
        if uid_of(pid) in (users.owner, users.stranger):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _pipes(child: Child) -> tuple[IO[bytes], IO[bytes]]:
    if child.stdin is None or child.stdout is None:
        message = "a child without pipes"
        raise Misconfigured(message)
    return child.stdin, child.stdout


def _why_not(said: bytes, owner: int) -> StrongroomError:
    """Return the error that the room left on its last line."""
    lines = said.decode("utf-8", "replace").strip().splitlines() or ["nothing"]
    try:
        return error_from_value(json.loads(lines[-1]))
    except json.JSONDecodeError:
        message = (
            f"no room starts for user {owner}: {lines[-1][:200]}; this user must be "
            f"able to read {sys.executable} and {Path(__file__).parents[1]}"
        )
        return Misconfigured(message)


def _new(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return True
    return False
