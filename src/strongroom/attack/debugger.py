# SPDX-License-Identifier: Apache-2.0
"""Routes to memory by a debugger: code put into the enclave, core files (FACTS 1)."""

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from strongroom.attack.memory import SIZE
from strongroom.attack.route import NotTried
from strongroom.attack.target import Target

_CHUNK = 4 << 20
_TOOL_S = 60


def inject(at: Target) -> bool:
    """Have a debugger call memcpy in an enclave, then read the copy."""
    scratch = at.spare_scratch
    said = _tool(
        "gdb",
        *("-nx", "-batch", "-p", str(at.spare)),
        "-ex",
        f"call (void*)memcpy((void*){scratch}, (void*){at.spare_secret}, {SIZE})",
        *("-ex", f"x/{SIZE}xb {scratch}"),
    )
    found = re.findall(r"\t0x([0-9a-f]{2})", said)
    if len(found) < SIZE:
        _why(said)
    return bytes(int(byte, 16) for byte in found[-SIZE:]) == at.spare_hidden


def core_of(secret: Callable[[Target], bytes]) -> Callable[[Target], bool]:
    """Return an attempt that has gcore write a core file, and searches it."""

    def attempt(at: Target) -> bool:
        with tempfile.TemporaryDirectory(prefix="strongroom-core-") as folder:
            said = _tool("gcore", "-o", f"{folder}/core", str(at.enclave))
            files = list(Path(folder).iterdir())
            if not files:
                _why(said)
            return any(_in_file(path, secret(at)) for path in files)

    return attempt


def _in_file(path: Path, needle: bytes) -> bool:
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(_CHUNK):
            if needle in tail + piece:
                return True
            tail = piece[1 - len(needle) :]
    return False


def _tool(name: str, *arguments: str) -> str:
    """Return what a debugger says.

    Raises:
        NotTried: it is not installed, or does not end.
    """
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed"
        raise NotTried(message)
    try:
        done = subprocess.run(  # noqa: S603 - found on PATH, arguments are numbers
            [path, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TOOL_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{name} did not end within {_TOOL_S} s"
        raise NotTried(message) from error
    return done.stdout + done.stderr


def _why(said: str) -> NoReturn:
    """Raise what stopped a debugger: the kernel, or something that is no defence."""
    if "Operation not permitted" in said or "Permission denied" in said:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    lines = said.strip().splitlines() or ["it said nothing"]
    message = f"the debugger failed: {lines[-1][:100]}"
    raise NotTried(message)
