# SPDX-License-Identifier: Apache-2.0
"""Many cases verified at once: each by itself, in processes, in the order given."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from strongroom.cli.case_results import verify_folder
from strongroom.cli.cases import FILE, find_cases
from strongroom.cli.errors import from_os
from strongroom.cli.words import say
from strongroom.errors import NotFound, StrongroomError


def gather(folders: Sequence[Path]) -> tuple[list[Path], list[StrongroomError]]:
    """Return the case folders in `folders`, and what is wrong with folders without."""
    found: list[Path] = []
    wrong: list[StrongroomError] = []
    for folder in folders:
        before = len(found)
        try:
            found.extend(find_cases(folder))
        except OSError as error:
            wrong.append(from_os(error))
            continue
        if len(found) == before:
            message = say("no {file} in {folder}", file=FILE, folder=folder)
            wrong.append(NotFound(message))
    return found, wrong


def run_folders(folders: Sequence[Path], jobs: int) -> Iterator[tuple[str, bool]]:
    """Yield the JSON line of each case and whether it is as expected, in order.

    Args:
        folders: of one case each.
        jobs: how many processes; 1 is this one alone.
    """
    if min(jobs, len(folders)) <= 1:
        yield from map(_run, folders)
        return
    with ProcessPoolExecutor(min(jobs, len(folders))) as pool:
        yield from pool.map(_run, folders)


def _run(folder: Path) -> tuple[str, bool]:
    result = verify_folder(folder)
    return result.to_json(), result.as_expected
