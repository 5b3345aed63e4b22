# SPDX-License-Identifier: Apache-2.0
"""The apps that `strongroom app new` writes.

One for tasks: a mean, and nothing of a small group. One that serves: a ledger.
"""

from collections.abc import Mapping
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

_SERVICE = """\
# What the app is and what it may do. Every word of it is measured.
[app]
name = "ledger"
kind = "service"
svn = 1
memory = "256 MiB"
# Where it may store blocks; whoever keeps them sees ciphertext.
storage = ["accounts"]
# Functions of the interface that others may call through the app; it has all itself.
interfaces = ["report", "random"]
# Plain HTTP clients may call the entry points: POST /commands/NAME with JSON.
http = "commands"

# Who may call what; a command without a list answers everybody. A caller is "host",
# "anyone", "key:ID" (of `strongroom identity show`), "tls:SHA256" or "app:MEASUREMENT".
[callers]
report = ["host"]

[entry.deposit]
function = "ledger:deposit"
parameters.account = {type = "text"}
parameters.amount = {type = "integer"}
output = {type = "json"}

[entry.balance]
function = "ledger:balance"
parameters.account = {type = "text"}
output = {type = "json"}
"""
_LEDGER = '''\
"""Accounts that nobody outside the enclave can read or change."""

from strongroom.errors import NotFound, Refused


def balance(services, account: str) -> int:
    """Return what is in an account."""
    try:
        return int(services.load("accounts", account))
    except NotFound:
        return 0


def deposit(services, account: str, amount: int) -> int:
    """Put an amount into an account; return what is in it then."""
    if amount < 1:
        raise Refused.because(
            "ledger.amount",
            "the app ledger",
            expected="an amount of at least 1",
            got=str(amount),
            remedy="Deposit something.",
        )
    total = balance(services, account) + amount
    services.store("accounts", account, str(total).encode())
    return total
'''
_SERVICE_FILES = {"strongroom.toml": _SERVICE, "ledger.py": _LEDGER}


def write_example(folder: Path) -> list[str]:
    """Write the app into a folder of its own; return the names of its files.

    The trial data are a hidden file, so no bundle takes them in.

    Raises:
        Conflict: the folder holds something already.
    """
    return _write(folder, _FILES)


def write_service(folder: Path) -> list[str]:
    """Write the app that serves; as `write_example`."""
    return _write(folder, _SERVICE_FILES)


def _write(folder: Path, files: Mapping[str, str]) -> list[str]:
    if folder.exists() and any(folder.iterdir()):
        message = say("{folder} is not empty", folder=folder)
        raise Conflict(message)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return sorted(files)
