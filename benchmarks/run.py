# SPDX-License-Identifier: Apache-2.0
"""Prints the table of figures of docs/benchmarks.md, measured now on this machine.

python benchmarks/run.py [--quick] [--json FILE]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402 - after the path
from rich.table import Table  # noqa: E402

from benchmarks import (  # noqa: E402
    channel,
    enclaves,
    rooms,
    sealing,
    services,
    storage,
)
from benchmarks.rows import Row  # noqa: E402
from strongroom.core.crypto import reuse_freed_memory  # noqa: E402


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, 64 MiB input")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    reuse_freed_memory()  # as every program of ours does
    console = Console()
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        for row in _rows(Path(folder), quick=options.quick):
            found.append(row)
            console.print(f"{row.name}: {row.value:.4g} {row.unit}", highlight=False)
    console.print(_table(found))
    if options.json:
        value = {
            row.name: {
                "value": row.value,
                "unit": row.unit,
                "goal": row.goal,
                "runs": list(row.runs),
            }
            for row in found
        }
        options.json.write_text(json.dumps(value, indent=2) + "\n")
    return 0


def _rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    n = 3 if quick else 7
    for name in ("enclaves", "sealing", "services", "channel", "rooms"):
        (folder / name).mkdir()
    yield from enclaves.rows(folder / "enclaves", n)
    yield from sealing.rows(folder / "sealing", n)
    yield from services.rows(folder / "services", n)
    yield from channel.rows(folder / "channel", n)
    yield from storage.rows(n)
    yield from rooms.rows(folder / "rooms", 3, (64 << 20) if quick else (1 << 30))
    yield from _lines()


def _lines() -> Iterator[Row]:
    """Count the trusted computing base, by the command that anyone can run."""
    command = [sys.executable, ROOT / "scripts" / "count_tcb.py", "--json"]
    done = subprocess.run(command, capture_output=True, check=True)
    for part in json.loads(done.stdout):
        lines = float(part["lines"])
        goal = f"<= {part['goal_lines']}" if part.get("goal_lines") else ""
        yield Row(f"own lines: {part['part']}", lines, "lines", goal, (lines,))


def _table(found: list[Row]) -> Table:
    table = Table("row", "value", "unit", "goal", "met", "least", "most")
    for row in found:
        ends = (f"{min(row.runs):.4g}", f"{max(row.runs):.4g}")
        table.add_row(row.name, f"{row.value:.4g}", row.unit, row.goal, row.met, *ends)
    return table


if __name__ == "__main__":
    sys.exit(main())
