# SPDX-License-Identifier: Apache-2.0
"""Any sequence of writes, commits and power cuts leaves what a dict would hold."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from strongroom.core.crypto import Buffer
from strongroom.errors import StrongroomError, Unavailable
from tests.services.storage.worlds import Counters, MemoryStore, World

if TYPE_CHECKING:
    from strongroom.services.storage import Snapshot, Storage, Transaction

KEYS = st.integers(0, 300).map(lambda n: b"b/%03d" % n)
Model = dict[bytes, bytes]


class Machine:
    """A machine whose power can be cut after a number of steps."""

    def __init__(self) -> None:
        self.steps_left: int | None = None

    def step(self) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                message = "no power"
                raise Unavailable(message)


class LosingStore(MemoryStore):
    """What was not synced is lost, kept or half there after a power cut."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine
        self.durable: dict[str, bytes] = {}

    def put(self, name: str, data: Buffer) -> None:
        self.machine.step()
        super().put(name, data)

    def sync(self) -> None:
        self.machine.step()
        self.durable = dict(self.objects)

    def delete(self, names: Iterable[str]) -> None:
        self.machine.step()
        super().delete(names)

    def cut(self, fate: st.DataObject) -> None:
        """Settle what becomes of everything that was put or deleted since."""
        outcome = st.sampled_from(["old", "new", "half"])
        for name in sorted(self.durable.keys() | self.objects.keys()):
            old, new = self.durable.get(name), self.objects.get(name)
            if old == new:
                continue
            became = fate.draw(outcome)
            data = old if became == "old" else new
            if data is not None and became == "half":
                data = data[: len(data) // 2]
            self.objects.pop(name, None)
            if data is not None:
                self.objects[name] = data
        self.durable = dict(self.objects)


class SteppedCounters(Counters):
    """Counters whose increments may be lost before or after they happened."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def increment(self, label: str) -> int:
        self.machine.step()
        value = super().increment(label)
        self.machine.step()
        return value


class Storages(RuleBasedStateMachine):
    """One storage beside a model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine()
        self.world = World("intl")
        self.store = self.world.store = LosingStore(self.machine)
        self.world.counters = SteppedCounters(self.machine)
        self.model: Model = {}
        self.storage: Storage
        self.transaction: tuple[Transaction, Model] | None = None
        self.snapshots: list[tuple[Snapshot, Model]] = []

    @initialize()
    def create(self) -> None:
        self.storage = self.world.open(create=True)

    @precondition(lambda self: self.transaction is None)
    @rule()
    def begin(self) -> None:
        self.transaction = (self.storage.begin(), dict(self.model))

    @precondition(lambda self: self.transaction is not None)
    @rule(keys=st.lists(KEYS, max_size=200), data=st.binary(max_size=20))
    def write(self, keys: list[bytes], data: bytes) -> None:
        assert self.transaction is not None
        transaction, model = self.transaction
        for key in keys:
            transaction.write(key, data)
            model[key] = data

    @precondition(lambda self: self.transaction is not None)
    @rule(keys=st.lists(KEYS, max_size=200))
    def delete(self, keys: list[bytes]) -> None:
        assert self.transaction is not None
        transaction, model = self.transaction
        for key in keys:
            transaction.delete(key)
            model.pop(key, None)

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def commit(self) -> None:
        assert self.transaction is not None
        transaction, model = self.transaction
        self.transaction = None
        transaction.commit()
        self.model = model

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def give_up(self) -> None:
        assert self.transaction is not None
        self.transaction[0].close()
        self.transaction = None

    @rule()
    def look(self) -> None:
        self.snapshots.append((self.storage.snapshot(), dict(self.model)))

    @precondition(lambda self: self.snapshots)
    @rule()
    def look_again(self) -> None:
        snapshot, model = self.snapshots.pop(0)
        with snapshot:
            assert {key: snapshot.read(key) for key in list(snapshot.keys())} == model

    @rule(steps=st.integers(0, 40), keys=st.lists(KEYS), fate=st.data())
    def lose_power(self, steps: int, keys: list[bytes], fate: st.DataObject) -> None:
        """Cut the power while a transaction commits, or some time after it."""
        old, new = self.model, dict(self.model) | dict.fromkeys(keys, b"cut")
        promised, begun = False, False
        self.machine.steps_left = steps
        try:
            with self.storage.begin() as transaction:
                for key in keys:
                    transaction.write(key, b"cut")
                begun = True
            promised = True
            self.storage = self.world.open()
        except StrongroomError:
            pass
        self.machine.steps_left = None
        self.store.cut(fate)
        self.transaction, self.snapshots = None, []
        self.storage = self.world.open()
        found = self.contents()
        allowed = [new] if promised else [old, new] if begun else [old]
        assert found in allowed
        self.model = found

    @rule()
    def open_again(self) -> None:
        self.transaction, self.snapshots = None, []
        self.storage = self.world.open()

    @precondition(lambda self: not self.transaction and not self.snapshots)
    @rule()
    def nothing_is_left_over_after_a_sweep(self) -> None:
        self.storage.sweep()
        assert self.storage.sweep() == 0

    @invariant()
    def the_contents_are_the_models(self) -> None:
        if hasattr(self, "storage"):
            assert self.contents() == self.model

    def contents(self) -> Model:
        with self.storage.snapshot() as snapshot:
            keys = list(snapshot.keys())
            assert keys == sorted(keys)
            return {key: snapshot.read(key) for key in keys}


TestStorages = Storages.TestCase
TestStorages.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)
