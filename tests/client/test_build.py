# SPDX-License-Identifier: Apache-2.0
"""What a manifest may say of an app, and what is refused before it is built."""

from pathlib import Path

import pytest

from strongroom.client.build import read_files, read_manifest
from strongroom.errors import Malformed

MANIFEST = """
[app]
name = "teller"
kind = "{kind}"

[entry.count]
function = "teller:count"
parameters.data = {{type = "{type}"}}
output = {{type = "json"}}
"""


def folder(tmp_path: Path, kind: str, type_: str) -> Path:
    text = MANIFEST.format(kind=kind, type=type_)
    (tmp_path / "strongroom.toml").write_text(text)
    (tmp_path / "teller.py").write_text("def count(services, data): return len(data)")
    return tmp_path


@pytest.mark.parametrize("type_", ["table", "bytes"])
def test_a_dataset_is_for_a_task_and_not_for_an_app_that_is_called(
    tmp_path: Path, type_: str
) -> None:
    app = folder(tmp_path, "service", type_)
    with pytest.raises(Malformed, match=r"entry\.count\.parameters\.data") as refusal:
        read_manifest(app, read_files(app), "intl")
    assert "hex" in refusal.value.message
    app = folder(tmp_path, "task", type_)
    manifest = read_manifest(app, read_files(app), "intl")
    assert manifest.entry_points[0].parameters[0].type == type_


@pytest.mark.parametrize("type_", ["text", "integer", "number", "boolean", "json"])
def test_an_app_that_is_called_takes_values(tmp_path: Path, type_: str) -> None:
    app = folder(tmp_path, "service", type_)
    manifest = read_manifest(app, read_files(app), "intl")
    assert manifest.entry_points[0].parameters[0].type == type_
