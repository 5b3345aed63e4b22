# SPDX-License-Identifier: Apache-2.0
"""docs/quickstart.md runs as it stands, from an empty folder to a verified result."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.reader import BLOCK, Reader

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.close()


def test_the_quickstart_runs_as_it_stands(reader: Reader) -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) > 10
    for kind, note, text in blocks:
        reader.read(kind, note, text)
