# SPDX-License-Identifier: Apache-2.0
"""Routes to secrets in files: the device's fuse, and copies that should not be."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from strongroom.attack.target import Target


def fuse(at: Target) -> bool:
    """Read the device's unique key where the simulated device has it."""
    return (Path(at.folder) / "node/device/duk.key").read_bytes() == at.device


def anywhere(what: Callable[[Target], tuple[bytes, ...]]) -> Callable[[Target], bool]:
    """Return an attempt that searches every file of the room, but the fuse."""

    def attempt(at: Target) -> bool:
        needles = [form for each in what(at) for form in (each, each.hex().encode())]
        return any(
            needle in data
            for path in files(Path(at.folder))
            if path.name != "duk.key"
            for data in (path.read_bytes(),)
            for needle in needles
        )

    return attempt


def files(folder: Path) -> Iterator[Path]:
    """Yield every plain file below a folder.

    Raises:
        OSError: a folder that cannot be listed.
    """

    def fail(error: OSError) -> None:
        if error.errno != errno.ENOENT:
            raise error

    for base, _, names in os.walk(folder, onerror=fail):
        for name in names:
            path = Path(base) / name
            if path.is_file() and not path.is_symlink():
                yield path
