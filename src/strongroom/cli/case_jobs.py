# SPDX-License-Identifier: Apache-2.0
"""Many cases verified at once: each by itself, in processes, in the order given."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from strongroom.cli.cases import read_case, run_case


def run_folders(folders: Sequence[Path], jobs: int) -> Iterator[tuple[str, bool]]:
    """Yield the JSON line of each case and whether it is as expected, in order.

    Args:
        folders: of one case each.
        jobs: how many processes; 1 is this one alone.

    Raises:
        Malformed: a folder that is no case; those before it were yielded.
        OSError: a file that a case names cannot be read.
    """
    if min(jobs, len(folders)) == 1:
        yield from map(_run, folders)
        return
    with ProcessPoolExecutor(min(jobs, len(folders))) as pool:
        yield from pool.map(_run, folders)


def _run(folder: Path) -> tuple[str, bool]:
    result = run_case(read_case(folder))
    return result.to_json(), result.as_expected
