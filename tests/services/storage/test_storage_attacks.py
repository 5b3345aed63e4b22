# SPDX-License-Identifier: Apache-2.0
"""A host that alters the store: each attack is refused, by a rule of its own."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import SUITES, SecretBuffer
from strongroom.errors import (
    NotFound,
    Refused,
    Stale,
    StrongroomError,
    Tampered,
    Untrusted,
)
from strongroom.services.storage import Storage
from strongroom.services.storage.head import head_name
from tests.services.storage.worlds import KEY, World, place_of

OTHER_KEY = bytes(reversed(KEY))


@pytest.fixture(params=sorted(SUITES))
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture
def storage(world: World) -> Storage:
    storage = world.open(create=True)
    storage.write("a", b"first a")
    storage.write("b", b"first b")
    return storage


def ids(storage: Storage) -> list[str]:
    return list(storage.ids())


def name_of(storage: Storage, block_id: str) -> str:
    state = storage._state
    ref = state.tree.find(state._head.root, b"b/" + block_id.encode())
    assert ref is not None
    return state.box.prefix + ref.name


def refused(kind: type[Refused], rule: str, action: Callable[[], object]) -> str:
    with pytest.raises(kind) as error:
        action()
    (finding,) = error.value.findings
    assert finding.rule == rule
    assert finding.remedy.endswith(".")
    return error.value.message


def test_a_block_with_any_bit_flipped(world: World, storage: Storage) -> None:
    name = name_of(storage, "a")
    good = world.objects[name]
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        world.objects[name] = bytes(bad)
        refused(Tampered, "storage.altered", lambda: storage.read("a"))
    world.objects[name] = good
    assert storage.read("a") == b"first a"


def test_two_blocks_swapped(world: World, storage: Storage) -> None:
    a, b = name_of(storage, "a"), name_of(storage, "b")
    storage.write("c", b"of a later version")
    objects = world.objects
    objects[a], objects[b] = objects[b], objects[a]
    refused(Tampered, "storage.swapped", lambda: storage.read("a"))
    refused(Stale, "storage.stale-block", lambda: storage.read("b"))


def test_a_block_cut_or_made_longer(world: World, storage: Storage) -> None:
    name = name_of(storage, "a")
    good = world.objects[name]
    for bad in [*(good[:n] for n in range(len(good))), good + b"\0"]:
        world.objects[name] = bad
        rules = ("storage.truncated", "storage.swapped", "storage.stale-block")
        with pytest.raises(Refused) as error:
            storage.read("a")
        assert error.value.findings[0].rule in rules
    world.objects[name] = good + good[-16:]
    refused(Tampered, "storage.truncated", lambda: storage.read("a"))


def test_a_block_deleted(world: World, storage: Storage) -> None:
    del world.objects[name_of(storage, "a")]
    refused(Tampered, "storage.missing", lambda: storage.read("a"))
    assert storage.read("b") == b"first b"


def test_one_block_put_back_to_its_older_version(
    world: World, storage: Storage
) -> None:
    old = world.objects[name_of(storage, "a")]
    storage.write("a", b"later a")
    world.objects[name_of(storage, "a")] = old
    message = refused(Stale, "storage.stale-block", lambda: storage.read("a"))
    assert "an old copy was put back" in message


def test_the_whole_store_set_back_to_yesterday(world: World, storage: Storage) -> None:
    yesterday = deepcopy(world.objects)
    reached = storage._state.counter
    storage.write("a", b"later a")
    storage.close()
    today, world.objects = world.objects, yesterday
    message = refused(Stale, "storage.rollback", world.open)
    assert f"expected the state of counter {reached + 1}" in message
    assert f"got the state of counter {reached}: the store was set back" in message
    assert "Restore the copy that was made last" in message
    world.objects = today
    assert world.open().read("a") == b"later a"


def test_an_empty_store_in_the_place_of_a_full_one(
    world: World, storage: Storage
) -> None:
    storage.close()
    world.objects = {}
    for create in (False, True):
        message = refused(Stale, "storage.rollback", partial(world.open, create=create))
        assert "no state at all" in message


def test_an_old_head_under_the_name_of_the_new(world: World, storage: Storage) -> None:
    prefix = storage._state.box.prefix
    old = world.objects[prefix + head_name(storage._state.counter)]
    storage.write("a", b"later a")
    world.objects[prefix + head_name(storage._state.counter)] = old
    refused(Stale, "storage.rollback", world.open)


def test_a_head_with_any_bit_flipped(world: World, storage: Storage) -> None:
    name = storage._state.box.prefix + head_name(storage._state.counter)
    good = deepcopy(world.objects)
    seen = set()
    for bit in range(len(good[name]) * 8):
        bad = bytearray(good[name])
        bad[bit // 8] ^= 1 << bit % 8
        world.objects = good | {name: bytes(bad)}
        with pytest.raises(Refused) as error:
            world.open()
        seen.add(error.value.findings[0].rule)
    assert seen == {"storage.head", "storage.key", "storage.owner"}
    world.objects = good
    assert world.open().read("a") == b"first a"


@given(length=st.integers(0, 400))
@settings(max_examples=30)
def test_a_head_that_is_cut_is_refused(length: int) -> None:
    world = World("intl")
    storage = world.open(create=True)
    storage.write("a", b"")
    name = storage._state.box.prefix + head_name(storage._state.counter)
    length = min(length, len(world.objects[name]) - 1)
    world.objects[name] = world.objects[name][:length]
    refused(Tampered, "storage.head", world.open)


def test_a_node_of_the_tree_altered_swapped_or_gone(world: World) -> None:
    storage = world.open(create=True)
    with storage.begin() as transaction:
        for n in range(500):
            transaction.write(b"b/%d" % n, b"")
    state = storage._state
    root = state._head.root
    nodes = [
        state.box.prefix + ref.name for ref in state.tree.objects(root) if ref.length
    ]
    assert len(nodes) > 8
    good, counters = world.objects, dict(world.counters.values)
    first, second = nodes[1], nodes[2]
    flipped = good[first][:-1] + bytes([good[first][-1] ^ 1])
    for attack, rule in (
        ({first: flipped}, "storage.altered"),
        ({first: good[second]}, "storage.swapped"),
        ({first: good[first] + b"\0"}, "storage.truncated"),
    ):
        world.objects, world.counters.values = good | attack, dict(counters)
        again = world.open()
        refused(Tampered, rule, partial(ids, again))
    world.objects = {name: good[name] for name in good if name != first}
    world.counters.values = dict(counters)
    refused(Tampered, "storage.missing", lambda: ids(world.open()))


def as_if(target: Storage, world: World, source: Storage) -> None:
    """Put the objects of `source` in the place of those of `target`."""
    ours, theirs = target._state.box.prefix, source._state.box.prefix
    there = target._state.counter
    head = theirs + head_name(source._state.counter)
    objects = world.objects
    for name in [name for name in objects if name.startswith(theirs)]:
        objects[ours + name.removeprefix(theirs)] = objects[name]
    objects[ours + head_name(there)] = objects[head]


def test_the_store_of_another_app(world: World, storage: Storage) -> None:
    with pytest.raises(NotFound):
        world.open(key=OTHER_KEY)
    other = world.open(key=OTHER_KEY, create=True)
    as_if(other, world, storage)
    message = refused(Untrusted, "storage.key", lambda: world.open(key=OTHER_KEY))
    assert "another app" in message


def test_the_store_of_another_suite(world: World, storage: Storage) -> None:
    (other_suite,) = set(SUITES) - {world.suite_id}
    other = World(other_suite)
    other.store, other.counters = world.store, world.counters
    theirs = other.open(create=True)
    as_if(theirs, world, storage)
    refused(Untrusted, "storage.key", other.open)


@pytest.mark.parametrize("change", [{"owner": "bank"}, {"namespace": "other"}])
def test_the_store_of_another_owner_or_namespace(
    world: World, storage: Storage, change: dict[str, str]
) -> None:
    other = world.open(**{"owner": "clinic", **change}, create=True)  # type: ignore[arg-type]
    as_if(other, world, storage)
    message = refused(
        Untrusted,
        "storage.owner",
        lambda: world.open(**{"owner": "clinic", **change}),  # type: ignore[arg-type]
    )
    assert "another owner or namespace" in message


def test_a_store_that_is_newer_than_the_device(world: World, storage: Storage) -> None:
    storage.close()
    world.counters.values.clear()
    for create in (False, True):
        message = refused(Stale, "storage.counter", partial(world.open, create=create))
        assert "another device, or one that was reset" in message


@given(data=st.data())
@settings(max_examples=200)
def test_whatever_is_done_to_the_store_only_true_blocks_are_read(
    data: st.DataObject,
) -> None:
    world = World("intl")
    storage = world.open(create=True)
    written = {}
    for n in range(3):
        written[f"{n}"] = b"%d" % n * 20
        storage.write(f"{n}", written[f"{n}"])
    objects = world.objects
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(objects)))
        bad = bytearray(objects[name])
        start = data.draw(st.integers(0, len(bad)))
        end = data.draw(st.integers(start, len(bad)))
        bad[start:end] = data.draw(st.binary(max_size=40))
        objects[name] = bytes(bad)
    try:
        again = world.open()
        for block_id, text in written.items():
            assert again.read(block_id) == text
    except StrongroomError as error:
        assert isinstance(error, Refused)  # noqa: PT017 - only some are altered


def test_a_key_that_is_not_the_storages_opens_nothing(world: World) -> None:
    world.open(create=True).write("a", b"1")
    place = place_of(world.suite_id)
    with SecretBuffer(32) as zeros, pytest.raises(NotFound):
        Storage.open(world.store, world.counters, zeros, place)
