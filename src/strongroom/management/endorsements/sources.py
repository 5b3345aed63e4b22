# SPDX-License-Identifier: Apache-2.0
"""What can be imported: a case folder, a folder of documents, one file.

In a folder of documents each file is named after its role: `tcb_info.json`,
`pck_crl.der`, `trust_anchor.root.pem`; what follows the first dot tells files of one
role apart. A case folder says it in its `case.json` (docs/reference/cases.md).
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from strongroom.core.codec.layout import NOT_LAID_OUT
from strongroom.errors import Malformed
from strongroom.management.endorsements.documents import Incoming

CASE = "case.json"
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def read_sources(
    path: Path, kinds: Sequence[str], role: str | None = None
) -> Iterator[Incoming]:
    """Yield the documents at `path`.

    Args:
        path: a case folder, a folder, or a file.
        kinds: kinds of hardware that they are for; a case names its own.
        role: of a single file; by its name if not given.

    Raises:
        Malformed: no such layout.
        OSError: a file cannot be read.
    """
    if path.is_file():
        yield Incoming(_role(path, role), _kinds(kinds), path.read_bytes(), str(path))
    elif (path / CASE).is_file():
        yield from _read_case(path, kinds)
    else:
        for file in sorted(path.iterdir()):
            if file.is_file():
                data = file.read_bytes()
                yield Incoming(_role(file, None), _kinds(kinds), data, str(file))


def _read_case(folder: Path, kinds: Sequence[str]) -> Iterator[Incoming]:
    try:
        case = json.loads((folder / CASE).read_bytes())
        own = kinds or (str(case["tee"]),)
        named = [
            (str(role), str(name))
            for role, names in case["endorsements"].items()
            for name in (names if isinstance(names, list) else [names])
        ]
    except NOT_LAID_OUT as error:
        message = f"{folder}: not a case: {error!r}"
        raise Malformed(message) from error
    for role, name in named:
        file = folder / name
        if file.resolve().parent != folder.resolve():
            message = f"{folder}: a case names files of its own folder, not {name}"
            raise Malformed(message)
        yield Incoming(role, tuple(own), file.read_bytes(), str(file))


def _role(path: Path, role: str | None) -> str:
    found = role or path.name.partition(".")[0]
    if not _ROLE.fullmatch(found):
        message = f"{path}: name the file after its role, or give the role"
        raise Malformed(message)
    return found


def _kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    if not kinds:
        message = "say which kinds of hardware these endorsements are for"
        raise Malformed(message)
    return tuple(kinds)
