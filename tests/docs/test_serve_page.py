# SPDX-License-Identifier: Apache-2.0
"""docs/how-to/serve-an-app.md runs as it stands: made, served, verified, called."""

import shutil
from pathlib import Path

import pytest

from tests.docs.reader import BLOCK, Reader

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")
pytest.importorskip("uvicorn", reason="the extra `node` is not installed")

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "serve-an-app.md"


def test_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the page uses curl, which is not here")
    reader = Reader(tmp_path)
    try:
        for kind, note, text in BLOCK.findall(PAGE.read_text("utf-8")):
            reader.read(kind, note, text)
    finally:
        reader.close()
