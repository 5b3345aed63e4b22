# SPDX-License-Identifier: Apache-2.0
"""Backends of protected storage: each keeps objects, under names and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.errors import Conflict, Malformed
from strongroom.node.objects import FolderObjects, SqliteObjects

Objects = FolderObjects | SqliteObjects
BACKENDS: dict[str, Callable[[Path], Objects]] = {
    "folder": lambda folder: FolderObjects(folder / "objects"),
    "sqlite": lambda folder: SqliteObjects(folder / "objects.db"),
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Callable[[Path], Objects]:
    return BACKENDS[str(request.param)]


@pytest.fixture
def objects(backend: Callable[[Path], Objects], tmp_path: Path) -> Iterator[Objects]:
    opened = backend(tmp_path)
    yield opened
    opened.close()


def test_what_is_put_is_there_until_it_is_deleted(objects: Objects) -> None:
    assert objects.get("head.1") is None
    objects.put("head.1", b"one")
    objects.put("head.1", b"two")
    objects.put("ab12", b"")
    assert (objects.get("head.1"), objects.get("ab12")) == (b"two", b"")
    assert set(objects.names()) == {"head.1", "ab12"}
    for _ in range(2):
        objects.delete("head.1")
    assert objects.names() == ("ab12",)


def test_it_is_there_after_it_was_closed_and_not_open_twice(
    backend: Callable[[Path], Objects], tmp_path: Path
) -> None:
    first = backend(tmp_path)
    first.put("a", b"kept")
    with pytest.raises(Conflict, match="open elsewhere"):
        backend(tmp_path)
    first.close()
    again = backend(tmp_path)
    assert again.get("a") == b"kept"
    again.close()


@pytest.mark.parametrize(
    "name", ["", ".lock", "../head.1", "a/b", "/etc/passwd", "A", "a\0", "x" * 200]
)
def test_a_name_that_is_a_path_is_refused(objects: Objects, name: str) -> None:
    for act in (objects.get, objects.delete, lambda n: objects.put(n, b"")):
        with pytest.raises(Malformed):
            act(name)
