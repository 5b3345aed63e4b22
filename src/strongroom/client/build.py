# SPDX-License-Identifier: Apache-2.0
"""A folder becomes a bundle: the same folder gives the same measurement anywhere.

`strongroom.toml` says what the app is; every other file of the folder goes in,
hidden files and caches apart. Times, owners and modes of files do not count.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from strongroom.core.codec.bundle import (
    ANY_COMMAND,
    HTTP,
    Bundle,
    CallerList,
    CodeKey,
    EntryPoint,
    FileEntry,
    Manifest,
    OutputRule,
    Parameter,
    seal_bundle,
)
from strongroom.core.codec.permits import OPEN_CHANNEL
from strongroom.core.crypto import suite
from strongroom.errors import Malformed, NotFound
from strongroom.management.keys import Identity

MANIFEST_FILE = "strongroom.toml"
MAX_APP_BYTES = 48 << 20
_SIZE = re.compile(r"(\d+) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DEFAULT_ROWS = 1000
_DEFAULT_BYTES = 1 << 20


def build_bundle(
    folder: Path, identity: Identity, *, encrypt: bool
) -> tuple[Bundle, bytes]:
    """Build and sign the app in `folder`.

    Returns:
        The bundle, and its code key; empty where the code is not encrypted.

    Raises:
        NotFound: no manifest in the folder.
        Malformed: names what in the manifest or the folder is wrong.
    """
    files = read_files(folder)
    manifest = read_manifest(folder, files, identity.public.suite, encrypt=encrypt)
    row = suite(identity.public.suite)
    code_key = (
        CodeKey(os.urandom(row.aead_key_bytes), os.urandom(row.nonce_bytes))
        if encrypt
        else None
    )
    bundle = seal_bundle(manifest, files, identity.signing, code_key)
    return bundle, code_key.key if code_key else b""


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the app's files by relative path.

    Raises:
        Malformed: a link, a device, or too much of it.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if any(
            part.startswith(".") or part == "__pycache__" for part in relative.parts
        ):
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            message = f"{relative}: an app holds plain files and folders only"
            raise Malformed(message)
        if path.is_file() and relative.as_posix() != MANIFEST_FILE:
            found[relative.as_posix()] = path.read_bytes()
    if sum(map(len, found.values())) > MAX_APP_BYTES:
        message = (
            f"the app is over {MAX_APP_BYTES} bytes; bring large inputs as datasets"
        )
        raise Malformed(message)
    return found


def read_manifest(
    folder: Path, files: Mapping[str, bytes], suite_id: str, *, encrypt: bool = False
) -> Manifest:
    """Return the manifest that `strongroom.toml` and the files make.

    Raises:
        NotFound: no `strongroom.toml`.
        Malformed: names the key that is wrong.
    """
    try:
        text = (folder / MANIFEST_FILE).read_text("utf-8")
        source = tomllib.loads(text)
    except FileNotFoundError as error:
        message = f"{folder} has no {MANIFEST_FILE}; `strongroom app new` writes one"
        raise NotFound(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{MANIFEST_FILE}: {error}"
        raise Malformed(message) from error
    top = _Table(source, "")
    app, entries, callers = (top.table(key) for key in ("app", "entry", "callers"))
    top.end()
    kind = app.text("kind", "task")
    if kind not in ("task", "service"):
        raise _wrong("app.kind", '"task" or "service"')
    digest = suite(suite_id).digest
    manifest = Manifest(
        suite=suite_id,
        name=app.text("name"),
        svn=app.integer("svn", 1),
        kind="service" if kind == "service" else "task",
        memory_bytes=_size(app.text("memory", "512 MiB")),
        threads=app.integer("threads", 1),
        processes=app.integer("processes", 0),
        cpu_seconds=app.integer("cpu_seconds", 0),
        interfaces=tuple(map(str, app.texts("interfaces"))),
        storage=tuple(map(str, app.texts("storage"))),
        peers=tuple(map(str, app.texts("peers"))),
        entry_points=tuple(
            _entry_point(name, entries.table(name)) for name in sorted(entries.names())
        ),
        files=tuple(FileEntry(p, len(d), digest(d)) for p, d in sorted(files.items())),
        encrypted=encrypt,
        http=app.text("http", ""),
        callers=tuple(
            CallerList(name, tuple(map(str, callers.texts(name))))
            for name in sorted(callers.names())
        ),
    )
    app.end()
    _check_callers(manifest)
    _check_parameters(manifest)
    return manifest


def _check_callers(manifest: Manifest) -> None:
    """Refuse a list of callers for a command that the app does not have."""
    entries = {entry.name for entry in manifest.entry_points}
    known = {*entries, *manifest.interfaces, OPEN_CHANNEL, HTTP, ANY_COMMAND}
    for each in manifest.callers:
        if each.command not in known:
            message = f"{MANIFEST_FILE}: [callers] names {each.command}, no command"
            raise Malformed(message)


def _check_parameters(manifest: Manifest) -> None:
    """Refuse datasets of an app that is called, which has no way to get them."""
    for entry in manifest.entry_points if manifest.kind == "service" else ():
        for parameter in entry.parameters:
            if parameter.is_dataset:
                where = f"entry.{entry.name}.parameters.{parameter.name}.type"
                wanted = '"text" with bytes in hex, or another type of value'
                raise _wrong(where, f"{wanted}: an app of kind service gets no dataset")


def _entry_point(name: str, source: "_Table") -> EntryPoint:
    parameters, output = source.table("parameters"), source.table("output")
    entry = EntryPoint(
        name=name,
        function=source.text("function"),
        parameters=tuple(
            _parameter(parameter, parameters.table(parameter))
            for parameter in sorted(parameters.names())
        ),
        output=_output(output),
    )
    source.end()
    return entry


def _parameter(name: str, source: "_Table") -> Parameter:
    parameter = Parameter.from_value(
        {"name": name, "type": source.text("type"), "many": source.flag("many")},
        f"{source.where}",
    )
    source.end()
    return parameter


def _output(source: "_Table") -> OutputRule:
    rule = OutputRule.from_value(
        {
            "type": source.text("type"),
            "fields": source.texts("fields"),
            "max_rows": source.integer("max_rows", _DEFAULT_ROWS),
            "max_bytes": source.integer("max_bytes", _DEFAULT_BYTES),
            "min_group": source.integer("min_group", 0),
            "group_column": source.text("group_column", ""),
        },
        source.where,
    )
    source.end()
    return rule


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if not match:
        message = f'{MANIFEST_FILE}: memory is written like "512 MiB", not {text!r}'
        raise Malformed(message)
    return int(match[1]) * _UNITS[match[2]]


class _Table:
    """A TOML table that is read key by key and must be read to the end."""

    def __init__(self, source: Mapping[str, object], where: str) -> None:
        self._left = dict(source)
        self.where = where

    def names(self) -> list[str]:
        return list(self._left)

    def table(self, key: str) -> "_Table":
        value = self._left.pop(key, {})
        where = f"{self.where}.{key}".lstrip(".")
        if not isinstance(value, dict):
            raise _wrong(where, "a table")
        return _Table(value, where)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._left.pop(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "text")
        return value

    def texts(self, key: str) -> list[object]:
        value = self._left.pop(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list of texts")
        return value

    def integer(self, key: str, default: int) -> int:
        value = self._left.pop(key, default)
        if type(value) is not int:
            raise self._wrong(key, "a whole number")
        return value

    def flag(self, key: str) -> bool:
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def _wrong(self, key: str, expected: str) -> Malformed:
        return _wrong(f"{self.where}.{key}", expected)

    def end(self) -> None:
        if self._left:
            message = f"{MANIFEST_FILE}: [{self.where}] has unknown keys: " + ", ".join(
                self._left
            )
            raise Malformed(message)


def _wrong(where: str, expected: str) -> Malformed:
    return Malformed(f"{MANIFEST_FILE}: {where} must be {expected}")
