# SPDX-License-Identifier: Apache-2.0
"""The app that `strongroom app new` writes: a mean, and nothing of a small group."""

from pathlib import Path

from strongroom.cli.words import say
from strongroom.errors import Conflict

_MANIFEST = """\
# What the app is and what may leave it. Every word of it is measured.
[app]
name = "mean"
svn = 1
memory = "512 MiB"

[entry.mean]
function = "mean:mean"

# A dataset: `table` or `bytes`; `many = true` takes several.
[entry.mean.parameters.records]
type = "table"

# A value that comes with each request: json, text, integer, number or boolean.
[entry.mean.parameters.column]
type = "text"

# Nothing else leaves the room.
[entry.mean.output]
type = "json"
fields = ["mean", "rows"]
max_rows = 1
# No answer about fewer than five rows.
min_group = 5
group_column = "rows"
"""
_PROGRAM = '''\
"""The mean of one column."""

import pyarrow as pa
import pyarrow.compute as pc


def mean(records: pa.Table, column: str) -> dict[str, object]:
    """Return the mean of `column` and over how many rows it goes."""
    values = records[column].drop_null()
    return {"mean": pc.mean(values).as_py(), "rows": len(values)}
'''
_DATA = "name,age\nAda,36\nBlaise,39\nCarl,77\nDavid,48\nEmmy,53\nFibo,80\n"
_FILES = {"strongroom.toml": _MANIFEST, "mean.py": _PROGRAM, ".try.csv": _DATA}


def write_example(folder: Path) -> list[str]:
    """Write the app into a folder of its own; return the names of its files.

    The trial data are a hidden file, so no bundle takes them in.

    Raises:
        Conflict: the folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        message = say("{folder} is not empty", folder=folder)
        raise Conflict(message)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        (folder / name).write_text(text, "utf-8")
    return sorted(_FILES)
