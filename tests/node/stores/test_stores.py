# SPDX-License-Identifier: Apache-2.0
"""Every kind of store keeps what it is given, on the real server of its kind."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from strongroom.core.rats.stores import BlockStore
from strongroom.errors import Malformed, Misconfigured, Stale, Unavailable
from strongroom.node.stores import Store, open_store
from tests.node.stores import servers
from tests.services.storage.needs import needed
from tests.services.storage.worlds import World

KINDS = ("folder", "sqlite", "postgresql", "s3")
PLACE = "ab" * 16


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    needed("sqlalchemy")
    needed("psycopg")
    with servers.postgresql() as url:
        yield url


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with servers.s3() as variables, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield "s3://rooms"


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return f"folder:{tmp_path}/store"
    if request.param == "sqlite":
        needed("sqlalchemy")
        return f"sqlite:///{tmp_path}/store.db"
    server = request.getfixturevalue(request.param)
    return f"{server}/{secrets.token_hex(4)}" if request.param == "s3" else server


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    with ExitStack() as stack:

        def open_it(url: str) -> Store:
            store = open_store(url)
            stack.callback(store.close)
            return store

        yield open_it


@pytest.fixture
def place() -> str:
    return secrets.token_hex(16) + "/"


def contents(store: BlockStore, prefix: str) -> dict[str, bytes | None]:
    return {name: store.get(name) for name in sorted(store.names(prefix))}


def test_what_was_put_is_there_at_once_and_for_the_next_who_opens(
    opened: Callable[[str], Store], url: str, place: str
) -> None:
    store = opened(url)
    wanted = {
        place + "head/0001": b"",
        place + "head/0002": b"\0\xff" * 1000,
        place + "0001-ab": secrets.token_bytes(3 << 20),
    }
    for name, data in wanted.items():
        room = bytearray(data)
        store.put(name, memoryview(room))
        room[:] = bytes(len(room))  # the buffer is the caller's again
        assert store.get(name) == data
    assert contents(store, place) == wanted
    store.sync()
    assert contents(opened(url), place) == wanted


def test_a_name_is_put_anew_and_deleted(
    opened: Callable[[str], Store], url: str, place: str
) -> None:
    store = opened(url)
    for data in (b"old and longer", b"new"):
        store.put(place + "a", data)
    assert store.get(place + "a") == b"new"
    store.sync()
    store.put(place + "b", b"")
    store.delete([place + "a", place + "never", place + "b"])
    store.delete([])
    store.sync()
    assert store.get(place + "a") is None
    assert contents(opened(url), place) == {}


def test_names_are_found_by_their_beginning(
    opened: Callable[[str], Store], url: str, place: str
) -> None:
    store = opened(url)
    names = [f"{place}{n:04x}-{n:02x}" for n in range(40)] + [place + "head/01"]
    for name in names:
        store.put(name, b"")
    store.sync()
    assert sorted(store.names(place)) == sorted(names)
    assert sorted(store.names(place + "0001")) == [place + "0001-01"]
    assert sorted(store.names(place + "001")) == names[16:32]
    assert list(store.names(place + "head/")) == [place + "head/01"]
    assert list(store.names(place + "head/02")) == []
    assert list(store.names("0" * 32 + "/")) == []


def test_many_names_are_deleted_at_once(
    opened: Callable[[str], Store], url: str, place: str
) -> None:
    store = opened(url)
    count = 100 if url.startswith("s3") else 2300
    names = [f"{place}{n:06x}" for n in range(count)]
    for name in names:
        store.put(name, b"")
    store.sync()
    store.delete(iter(names))
    assert list(store.names(place)) == []


def test_storage_is_protected_over_it(opened: Callable[[str], Store], url: str) -> None:
    world = World("sm")
    world.store = opened(url)
    with world.open(create=True) as storage:
        with storage.begin() as transaction:
            for n in range(150):
                transaction.write(b"b/%d" % n, b"haemophilia %d" % n)
        storage.write("7", b"new")
        storage.delete("8")
    world.store = opened(url)
    with world.open() as storage:
        assert storage.read("7") == b"new"
        assert storage.read("149") == b"haemophilia 149"
        assert len(list(storage.ids())) == 149
        assert storage.sweep() == 0
        prefix = storage._state.box.prefix
    host = contents(world.store, prefix)
    assert len(host) > 150
    for name, data in host.items():
        assert data is not None
        assert b"haemophilia" not in data + name.encode()


def test_yesterdays_copy_of_it_is_refused(
    opened: Callable[[str], Store], url: str
) -> None:
    world = World("intl")
    store = world.store = opened(url)
    storage = world.open(create=True)
    storage.write("a", b"old")
    prefix = storage._state.box.prefix
    yesterday = contents(store, prefix)
    storage.write("a", b"new")
    store.delete(list(store.names(prefix)))
    for name, data in yesterday.items():
        assert data is not None
        store.put(name, data)
    store.sync()
    with pytest.raises(Stale, match=r"storage\.rollback"):
        world.open()


@pytest.mark.parametrize(
    "bad", ["", "nowhere", "http://host/", "s3:///prefix", "sqlite:/x:y", "ftp:x"]
)
def test_what_is_no_store_is_refused(opened: Callable[[str], Store], bad: str) -> None:
    with pytest.raises((Malformed, Misconfigured)):
        opened(bad)


def test_a_folder_takes_no_name_that_leads_out_of_it(
    opened: Callable[[str], Store], tmp_path: Path
) -> None:
    store = opened(f"folder:{tmp_path}/store")
    for name in ("../a", "/a", "", "a//b", ".", "a/..", "a\0", "A", "a" * 129):
        for action in (store.get, lambda name: store.put(name, b"")):
            with pytest.raises(Malformed):
                action(name)


def test_a_folder_of_nobody_else_is_made(
    opened: Callable[[str], Store], tmp_path: Path
) -> None:
    store = opened(f"folder:{tmp_path}/store")
    store.put(PLACE + "/a", b"")
    for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_said_so(
    opened: Callable[[str], Store], tmp_path: Path
) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(Unavailable, match="store"):
        opened(f"folder:{tmp_path}/store")


def test_a_database_that_went_away_answers_nothing_more(
    opened: Callable[[str], Store],
) -> None:
    needed("sqlalchemy")
    needed("psycopg")
    with servers.postgresql() as url:
        store = opened(url)
        store.put("a", b"not synced")
    for action in (store.sync, store.sync, lambda: store.put("b", b"")):
        with pytest.raises(Unavailable, match="postgresql store failed"):
            action()


def test_an_s3_server_that_is_not_there_is_unavailable(
    opened: Callable[[str], Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needed("obstore")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    store = opened("s3://rooms")
    with pytest.raises(Unavailable, match="S3 store failed"):
        store.get("a")
