# SPDX-License-Identifier: Apache-2.0
"""Runs an app's function on its arguments: in the worker, and in `app try`."""

import importlib
import json
import mmap
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from strongroom.application.runtime.values import read_table
from strongroom.application.sdk import open_bundle
from strongroom.errors import AppFailed, Malformed, StrongroomError


def run_app(job: object, fds: Sequence[int]) -> tuple[str, bytes | memoryview]:
    """Run one job: {files, function, inputs, values} with a descriptor an input.

    Raises:
        AppFailed: the app raised; what it said stays inside the enclave.
        MemoryError: the enclave's memory was not enough.
    """
    match job:
        case {
            "files": dict() as files,
            "function": str() as function,
            "inputs": list() as inputs,
            "values": dict() as values,
        }:
            pass
        case _:
            message = "this is not a job"
            raise Malformed(message)
    with tempfile.TemporaryDirectory(prefix="app-") as folder:
        write_files(Path(folder), files)
        arguments = {**values, **_read_inputs(inputs, fds)}
        return call_app(Path(folder), function, arguments)


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    """Lay out a bundle's files under `root`, the enclave's own memory."""
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def call_app(
    root: Path, function: str, arguments: Mapping[str, object]
) -> tuple[str, bytes | memoryview]:
    """Import and call `module:function` from the files under `root`.

    Raises:
        AppFailed: the app cannot be imported, raised, or returned no result type.
    """
    module, name = function.split(":")
    open_bundle(root)
    sys.path.insert(0, str(root))
    try:
        result = getattr(importlib.import_module(module), name)(**arguments)
        return encode_result(result)
    except (MemoryError, StrongroomError):
        raise
    except BaseException as error:
        message = "the app raised an error; run it on data of your own to see it"
        raise AppFailed(message) from error


def encode_result(result: object) -> tuple[str, bytes | memoryview]:
    """Return a result's kind and bytes: JSON, an Arrow stream, or bytes."""
    if isinstance(result, bytes | bytearray):
        return "bytes", bytes(result)
    table = _as_table(result)
    if table is not None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return "table", memoryview(sink.getvalue()).cast("B")
    return "json", json.dumps(result, allow_nan=False, default=_plain).encode()


def _as_table(result: object) -> pa.Table | None:
    if isinstance(result, pa.Table):
        return result
    if type(result).__module__.partition(".")[0] == "pandas":
        return pa.Table.from_pandas(result, preserve_index=False)
    return None


def _plain(value: object) -> object:
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    message = f"a {type(value).__name__} has no JSON form"
    raise TypeError(message)


def _read_inputs(rows: list[object], fds: Sequence[int]) -> dict[str, object]:
    """Return dataset arguments by name; tables that are many become a list."""
    arguments: dict[str, object] = {}
    for row, fd in zip(rows, fds, strict=True):
        match row:
            case {
                "parameter": str() as name,
                "type": str() as kind,
                "many": bool() as many,
                "media_type": str() as media_type,
            }:
                item = _read_input(kind, media_type, fd)
            case _:
                message = "this is not an input"
                raise Malformed(message)
        if many:
            arguments.setdefault(name, [])
            arguments[name] += [item]  # type: ignore[operator]  # a list, just above
        else:
            arguments[name] = item
    return arguments


def _read_input(kind: str, media_type: str, fd: int) -> object:
    length = os.fstat(fd).st_size
    data = memoryview(mmap.mmap(fd, length)) if length else memoryview(b"")
    os.close(fd)
    return read_table(media_type, data) if kind == "table" else bytes(data)
