# SPDX-License-Identifier: Apache-2.0
"""Boot state into the device's registers, before any app runs (BOOT a, C-ROT).

    firmware   by the device itself
    monitor    the sources of this package, of which the monitor is a part
    template   what runs before an app's first line: interpreter, installed
               distributions, start-up code, preloaded modules, the files really loaded
    config     what the monitor was told: administrator key, program, suite, ...

A value depends on contents only, never on where a file lies or when it was
written, so two machines with the same software have the same registers.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.core.codec import cbor
from strongroom.core.crypto import Suite, VerifyingKey, suite
from strongroom.errors import Misconfigured

if TYPE_CHECKING:
    from strongroom.core.rats.roles import RootOfTrust

_CHUNK_BYTES = 1 << 20
_PACKAGE = "strongroom"
_MODULES = "modules"


@dataclass(frozen=True)
class BootConfig:
    """What the monitor was started with; every field is measured into "config"."""

    administrator: VerifyingKey
    program: str
    preload: tuple[str, ...]
    allow_missing: tuple[str, ...]


@cache
def package_digest(suite_id: str) -> bytes:
    """Return the digest over every source file of the strongroom package."""
    root = Path(__file__).parents[2]
    files = {
        path.relative_to(root).as_posix(): path
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return _files_digest(suite(suite_id), files)


@cache
def interpreter_digest(suite_id: str) -> bytes:
    """Return the digest over the interpreter's version and binary."""
    row = suite(suite_id)
    binary = Path(sys.executable).resolve()
    version = [sys.implementation.name, sys.version]
    return _digest(row, [*version, _file_digest(row, binary)])


@cache
def distributions_digest(suite_id: str) -> bytes:
    """Return the digest over name, version and RECORD of what is installed.

    A RECORD says what an installer wrote; that the files still are so is shown
    for the loaded ones by `modules_digest`. Lines about files outside the library
    folder and about the installation itself differ between equal machines: left
    out. Strongroom itself is measured by `package_digest`.
    """
    rows = sorted(
        {
            (dist.name.lower(), dist.version, _record_lines(dist))
            for dist in metadata.distributions()
            if dist.name.lower() != _PACKAGE
        }
    )
    return _digest(suite(suite_id), rows)


@cache
def startup_digest(suite_id: str) -> bytes:
    """Return the digest over the code that `.pth` files run at every start (site)."""
    lines = sorted(
        line
        for folder in {Path(entry) for entry in sys.path if Path(entry).is_dir()}
        for path in folder.glob("*.pth")
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith(("import ", "import\t"))
    )
    return _digest(suite(suite_id), lines)


def modules_digest(suite_id: str, modules: Mapping[str, str]) -> bytes:
    """Return the digest over loaded modules: name, and bytes of the file it is from.

    Args:
        suite_id: whose digest.
        modules: module name to the path of its source or library; "" if built in.
    """
    row = suite(suite_id)
    names = sorted(modules)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(lambda name: _module_digest(row, modules[name]), names)
        return _digest(row, [list(pair) for pair in zip(names, digests, strict=True)])


def template_events(
    suite_id: str, preload: Iterable[str], modules: Mapping[str, str]
) -> list[tuple[str, bytes]]:
    """Return the events of the "template" register, in order."""
    row = suite(suite_id)
    return [
        ("interpreter", interpreter_digest(suite_id)),
        ("distributions", distributions_digest(suite_id)),
        ("startup", startup_digest(suite_id)),
        ("preload", _digest(row, list(preload))),
        (_MODULES, modules_digest(suite_id, modules)),
    ]


def config_events(suite_id: str, config: BootConfig) -> list[tuple[str, bytes]]:
    """Return the events of the "config" register, in order."""
    row = suite(suite_id)
    return [
        ("suite", _digest(row, suite_id)),
        ("administrator", _digest(row, config.administrator.raw)),
        ("program", _digest(row, config.program)),
        ("preload", _digest(row, list(config.preload))),
        ("allow-missing", _digest(row, sorted(config.allow_missing))),
    ]


def measure_boot(
    device: "RootOfTrust", config: BootConfig, modules: Mapping[str, str]
) -> bytes:
    """Extend the registers "monitor", "template" and "config" of `device`.

    Args:
        device: just powered on.
        config: what the monitor was started with.
        modules: what the template has loaded, see `modules_digest`.

    Returns:
        The digest of the modules, to hold a later template against.

    Raises:
        Misconfigured: a file that is to be measured cannot be read.
    """
    suite_id = device.suite_id
    device.extend("monitor", "package", package_digest(suite_id))
    template = template_events(suite_id, config.preload, modules)
    for name, digest in template:
        device.extend("template", name, digest)
    for name, digest in config_events(suite_id, config):
        device.extend("config", name, digest)
    return dict(template)[_MODULES]


def _record_lines(dist: metadata.Distribution) -> str:
    lines = (dist.read_text("RECORD") or "").splitlines()
    return "\n".join(
        sorted(
            line
            for line in lines
            if not line.startswith(("..", "/"))
            and ".dist-info/" not in line
            and not line.split(",")[0].endswith(".pyc")
        )
    )


def _module_digest(row: Suite, path: str) -> bytes:
    return _file_digest(row, Path(path)) if path else b""


def _files_digest(row: Suite, files: Mapping[str, Path]) -> bytes:
    return _digest(
        row, [[name, _file_digest(row, path)] for name, path in sorted(files.items())]
    )


def _file_digest(row: Suite, path: Path) -> bytes:
    hasher = row.hasher()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                hasher.update(chunk)
    except OSError as error:
        message = f"{path.name} cannot be read, so it cannot be measured"
        raise Misconfigured(message) from error
    return hasher.digest()


def _digest(row: Suite, value: object) -> bytes:
    return row.digest(cbor.encode(value))
