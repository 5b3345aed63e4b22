# SPDX-License-Identifier: Apache-2.0
"""The ciphertext store: a folder of immutable files named by what they hold."""

import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from strongroom.core.codec import sealed
from strongroom.core.codec.bundle import Bundle
from strongroom.core.codec.floe import HEADER_BYTES
from strongroom.core.crypto import suite
from strongroom.errors import Malformed, NotFound, Refused

Kind = Literal["objects", "bundles"]
_NAME = re.compile(r"[0-9a-f]{64}|[0-9a-f]{96}")


class Store:
    """Objects (sealed files) and bundles under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for kind in ("objects", "bundles"):
            (folder / kind).mkdir(parents=True, exist_ok=True)

    def path(self, kind: Kind, name: str) -> Path:
        """Return the file called `name`.

        Raises:
            Malformed: not a name of this store.
            NotFound: no such file.
        """
        path = self._path(kind, name)
        if not path.is_file():
            message = f"the store has no {kind[:-1]} {name[:16]}"
            raise NotFound(message)
        return path

    async def put(self, kind: Kind, name: str, parts: AsyncIterator[bytes]) -> int:
        """Write a file durably and return its length; writing it again is fine.

        Raises:
            Refused: the bytes are not what `name` names.
        """
        with self._new_file(kind, name) as file:
            async for part in parts:
                file.write(part)
            return file.tell()

    def put_file(self, kind: Kind, name: str, source: IO[bytes]) -> None:
        """Write a file durably from an open one."""
        with self._new_file(kind, name) as file:
            while part := source.read(1 << 20):
                file.write(part)

    @contextmanager
    def _new_file(self, kind: Kind, name: str) -> Iterator[IO[bytes]]:
        path = self._path(kind, name)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                yield file
                file.flush()
                _require_name(kind, name, identify(kind, file))
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _path(self, kind: Kind, name: str) -> Path:
        if not _NAME.fullmatch(name):
            message = "a name in the store is 64 or 96 lower-case hex digits"
            raise Malformed(message)
        return self._folder / kind / name


def _require_name(kind: Kind, name: str, found: str) -> None:
    if found != name:
        raise Refused.because(
            "store.name",
            "store",
            expected=f"the {kind[:-1]} {name[:16]}",
            got="other bytes",
            remedy="Send the file again; it was damaged on the way.",
        )


def identify(kind: Kind, file: IO[bytes]) -> str:
    """Return the name that the bytes of `file` have in a store.

    Raises:
        Malformed: neither a sealed file nor a bundle.
    """
    file.seek(0)
    if kind == "bundles":
        return Bundle.from_bytes(file.read()).manifest.measurement.hex()
    start = file.read(sealed.FIXED_BYTES)
    length = sealed.prefix_length(start)
    file.seek(0)
    head = file.read(length + HEADER_BYTES)
    header = sealed.Prefix.parse(head[:length]).header
    return sealed.dataset_id(suite(header.suite), head, file.seek(0, os.SEEK_END))
