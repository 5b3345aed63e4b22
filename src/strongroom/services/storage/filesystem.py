# SPDX-License-Identifier: Apache-2.0
"""Protected files as an fsspec file system, which DuckDB and Arrow take as their own.

    duckdb.register_filesystem(ProtectedFileSystem(files))
    duckdb.sql("SELECT * FROM read_parquet('protected://cohort.parquet')")

DuckDB replaces a file by way of another beside it, and gets the name of that wrong
outside of folders: give `USE_TMP_FILE false` there. Any file is replaced whole anyhow.
Folders are only the parts of names before a "/". Imported on its own: it alone needs
fsspec.
"""

from datetime import UTC, datetime
from typing import ClassVar, Literal, TypeAlias

from fsspec import AbstractFileSystem

from strongroom.errors import NotFound
from strongroom.services.storage.file import ProtectedFile
from strongroom.services.storage.files import ProtectedFiles

Entry: TypeAlias = dict[str, str | int]


class ProtectedFileSystem(AbstractFileSystem):  # type: ignore[misc]  # untyped base
    """The files of one storage under `protected://NAME`.

    A file that is written counts when it is closed, whoever closes it: a writer that
    closes after an error of its own leaves what it had written.
    """

    protocol: ClassVar[str] = "protected"
    cachable = False

    def __init__(self, files: ProtectedFiles) -> None:
        super().__init__()
        self._files = files

    def ls(
        self,
        path: str,
        detail: bool = True,  # noqa: FBT001, FBT002 - as fsspec has it
        **_: object,
    ) -> list[Entry] | list[str]:
        """Return what is directly under a folder, or the one file of that name.

        Raises:
            FileNotFoundError: there is neither.
        """
        inside = self._strip_protocol(path).strip("/")
        found = self._entries(inside)
        if not found:
            if inside and not self._is_file(inside):
                raise FileNotFoundError(path)
            found = {inside: "file"} if inside else {}
        if not detail:
            return list(found)
        return [self._entry(name, kind) for name, kind in found.items()]

    def info(self, path: str, **_: object) -> Entry:
        """Return name, size in bytes and kind of a file or folder.

        Raises:
            FileNotFoundError: there is neither.
        """
        name = self._strip_protocol(path).strip("/")
        if name and self._is_file(name):
            return self._entry(name, "file")
        if not name or self._entries(name):
            return self._entry(name, "directory")
        raise FileNotFoundError(path)

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: object = None,
        compression: str | None = None,
        **_: object,
    ) -> ProtectedFile:
        """Open a file: "rb" to read, "wb" or "xb" to write, "r+b" to do both.

        Raises:
            FileNotFoundError: there is none to read.
            FileExistsError: there is one already ("xb").
            ValueError: another mode, or a compression.
        """
        del block_size, cache_options
        if compression not in (None, "infer"):
            message = "protected files are not compressed on the way"
            raise ValueError(message)
        name = self._strip_protocol(path).strip("/")
        if mode == "xb" and self._is_file(name):
            raise FileExistsError(path)
        actions = {
            "rb": self._files.open,
            "r+b": self._files.update,
            "wb": self._files.create,
            "xb": self._files.create,
        }
        if mode not in actions:
            message = f"protected files are opened rb, r+b, wb or xb, not {mode!r}"
            raise ValueError(message)
        try:
            return actions[mode](name)
        except NotFound as error:
            raise FileNotFoundError(path) from error

    def modified(self, path: str) -> datetime:
        """Return a moment that is later for each later version of a file.

        An enclave has no clock to trust: it is the number of the state that the file
        was written for, as seconds since 1970. DuckDB asks whether to read it anew.

        Raises:
            FileNotFoundError: there is no such file.
        """
        try:
            version = self._files.version(self._strip_protocol(path).strip("/"))
        except NotFound as error:
            raise FileNotFoundError(path) from error
        return datetime.fromtimestamp(version, UTC)

    def rm_file(self, path: str) -> None:
        """Delete a file.

        Raises:
            FileNotFoundError: there is none.
        """
        try:
            self._files.remove(self._strip_protocol(path).strip("/"))
        except NotFound as error:
            raise FileNotFoundError(path) from error

    _rm = rm_file

    def mv(self, path1: str, path2: str, **_: object) -> None:
        """Give a file another name, in one step.

        Raises:
            FileNotFoundError: there is none called `path1`.
        """
        names = [self._strip_protocol(path).strip("/") for path in (path1, path2)]
        try:
            self._files.rename(*names)
        except NotFound as error:
            raise FileNotFoundError(path1) from error

    def _entries(self, folder: str) -> dict[str, Literal["file", "directory"]]:
        inside = f"{folder}/" if folder else ""
        found: dict[str, Literal["file", "directory"]] = {}
        for name in self._files.names(inside):
            first, slash, _ = name[len(inside) :].partition("/")
            found[inside + first] = "directory" if slash else "file"
        return found

    def _entry(self, name: str, kind: str) -> Entry:
        size = self._files.size(name) if kind == "file" else 0
        return {"name": name, "size": size, "type": kind}

    def _is_file(self, name: str) -> bool:
        try:
            self._files.size(name)
        except NotFound:
            return False
        return True
