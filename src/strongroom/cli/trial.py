# SPDX-License-Identifier: Apache-2.0
"""`strongroom app try`: the app as in an enclave, with its own files and nothing else.

There is no lock here and no secret: the author's program on the author's data. What
the room would hide, the author sees.
"""

import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.application.runtime.app import call_app, write_files
from strongroom.application.runtime.output import Output, check_output
from strongroom.application.runtime.values import check_values, read_table
from strongroom.cli.arguments import usage_error
from strongroom.cli.words import say
from strongroom.client.build import read_files, read_manifest
from strongroom.client.datasets import MEDIA_TYPES
from strongroom.errors import AppFailed, Malformed, StrongroomError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from strongroom.cli.desk import Desk
    from strongroom.core.codec.bundle import EntryPoint, Manifest


def run_trial(
    desk: "Desk",
    folder: Path,
    entry_point: str | None,
    inputs: "Sequence[tuple[str, Path]]",
    values: "Mapping[str, object]",
) -> Output:
    """Run an entry point and return what its output rule would let leave.

    Raises:
        AppFailed: the app raised; its traceback is on stderr.
        Refused: the result breaks the output rule.
    """
    files = read_files(folder)
    entry = _entry(read_manifest(folder, files, _suite(desk)), entry_point)
    arguments = {
        **check_values(entry.parameters, dict(values)),
        **_datasets(entry, inputs),
    }
    with tempfile.TemporaryDirectory(prefix="strongroom-try-") as place:
        root = Path(place)
        write_files(root, files)
        kind, data = _call(root, entry, arguments)
        return check_output(kind, bytes(data), entry.output, entry.output)


def _suite(desk: "Desk") -> str:
    try:
        return desk.home.public_identity().suite
    except StrongroomError:
        return "intl"


def _entry(manifest: "Manifest", name: str | None) -> "EntryPoint":
    known = {each.name: each for each in manifest.entry_points}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        text = "say --entry-point: one of {names}"
        raise usage_error(say(text, names=", ".join(known)))
    return known[name]


def _datasets(
    entry: "EntryPoint", inputs: "Sequence[tuple[str, Path]]"
) -> dict[str, object]:
    declared = {p.name: p for p in entry.parameters if p.is_dataset}
    if {name for name, _ in inputs} != set(declared):
        names = ", ".join(f"--input {name}=FILE" for name in declared)
        raise usage_error(
            say("the entry point takes {names}", names=names or say("none"))
        )
    found: dict[str, list[object]] = {}
    for name, path in inputs:
        found.setdefault(name, []).append(_read(declared[name].type, path))
    for name, items in found.items():
        if len(items) > 1 and not declared[name].many:
            raise usage_error(say("{name} takes one dataset", name=name))
    return {
        name: items if declared[name].many else items[0]
        for name, items in found.items()
    }


def _read(kind: str, path: Path) -> object:
    data = path.read_bytes()
    if kind == "bytes":
        return data
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        message = say("{file} has no suffix that tells a table", file=path)
        raise Malformed(message)
    return read_table(media_type, memoryview(data))


def _call(
    root: Path, entry: "EntryPoint", arguments: "Mapping[str, object]"
) -> tuple[str, bytes | memoryview]:
    try:
        return call_app(root, entry.function, arguments)
    except AppFailed as error:
        cause = error.__cause__
        if cause is None:
            raise
        frames = traceback.extract_tb(cause.__traceback__)
        own = [frame for frame in frames if frame.filename.startswith(str(root))]
        shown = traceback.StackSummary.from_list(own or frames)
        lines = [*shown.format(), *traceback.format_exception_only(cause)]
        sys.stderr.write("".join(lines).replace(f"{root}/", ""))
        message = say("the app raised {kind}", kind=type(cause).__name__)
        raise AppFailed(message) from error
    finally:
        _forget(root)


def _forget(root: Path) -> None:
    """Leave this process as it was before it imported the app."""
    sys.path[:] = [place for place in sys.path if place != str(root)]
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(root)):
            del sys.modules[name]
