# SPDX-License-Identifier: Apache-2.0
"""Storage protection: blocks are kept, found, changed together, and by one owner."""

import threading
from contextlib import suppress

import pytest

from strongroom.core.crypto import SUITES, SecretBuffer
from strongroom.errors import (
    Conflict,
    LimitReached,
    Malformed,
    NotFound,
    StrongroomError,
    Unavailable,
)
from strongroom.services.storage import Place, Storage
from strongroom.services.storage.objects import MAX_OBJECT_BYTES
from tests.services.storage.worlds import KEY, MemoryStore, World, place_of


@pytest.fixture(params=sorted(SUITES))
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture
def storage(world: World) -> Storage:
    return world.open(create=True)


def rule(error: StrongroomError) -> str:
    return error.findings[0].rule


def test_a_block_is_read_back_also_after_opening_again(
    world: World, storage: Storage
) -> None:
    for length in (0, 1, 4096, 3 << 20):
        storage.write(f"block {length}", b"\x5a" * length)
    storage.close()
    again = world.open()
    assert again.read("block 0") == b""
    assert again.read("block 3145728") == b"\x5a" * (3 << 20)
    assert list(again.ids()) == ["block 0", "block 1", "block 3145728", "block 4096"]


def test_a_block_is_written_anew_and_deleted(storage: Storage) -> None:
    storage.write("a", b"old")
    storage.write("a", b"new")
    assert storage.read("a") == b"new"
    storage.delete("a")
    storage.delete("a")
    with pytest.raises(NotFound):
        storage.read("a")


def test_the_database_has_no_plaintext(world: World, storage: Storage) -> None:
    for n in range(100):
        storage.write(f"haemophilia/{n}", b"haemophilia" * 10)
    host = "".join(world.objects).encode() + b"".join(world.objects.values())
    for secret in (b"haemo", b"clinic", b"registry", b"main", KEY, KEY[:16]):
        assert secret not in host


def test_nothing_is_left_of_what_no_state_needs(world: World, storage: Storage) -> None:
    for n in range(200):
        storage.write(f"{n % 7}", bytes(n))
    for n in range(7):
        storage.delete(f"{n}")
    assert len(world.objects) == 1  # the head
    assert storage.sweep() == 0


def test_a_storage_that_never_was_is_not_begun_by_mistake(world: World) -> None:
    with pytest.raises(NotFound):
        world.open()
    world.open(create=True).write("a", b"1")
    assert world.open(create=True).read("a") == b"1"


def test_owners_and_namespaces_share_a_store_and_see_nothing_of_each_other(
    world: World,
) -> None:
    places = [("clinic", "main"), ("clinic", "other"), ("bank", "main")]
    opened = [world.open(a, namespace=b, create=True) for a, b in places]
    for storage, (owner, namespace) in zip(opened, places, strict=True):
        storage.write("id", f"{owner} {namespace}".encode())
    for storage, (owner, namespace) in zip(opened, places, strict=True):
        assert storage.read("id") == f"{owner} {namespace}".encode()
        assert storage.sweep() == 0


def test_the_writes_of_a_transaction_count_together_or_not_at_all(
    world: World, storage: Storage
) -> None:
    storage.write("a", b"1")
    before = dict(world.objects)
    with suppress(ZeroDivisionError), storage.begin() as transaction:
        transaction.write(b"b/a", b"2")
        transaction.write(b"b/b", b"2")
        assert transaction.read(b"b/a") == b"2"
        raise ZeroDivisionError
    assert (storage.read("a"), list(storage.ids())) == (b"1", ["a"])
    assert world.objects == before
    with storage.begin() as transaction:
        transaction.write(b"b/a", b"2")
        transaction.write(b"b/b", b"2")
        transaction.write(b"b/c", b"2")
        transaction.delete(b"b/c")
        assert list(transaction.keys()) == [b"b/a", b"b/b"]
        assert storage.read("a") == b"1"
    assert (storage.read("a"), storage.read("b")) == (b"2", b"2")
    assert list(storage.ids()) == ["a", "b"]


def test_a_transaction_that_ended_takes_nothing_more(storage: Storage) -> None:
    transaction = storage.begin()
    transaction.commit()
    for action in (
        transaction.commit,
        lambda: transaction.write(b"b/a", b""),
        lambda: transaction.delete(b"b/a"),
        lambda: transaction.read(b"b/a"),
        lambda: list(transaction.keys()),
    ):
        with pytest.raises(Conflict):
            action()


def test_of_two_transactions_on_one_block_the_first_to_commit_counts(
    storage: Storage,
) -> None:
    storage.write("a", b"0")
    first, second, third = storage.begin(), storage.begin(), storage.begin()
    first.write(b"b/a", b"1")
    second.write(b"b/a", b"2")
    third.write(b"b/b", b"3")
    first.commit()
    with pytest.raises(Conflict) as refused:
        second.commit()
    assert rule(refused.value) == "storage.changed"
    third.commit()
    assert (storage.read("a"), storage.read("b")) == (b"1", b"3")
    assert storage.sweep() == 0


