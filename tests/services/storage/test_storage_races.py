# SPDX-License-Identifier: Apache-2.0
"""A host that pauses, doubles and kills owners, and keeps everything it ever saw.

What was acknowledged is never undone, and what a later owner has read never changes
under it, whichever of the heads that were ever written the host shows.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product

import pytest

from strongroom.core.crypto import Buffer
from strongroom.errors import Conflict, Stale
from tests.services.storage.worlds import Counters, MemoryStore, World


class Killed(BaseException):
    """The enclave is gone in the middle of what it did."""


class Hoarder(MemoryStore):
    """A host that deletes nothing and gives whichever copy it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: dict[str, list[bytes]] = {}
        self.likes_old = False

    def put(self, name: str, data: Buffer) -> None:
        self.copies.setdefault(name, []).append(bytes(data))
        super().put(name, data)

    def get(self, name: str) -> bytes | None:
        copies = self.copies.get(name)
        return copies[0 if self.likes_old else -1] if copies else None

    def delete(self, names: Iterable[str]) -> None:
        """Pretend."""

    def names(self, prefix: str) -> Iterator[str]:
        return iter([name for name in self.copies if name.startswith(prefix)])


class Steps:
    """Counts what one owner asks for, and does something else before one of them."""

    def __init__(self, at: int, other: Callable[[], None]) -> None:
        self.left, self.other = at, other

    def step(self) -> None:
        self.left -= 1
        if self.left == -1:
            self.other()


class SteppedStore(Hoarder):
    """The host's store as one owner sees it."""

    def __init__(self, store: Hoarder, steps: Steps) -> None:
        self.store, self.steps = store, steps

    def put(self, name: str, data: Buffer) -> None:
        self.steps.step()
        self.store.put(name, data)

    def get(self, name: str) -> bytes | None:
        self.steps.step()
        return self.store.get(name)

    def sync(self) -> None:
        self.steps.step()

    def delete(self, names: Iterable[str]) -> None:
        self.steps.step()
        self.store.delete(names)

    def names(self, prefix: str) -> Iterator[str]:
        self.steps.step()
        return self.store.names(prefix)


class SteppedCounters(Counters):
    """The device's counters as one owner sees them."""

    def __init__(self, counters: Counters, steps: Steps) -> None:
        self.counters, self.steps = counters, steps

    def counter(self, label: str) -> int:
        self.steps.step()
        return self.counters.counter(label)

    def increment(self, label: str) -> int:
        self.steps.step()
        return self.counters.increment(label)


class Host(World):
    """A world whose host hoards."""

    def __init__(self) -> None:
        super().__init__("intl")
        self.hoard = Hoarder()
        self.store = self.hoard
        with self.open(create=True) as storage:
            storage.write("a", b"0")

    def stepped(self, at: int, other: Callable[[], None]) -> World:
        """Return the world of an owner to whom `other` happens before a step."""
        world, steps = World("intl"), Steps(at, other)
        world.store = SteppedStore(self.hoard, steps)
        world.counters = SteppedCounters(self.counters, steps)
        world.random = self.random  # type: ignore[method-assign]
        return world


def work(world: World, value: bytes) -> bool:
    """Open, write one block, and tell whether that was promised."""
    try:
        world.open().write("a", value)
    except Conflict:
        return False
    return True


def steps_of_work() -> int:
    host, most = Host(), 10_000
    world = host.stepped(most, lambda: None)
    assert work(world, b"1")
    assert isinstance(world.store, SteppedStore)
    return most - world.store.steps.left


STEPS = range(steps_of_work() + 1)


def kill() -> None:
    raise Killed


def test_there_are_steps_to_try() -> None:
    assert len(STEPS) > 25


@pytest.mark.parametrize("likes_old", [False, True])
@pytest.mark.parametrize("at", STEPS)
def test_an_owner_killed_at_any_step_leaves_the_old_state_or_the_new(
    at: int, *, likes_old: bool
) -> None:
    host = Host()
    promised = False
    with suppress(Killed):
        promised = work(host.stepped(at, kill), b"1")
    host.hoard.likes_old = likes_old
    found = host.open().read("a")
    assert found == b"1" if promised else found in (b"0", b"1")
    assert host.open().read("a") == found


