# SPDX-License-Identifier: Apache-2.0
"""Blocks over a store that nobody trusts (STOR): newest or refused, whole or not."""

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import (
    Conflict,
    LimitReached,
    NotFound,
    Refused,
    StrongroomError,
)
from strongroom.services.storage import Place, ProtectedStore

KEY = SecretBuffer(32)
KEY.fill_random()
PLACE = Place(b"m" * 32, "alice", "ledger")


class PowerCut(Exception):
    """The machine stopped."""


class Objects:
    """An object store in memory; `left` operations that change it, then a power cut."""

    def __init__(self, held: dict[str, bytes] | None = None) -> None:
        self.held = dict(held or {})
        self.left = -1

    def get(self, name: str) -> bytes | None:
        return self.held.get(name)

    def put(self, name: str, data: bytes) -> None:
        self._spend()
        self.held[name] = data

    def delete(self, name: str) -> None:
        self._spend()
        self.held.pop(name, None)

    def names(self) -> tuple[str, ...]:
        return tuple(self.held)

    def _spend(self) -> None:
        if self.left == 0:
            raise PowerCut
        self.left -= 1


class Device:
    """The counters of a device: they never go back."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.left = -1

    def counter(self, label: str) -> int:
        return self.values.get(label, 0)

    def increment(self, label: str) -> int:
        if self.left == 0:
            raise PowerCut
        self.left -= 1
        self.values[label] = self.counter(label) + 1
        return self.values[label]


def opened(
    objects: Objects,
    device: Device,
    place: Place = PLACE,
    key: SecretBuffer = KEY,
    suite_id: str = "intl",
) -> ProtectedStore:
    """Open the namespace."""
    return ProtectedStore(suite_id, place, key, device, objects, os.urandom)


def put(store: ProtectedStore, **blocks: bytes) -> None:
    """Write blocks together."""
    with store.write() as transaction:
        for block, data in blocks.items():
            transaction.put(block, data)


def rule(act: Callable[[], object]) -> str:
    """Return the rule that refuses."""
    with pytest.raises(Refused) as refusal:
        act()
    return refusal.value.findings[0].rule


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_what_is_stored_is_read_again_and_the_store_sees_ciphertext(
    suite_id: str,
) -> None:
    objects, device = Objects(), Device()
    store = opened(objects, device, suite_id=suite_id)
    put(store, a=b"plain figures", b=b"")
    put(store, a=b"newer figures")
    again = opened(objects, device, suite_id=suite_id)
    assert (again.load("a"), again.load("b")) == (b"newer figures", b"")
    assert (again.version, again.version_of("a"), again.version_of("b")) == (2, 2, 1)
    assert not any(b"figures" in data for data in objects.held.values())
    with pytest.raises(NotFound):
        again.load("c")


@given(
    st.lists(
        st.dictionaries(
            st.text("abcdefgh", min_size=1, max_size=2), st.binary(max_size=20)
        ),
        max_size=12,
    )
)
@settings(max_examples=40)
def test_it_holds_what_a_dictionary_would(writes: list[dict[str, bytes]]) -> None:
    objects, device, model = Objects(), Device(), dict[str, bytes]()
    for blocks in writes:
        put(opened(objects, device), **blocks)
        model |= blocks
    store = opened(objects, device)
    assert {block: store.load(block) for block in store.blocks()} == model
    assert store.collect() == 0


def test_many_blocks_change_few_objects() -> None:
    objects, device = Objects(), Device()
    store = opened(objects, device)
    put(store, **{f"block-{n}": b"%d" % n for n in range(2000)})
    before = set(objects.held)
    put(store, **{"block-7": b"seven"})
    assert len(set(objects.held) - before) < 8
    assert len(before - set(objects.held)) < 8
    assert opened(objects, device).load("block-1999") == b"1999"
    assert store.collect() == 0


def test_yesterdays_copy_of_the_whole_store_is_refused_in_words() -> None:
    objects, device = Objects(), Device()
    store = opened(objects, device)
    put(store, balance=b"100")
    yesterday = dict(objects.held)
    put(store, balance=b"5")
    with pytest.raises(Refused) as refusal:
        opened(Objects(yesterday), device)
    finding = refusal.value.findings[0]
    assert finding.rule == "storage.rollback"
    assert finding.expected == "the store at version 2, as the device has counted"
    assert finding.got == "an older copy, at version 1"
    with pytest.raises(Refused, match="empty store"):
        opened(Objects(), device)
    renamed = {name.replace("head.1", "head.2"): d for name, d in yesterday.items()}
    assert rule(lambda: opened(Objects(renamed), device)) == "storage.object"


def test_one_block_turned_back_moved_cut_or_lost_is_refused() -> None:
    objects, device = Objects(), Device()
    put(opened(objects, device), a=b"A" * 100, b=b"B" * 100)
    sealed = dict(objects.held)
    for name in [n for n in sealed if ".head." not in n]:
        other = next(n for n in sealed if n != name and ".head." not in n)
        tricks = (
            sealed[name][:-1] + bytes([sealed[name][-1] ^ 1]),
            sealed[other],
            sealed[name][:10],
            None,
        )
        for trick in tricks:
            changed = {**sealed, name: trick} if trick else dict(sealed)
            if trick is None:
                del changed[name]

            def read(held: dict[str, bytes] = changed) -> None:
                store = opened(Objects(held), device)
                store.load("a")
                store.load("b")

            assert rule(read) == "storage.object"


def test_another_app_owner_namespace_or_device_opens_nothing() -> None:
    objects, device = Objects(), Device()
    put(opened(objects, device), a=b"secret")
    counted = dict(device.values)
    with SecretBuffer(32) as foreign:
        foreign.fill_random()
        assert rule(lambda: opened(objects, device, key=foreign)) == "storage.object"
    for place in (
        Place(b"n" * 32, "alice", "ledger"),
        Place(b"m" * 32, "bob", "ledger"),
        Place(b"m" * 32, "alice", "other"),
    ):
        device.values = {place.label: 1, **counted}
        with pytest.raises(Refused, match="empty store"):
            opened(objects, device, place)


def test_apps_that_share_a_store_leave_one_another_alone() -> None:
    objects, device = Objects(), Device()
    put(opened(objects, device), a=b"secret")
    other = Place(b"n" * 32, "alice", "ledger")
    put(opened(objects, Device(), other), a=b"beside it")
    assert opened(objects, device).collect() == 0
    assert opened(objects, device).load("a") == b"secret"


def test_a_crash_at_any_point_leaves_the_old_state_or_the_new() -> None:
    seen, done = set(), False
    for steps in range(40):
        objects, device = Objects(), Device()
        put(opened(objects, device), a=b"old", b=b"old", c=b"kept")
        objects.left = steps
        try:
            put(opened(objects, device), a=b"new", b=b"new")
            done = True
        except PowerCut:
            done = False
        objects.left = -1
        store = opened(objects, device)
        state = (store.load("a"), store.load("b"), store.load("c"))
        assert state in {(b"old", b"old", b"kept"), (b"new", b"new", b"kept")}
        seen.add(state)
        store.collect()
        put(store, a=b"later")
        again = opened(objects, device)
        assert again.load("a") == b"later"
        assert again.collect() == 0
        if done:
            break
    assert done
    assert len(seen) == 2


def test_a_crash_before_the_count_leaves_the_old_state() -> None:
    objects, device = Objects(), Device()
    put(opened(objects, device), a=b"old")
    device.left = 0
    with pytest.raises(PowerCut):
        put(opened(objects, device), a=b"new")
    device.left = -1
    store = opened(objects, device)
    assert store.load("a") == b"old"
    put(store, a=b"other")
    assert opened(objects, device).load("a") == b"other"


def test_an_enclave_that_another_has_overtaken_is_told_so() -> None:
    objects, device = Objects(), Device()
    first, second = opened(objects, device), opened(objects, device)
    put(first, a=b"first")
    with pytest.raises(Conflict):
        put(second, a=b"second")
    assert opened(objects, device).load("a") == b"first"


def test_an_abandoned_transaction_writes_nothing() -> None:
    objects, device = Objects(), Device()
    store = opened(objects, device)

    def write() -> None:
        with store.write() as transaction:
            transaction.put("a", b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert objects.held == {}
    with pytest.raises(LimitReached), store.write() as transaction:
        transaction.put("a", bytes((8 << 20) + 1))


@given(st.integers(0, 10_000), st.integers(0, 7))
@settings(max_examples=60)
def test_a_flipped_bit_anywhere_is_refused(at: int, bit: int) -> None:
    objects, device = Objects(), Device()
    put(opened(objects, device), a=b"A" * 40)
    names = sorted(objects.held)
    name = names[at % len(names)]
    data = bytearray(objects.held[name])
    data[at % len(data)] ^= 1 << bit
    objects.held[name] = bytes(data)
    with pytest.raises(StrongroomError):
        opened(objects, device).load("a")