def test_a_snapshot_stays_as_it_was(world: World, storage: Storage) -> None:
    storage.write("a", b"1")
    with storage.snapshot() as snapshot:
        storage.write("a", b"2")
        storage.delete("a")
        storage.write("b", b"3")
        assert snapshot.read(b"b/a") == b"1"
        assert list(snapshot.keys()) == [b"b/a"]
        assert snapshot.length(b"b/b") is None
        with pytest.raises(Conflict, match="nobody reads"):
            storage.sweep()
    assert storage.sweep() == 0
    assert len(world.objects) == 3  # head, node, block


def test_what_a_snapshot_kept_is_deleted_after_a_crash(
    world: World, storage: Storage
) -> None:
    storage.write("a", b"1")
    storage.snapshot()  # never closed: the enclave dies
    storage.write("a", b"2")
    again = world.open()
    assert again.sweep() == 0
    assert len(world.objects) == 3


def test_a_later_opening_ends_the_one_before(world: World, storage: Storage) -> None:
    storage.write("a", b"1")
    transaction = storage.begin()
    transaction.write(b"b/a", b"2")
    later = world.open()
    for action in (
        transaction.commit,
        storage.snapshot,
        storage.begin,
        lambda: storage.read("a"),
        lambda: storage.write("a", b"3"),
        storage.sweep,
    ):
        with pytest.raises(Conflict) as refused:
            action()
        assert rule(refused.value) == "storage.superseded"
    assert later.read("a") == b"1"


def test_after_a_commit_of_unknown_outcome_the_storage_is_opened_again(
    world: World, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write("a", b"1")

    def fail() -> None:
        message = "the disk is gone"
        raise Unavailable(message)

    monkeypatch.setattr(world.store, "sync", fail)
    with pytest.raises(Unavailable):
        storage.write("a", b"2")
    monkeypatch.undo()
    for action in (lambda: storage.read("a"), lambda: storage.write("a", b"3")):
        with pytest.raises(Conflict) as refused:
            action()
        assert rule(refused.value) == "storage.unknown"
    assert world.open().read("a") == b"1"


def test_a_store_that_does_not_delete_costs_room_and_nothing_else(
    world: World, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_names: object) -> None:
        message = "not now"
        raise Unavailable(message)

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "delete", fail)
        for n in range(5):
            storage.write("a", b"%d" % n)
    assert len(world.objects) > 10
    assert storage.read("a") == b"4"
    storage.write("a", b"5")
    assert len(world.objects) == 3


def test_a_closed_storage_does_nothing(storage: Storage) -> None:
    storage.close()
    storage.close()
    with pytest.raises(Conflict, match="closed"):
        storage.read("a")


@pytest.mark.parametrize("block_id", ["", "x" * 1025, "\ud800"])
def test_what_is_no_block_id_is_refused(storage: Storage, block_id: str) -> None:
    with pytest.raises(Malformed):
        storage.write(block_id, b"")


def test_the_longest_block_ids_serve(storage: Storage) -> None:
    ids = sorted(f"{n:03}" + "x" * 1021 for n in range(200))
    with storage.begin() as transaction:
        for each in ids:
            transaction.write(b"b/" + each.encode(), b"")
    assert list(storage.ids()) == ids
    with storage.begin() as transaction, pytest.raises(Malformed):
        transaction.write(b"x" * 2049, b"")


def test_a_block_over_the_limit_is_refused(storage: Storage) -> None:
    with pytest.raises(LimitReached):
        storage.write("a", bytes(MAX_OBJECT_BYTES + 1))


def test_a_key_of_another_length_is_refused(world: World) -> None:
    with pytest.raises(Malformed):
        world.open(key=bytes(16), create=True)


@pytest.mark.parametrize("text", ["", "x" * 257, "a\nb"])
def test_a_place_has_names_that_can_be_shown(text: str) -> None:
    for field in ("app", "owner", "namespace"):
        value = place_of("sm").to_value() | {field: text}
        with pytest.raises(Malformed):
            Place.from_value(value)


def test_threads_share_a_storage(storage: Storage) -> None:
    def work(name: str) -> None:
        for n in range(20):
            storage.write(f"{name}{n}", name.encode() * n)
            assert storage.read(f"{name}{n}") == name.encode() * n

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(storage.ids())) == 80
    assert storage.sweep() == 0


def test_a_write_costs_objects_in_proportion_to_the_logarithm(world: World) -> None:
    class Counting(MemoryStore):
        puts = 0

        def put(self, name: str, data: bytes | bytearray | memoryview) -> None:
            self.puts += 1
            super().put(name, data)

    store = world.store = Counting()
    storage = world.open(create=True)
    with storage.begin() as transaction:
        for n in range(20_000):
            transaction.write(b"b/%d" % n, b"")
    for n in range(50):
        store.puts = 0
        storage.write(f"{n * 397}", b"new")
        assert store.puts <= 1 + 3 + 1  # block, nodes of a tree of 64**3, head


def test_the_keys_of_a_storage_are_in_secret_memory_only_while_it_is_open(
    world: World,
) -> None:
    with SecretBuffer(32) as secret:
        secret.view[:] = KEY
        storage = Storage.open(
            world.store,
            world.counters,
            secret,
            place_of(world.suite_id),
            create=True,
        )
    storage.write("a", b"1")  # the caller's key may be closed meanwhile
    keys = storage._state.box.keys
    view = keys._root.view
    assert any(view)
    storage.close()
    with pytest.raises(Conflict):
        _ = keys._root.view
