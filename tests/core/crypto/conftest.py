# SPDX-License-Identifier: Apache-2.0
"""Wycheproof (C2SP) files, read once."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Vector = dict[str, object]
Vectors = Callable[[str], Iterator[tuple[Vector, Vector]]]


@pytest.fixture(scope="session")
def wycheproof(shared: Path) -> Vectors:
    """Return what gives each test of a file together with its group."""

    def read(name: str) -> Iterator[tuple[Vector, Vector]]:
        path = shared / "vectors" / "wycheproof" / f"{name}_test.json"
        for group in json.loads(path.read_text())["testGroups"]:
            for test in group["tests"]:
                yield group, test

    return read
