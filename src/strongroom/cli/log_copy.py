# SPDX-License-Identifier: Apache-2.0
"""Copies of a room's log: fetched, and verified under the log's key (LOG-3)."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.cli.desk import Desk
    from strongroom.core.codec.note import NoteKey
    from strongroom.management.audit import AuditReport


def key_of(desk: "Desk", text: str | None, room: Path | None) -> "NoteKey":
    """Return the log's key: given in a line or a file, else the room's."""
    from strongroom.client.receipts import log_key  # noqa: PLC0415
    from strongroom.core.codec.note import NoteKey  # noqa: PLC0415

    if text is None:
        return log_key(desk.room(room))
    file = Path(text)
    line = (
        file.read_text("utf-8").strip() if "+" not in text or file.is_file() else text
    )
    return NoteKey.parse(line)


def verified(
    desk: "Desk",
    folder: Path | None,
    url: str | None,
    key: "NoteKey",
    older: Path | None = None,
) -> "AuditReport":
    """Verify a copy of a log; without a folder, one that is fetched for it.

    Raises:
        Tampered, Untrusted, NotFound, Malformed: it does not hold.
    """
    from strongroom.management.audit import verify_folder  # noqa: PLC0415

    known = older.read_bytes() if older else None
    if folder is not None:
        return verify_folder(folder, key, older=known)
    with tempfile.TemporaryDirectory(prefix="strongroom-log-") as place:
        fetched(desk, Path(place), url)
        return verify_folder(Path(place), key, older=known)


def fetched(desk: "Desk", folder: Path, url: str | None) -> int:
    """Copy checkpoint and tiles, as c2sp.org/tlog-tiles names them."""
    from strongroom.core.codec.note import Note  # noqa: PLC0415
    from strongroom.core.codec.tlog import Checkpoint, tile_paths  # noqa: PLC0415

    transport = desk.transport(url)
    checkpoint = transport.get("/v1/log/checkpoint")
    count = Checkpoint.parse(Note.parse(checkpoint).text).size
    paths = [tile.path for tile in tile_paths(count)]
    with desk.printer.progress("Copying the log", None) as progress:
        for done, path in enumerate(paths):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(transport.get(f"/v1/log/{path}"))
            progress(done)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_bytes(checkpoint)
    return len(paths) + 1
