# SPDX-License-Identifier: Apache-2.0
"""docs/how-to/use-the-services.md runs as it stands and uses all fifteen functions."""

import re
from pathlib import Path

import pytest

from strongroom.application.sdk.interface import INTERFACES

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-services.md"
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    text = PAGE.read_text("utf-8")
    for kind, note, body in BLOCK.findall(text):
        if "file=" in note:
            path = Path(note.partition("file=")[2].strip())
            path.parent.mkdir(exist_ok=True)
            path.write_text(body)
        elif "expect" in note:
            assert body in capsys.readouterr().out
        elif kind == "python":
            exec(compile(body, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    for number in INTERFACES:
        assert re.search(rf"# IF-{number}\b", text), number
