# SPDX-License-Identifier: Apache-2.0
"""Owners in any order, step by step: what is seen only grows, and holds what was said.

Every write adds one block under a new id, and nothing is deleted. So two states are of
one line if one holds the other, and a promise is kept if the block is there.
"""

import threading
from contextlib import suppress
from random import Random

from hypothesis import given, settings, strategies as st

from strongroom.errors import StrongroomError
from tests.services.storage.test_storage_races import Host, Killed

_ROUNDS = 3


class Actor(threading.Thread):
    """An owner that goes one step each time it is told, until it is killed."""

    def __init__(self, name: str, host: Host, history: "History") -> None:
        super().__init__(daemon=True)
        self.id, self.history = name, history
        self.world = host.stepped(0, lambda: None)
        steps = vars(self.world.store)["steps"]
        steps.step = self.step
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._killed = False
        self.over = False

    def step(self) -> None:
        """Wait to be told; called before each thing asked of store or counters."""
        self._done.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def advance(self, *, kill: bool = False) -> None:
        """Let the actor do one step, or die before it."""
        self._killed = kill
        self._go.release()
        self._done.acquire()

    def begin(self) -> None:
        """Start, up to before the first step."""
        self.start()
        self._done.acquire()

    def run(self) -> None:
        """Open, then look and write in turn; begin again when it is refused."""
        try:
            for attempt in range(_ROUNDS):
                with suppress(StrongroomError):
                    self._own(f"{self.id}{attempt}")
        except Killed:
            pass
        finally:
            self.over = True
            self._done.release()

    def _own(self, name: str) -> None:
        storage = self.world.open()
        for turn in range(_ROUNDS):
            known = self.history.promised()
            self.history.saw(frozenset(storage.ids()), known)
            storage.write(f"{name}{turn}", b"")
            self.history.promise(f"{name}{turn}")


class History:
    """What was promised, and what was seen, in the order in which that was."""

    def __init__(self) -> None:
        self._promised: frozenset[str] = frozenset({"a"})
        self.states: list[frozenset[str]] = []
        self.broken: list[str] = []

    def promised(self) -> frozenset[str]:
        """Return everything that was acknowledged up to now, or seen."""
        return self._promised

    def promise(self, block_id: str) -> None:
        """Take down an acknowledged write."""
        self._promised |= {block_id}

    def saw(self, state: frozenset[str], known: frozenset[str]) -> None:
        """Take down a state that was read, by one who began when `known` held."""
        if not known <= state:
            self.broken.append(f"{sorted(known - state)} gone from {sorted(state)}")
        for other in self.states:
            if not (state <= other or other <= state):
                self.broken.append(f"{sorted(state)} beside {sorted(other)}")
        self.states.append(state)
        self._promised |= state


def play(random: Random) -> History:
    """Run three owners in a random order, with a host that shows random copies."""
    host, history = Host(), History()
    actors = [Actor(name, host, history) for name in "xyz"]
    for actor in actors:
        actor.begin()
    while alive := [actor for actor in actors if not actor.over]:
        actor = random.choice(alive)
        for _ in range(random.choice([1, 1, 2, 5, 20, 60])):
            host.hoard.likes_old = random.random() < 0.5
            if not actor.over:
                actor.advance(kill=random.random() < 0.005)
    host.hoard.likes_old = random.random() < 0.5
    with suppress(StrongroomError):
        known = history.promised()
        history.saw(frozenset(host.open().ids()), known)
    return history


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_no_order_of_steps_undoes_what_was_promised_or_seen(random: Random) -> None:
    assert play(random).broken == []


def test_the_owners_get_something_done() -> None:
    randoms = map(Random, range(20))
    states = [play(random).states for random in randoms]
    assert sum(map(len, states)) > 60
    assert max(len(state) for each in states for state in each) > 3
