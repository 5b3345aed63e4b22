# SPDX-License-Identifier: Apache-2.0
"""Protected files behave like ordinary ones, and are replaced whole or not at all."""

import io
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import SUITES
from strongroom.errors import Conflict, Malformed, NotFound, Tampered
from strongroom.services.storage import ProtectedFile, ProtectedFiles, Storage
from strongroom.services.storage.file import MAX_FILE_BYTES, FileInfo
from tests.services.storage.worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 16
PLACES = st.integers(0, 100)
STEPS = st.one_of(
    st.tuples(st.just("write"), st.binary(max_size=60)),
    st.tuples(st.just("read"), PLACES),
    st.tuples(st.just("seek"), PLACES),
    st.tuples(st.just("truncate"), PLACES),
)


@pytest.fixture(params=sorted(SUITES))
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture
def storage(world: World) -> Storage:
    return world.open(create=True)


@pytest.fixture
def files(storage: Storage) -> ProtectedFiles:
    return ProtectedFiles(storage, block_bytes=BLOCK)


def put(files: ProtectedFiles, name: str, text: bytes) -> None:
    with files.create(name) as file:
        assert file.write(text) == len(text)


def get(files: ProtectedFiles, name: str) -> bytes:
    with files.open(name) as file:
        return file.readall()


class Model:
    """An ordinary file in memory."""

    def __init__(self, text: bytes = b"") -> None:
        self.file = io.BytesIO(text)

    def apply(self, step: str, value: object) -> object:
        """Do a step as POSIX does: a longer file is filled with zeros."""
        length = len(self.file.getvalue())
        if step == "truncate" and isinstance(value, int) and value > length:
            at = self.file.tell()
            self.file.seek(length)
            self.file.write(bytes(value - length))
            self.file.seek(at)
            return value
        result: object = getattr(self.file, step)(value)
        return result


@given(
    creating=st.lists(STEPS, max_size=12),
    updating=st.lists(STEPS, max_size=12),
    parts=st.lists(st.tuples(PLACES, PLACES), max_size=5),
)
@settings(max_examples=150)
def test_any_steps_leave_what_an_ordinary_file_would_hold(
    creating: list[tuple[str, object]],
    updating: list[tuple[str, object]],
    parts: list[tuple[int, int]],
) -> None:
    storage = World("intl").open(create=True)
    files, text = ProtectedFiles(storage, block_bytes=BLOCK), b""
    for open_it, steps in ((files.create, creating), (files.update, updating)):
        model = Model(text)
        with open_it("name") as file:
            for step, value in steps:
                assert getattr(file, step)(value) == model.apply(step, value)
                assert file.tell() == model.file.tell()
        text = model.file.getvalue()
        assert get(files, "name") == text
        assert files.size("name") == len(text)
    with files.open("name") as file:
        for offset, count in parts:
            file.seek(offset)
            assert file.read(count) == text[offset : offset + count]
    assert storage.sweep() == 0


def test_a_file_is_streamed_in_and_out_in_constant_memory(world: World) -> None:
    files = ProtectedFiles(world.open(create=True))
    part = bytes(range(256)) * 1000
    with files.create("large") as file:
        for _ in range(20):
            file.write(part)
    with io.BufferedReader(files.open("large")) as file:
        for _ in range(20):
            assert file.read(len(part)) == part
        assert file.read() == b""
    assert max(map(len, world.objects.values())) <= (1 << 20) + 36


def test_an_error_or_a_forgotten_file_leaves_the_old_one(
    files: ProtectedFiles, storage: Storage
) -> None:
    put(files, "a", b"old text of some length")
    with suppress(ZeroDivisionError), files.create("a") as file:
        file.write(b"new" * 20)
        raise ZeroDivisionError
    forgotten = files.create("a")
    forgotten.write(b"new" * 20)
    del forgotten
    assert get(files, "a") == b"old text of some length"
    assert storage.sweep() == 0


def test_a_reader_keeps_the_file_that_it_opened(
    files: ProtectedFiles, storage: Storage
) -> None:
    put(files, "a", b"old" * 20)
    with files.open("a") as reader:
        put(files, "a", b"new")
        files.remove("a")
        assert reader.readall() == b"old" * 20
    assert storage.sweep() == 0