@pytest.mark.parametrize("likes_old", [False, True])
@pytest.mark.parametrize(("first", "second"), list(product(STEPS[::2], STEPS[1::3])))
def test_what_was_seen_after_a_kill_stays_after_another(
    first: int, second: int, *, likes_old: bool
) -> None:
    """Two killed writers leave heads for the same numbers; only one branch may win."""
    host = Host()
    for at, value in ((first, b"1"), (second, b"2")):
        with suppress(Killed):
            work(host.stepped(at, kill), value)
    host.hoard.likes_old = likes_old
    found = host.open().read("a")
    assert found in (b"0", b"1", b"2")
    for host.hoard.likes_old in (True, False, likes_old):
        assert host.open().read("a") == found


@pytest.mark.parametrize("likes_old", [False, True])
@pytest.mark.parametrize("at", STEPS)
def test_an_owner_paused_at_any_step_undoes_nothing_of_the_next(
    at: int, *, likes_old: bool
) -> None:
    host, later = Host(), []

    def next_owner() -> None:
        later.append(host.open())
        later[0].write("b", b"promised")

    promised = work(host.stepped(at, next_owner), b"1")
    host.hoard.likes_old = likes_old
    if not later:
        return
    try:
        again = host.open()
    except Stale:
        # The paused owner took a number that no state has: no old one is shown for
        # it, and whoever has the storage open goes on.
        later[0].write("c", b"")
        again = host.open()
    assert again.read("b") == b"promised"
    found = again.read("a")
    assert found == b"1" if promised else found in (b"0", b"1")


@pytest.mark.parametrize("likes_old", [False, True])
@pytest.mark.parametrize("at", STEPS)
def test_what_one_paused_wrote_afterwards_never_counts_for_the_next_owner(
    at: int, *, likes_old: bool
) -> None:
    """It went on as far as it could; then the owner writes under the same number."""
    host, later = Host(), []

    def next_owner() -> None:
        later.append(host.open())

    promised = work(host.stepped(at, next_owner), b"1")
    if promised or not later:
        return  # it was paused before its turn began, or after all was done
    later[0].write("b", b"promised")
    host.hoard.likes_old = likes_old
    again = host.open()
    assert again.read("b") == b"promised"
    assert again.read("a") in (b"0", b"1")


@pytest.mark.parametrize("at", STEPS)
def test_an_opening_paused_at_any_step_undoes_nothing_of_the_one_before(
    at: int,
) -> None:
    host = Host()
    before = host.open()
    promised = []

    def go_on() -> None:
        with suppress(Conflict):
            before.write("b", b"promised")
            promised.append(True)
        raise Killed

    with suppress(Killed):
        work(host.stepped(at, go_on), b"1")
    for host.hoard.likes_old in (True, False):
        again = host.open()
        assert list(again.ids()) == (["a", "b"] if promised else ["a"])


@pytest.mark.parametrize("likes_old", [False, True])
@pytest.mark.parametrize("at", STEPS[18:])
def test_what_an_owner_promised_outlives_an_opening_that_was_killed_meanwhile(
    at: int, *, likes_old: bool
) -> None:
    """The opening has written heads of its own for the numbers the owner takes."""
    for killed_at in STEPS[:25]:
        host = Host()

        def opening(host: Host = host, killed_at: int = killed_at) -> None:
            with suppress(Killed):
                host.stepped(killed_at, kill).open().write("b", b"2")

        promised = work(host.stepped(at, opening), b"1")
        host.hoard.likes_old = likes_old
        try:
            again = host.open()
        except Stale:
            continue  # shown no old state: the data is withheld, not turned back
        found = (again.read("a"), *again.ids())
        assert found[0] == b"1" if promised else found[0] in (b"0", b"1")
        for host.hoard.likes_old in (True, False):
            again = host.open()
            assert (again.read("a"), *again.ids()) == found