def test_of_two_writers_of_one_file_the_first_to_close_counts(
    files: ProtectedFiles,
) -> None:
    first, second = files.create("a"), files.create("a")
    other = files.create("b")
    for file, text in ((first, b"1"), (second, b"2"), (other, b"3")):
        file.write(text)
    first.close()
    with pytest.raises(Conflict, match=r"storage\.changed"):
        second.close()
    assert second.closed
    other.close()
    assert (get(files, "a"), get(files, "b")) == (b"1", b"3")


def test_files_are_listed_renamed_and_removed(
    files: ProtectedFiles, storage: Storage
) -> None:
    for name in ("b/2", "a", "b/1", "b"):
        put(files, name, name.encode())
    assert list(files.names()) == ["a", "b", "b/1", "b/2"]
    assert list(files.names("b/")) == ["b/1", "b/2"]
    files.rename("a", "b")
    files.rename("b", "b")
    assert get(files, "b") == b"a"
    files.remove("b/1")
    assert list(files.names()) == ["b", "b/2"]
    storage.write("b", b"a block of that id")
    assert get(files, "b") == b"a"
    assert storage.sweep() == 0


def test_a_file_that_is_not_there_is_not_found(files: ProtectedFiles) -> None:
    actions: tuple[Callable[[str], object], ...] = (
        files.open,
        files.update,
        files.size,
        files.version,
        files.remove,
        lambda name: files.rename(name, "b"),
        lambda name: files.rename(name, name),
    )
    for action in actions:
        with pytest.raises(NotFound):
            action("a")


@pytest.mark.parametrize("name", ["", "x" * 1025, "\ud800"])
def test_what_is_no_name_is_refused(files: ProtectedFiles, name: str) -> None:
    for action in (files.open, files.create, files.update, files.size):
        with pytest.raises(Malformed):
            action(name)


def test_a_file_says_what_can_be_done_with_it(files: ProtectedFiles) -> None:
    put(files, "a", b"text")
    with files.open("a") as file:
        assert (file.readable(), file.seekable(), file.writable()) == (True,) * 2 + (
            False,
        )
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"")
        with pytest.raises(io.UnsupportedOperation):
            file.truncate()
        assert file.size == 4
        assert file.seek(-1, io.SEEK_END) == 3
        assert file.read(9) == b"t"
        for offset, whence in ((-1, 0), (-5, 1), (0, 3), (MAX_FILE_BYTES + 1, 0)):
            with pytest.raises(Malformed):
                file.seek(offset, whence)
    with pytest.raises(ValueError, match="closed"):
        file.read()
    with files.update("a") as file:
        file.seek(MAX_FILE_BYTES)
        with pytest.raises(Malformed):
            file.write(b"x")
        with pytest.raises(Malformed):
            file.truncate(-1)


def test_a_file_with_a_block_altered_is_refused_and_gives_nothing(
    world: World, files: ProtectedFiles
) -> None:
    put(files, "a", bytes(range(64)))
    blocks = [name for name, data in world.objects.items() if len(data) == BLOCK + 36]
    assert len(blocks) == 4
    for name in blocks:
        world.objects[name] = world.objects[name][:-1] + b"\0"
    room = bytearray(BLOCK)
    with files.open("a") as file, pytest.raises(Tampered) as refused:
        file.readinto(room)
    assert refused.value.findings[0].rule == "storage.altered"
    assert room == bytes(BLOCK)


def test_a_description_that_no_writer_makes_is_refused(storage: Storage) -> None:
    good = FileInfo(bytes(16), 0, BLOCK).to_value()
    for change in (
        {"id": bytes(15)},
        {"size": -1},
        {"size": MAX_FILE_BYTES + 1},
        {"block_bytes": 0},
        {"block_bytes": (64 << 20) + 1},
    ):
        with pytest.raises(Malformed):
            FileInfo.from_value(good | change)
    info = FileInfo(bytes(16), 4, 2)
    with storage.begin() as transaction:
        transaction.write(b"f/a", info.to_bytes())
        transaction.write(info.block(0), b"too long")
    with pytest.raises(Malformed):
        ProtectedFiles(storage).open("a").read()


def test_a_file_is_one_of_pythons(files: ProtectedFiles) -> None:
    text = "第一行\n第二行\n"
    with io.TextIOWrapper(io.BufferedWriter(files.create("a")), "utf-8") as file:
        file.write(text)
    with io.TextIOWrapper(io.BufferedReader(files.open("a")), "utf-8") as file:
        assert list(file) == text.splitlines(keepends=True)
    assert isinstance(files.open("a"), ProtectedFile)
