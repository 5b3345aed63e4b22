# SPDX-License-Identifier: Apache-2.0
"""Objects as rows of an SQLite database, each change durable before it returns."""

import sqlite3
from pathlib import Path

from strongroom.errors import Conflict, Unavailable
from strongroom.node.objects.folder import checked

_TABLE = """
CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, data BLOB NOT NULL)
WITHOUT ROWID
"""


class SqliteObjects:
    """Implements `ObjectStore`; the database is locked for others while it is open."""

    def __init__(self, path: Path) -> None:
        """Open the database, made if missing.

        Raises:
            Conflict: somebody else has it open.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            for line in (
                "PRAGMA locking_mode=EXCLUSIVE",
                "PRAGMA journal_mode=WAL",
                "PRAGMA synchronous=FULL",
                _TABLE,
            ):
                self._database.execute(line)
        except sqlite3.OperationalError as error:
            self._database.close()
            message = f"{path} is open elsewhere: one enclave at a time writes to it"
            raise Conflict(message) from error

    def get(self, name: str) -> bytes | None:
        """Return an object, or None."""
        rows = self._do("SELECT data FROM objects WHERE name = ?", checked(name))
        return bytes(rows[0][0]) if rows else None

    def put(self, name: str, data: bytes) -> None:
        """Keep an object durably."""
        self._do("INSERT OR REPLACE INTO objects VALUES (?, ?)", checked(name), data)

    def delete(self, name: str) -> None:
        """Forget an object."""
        self._do("DELETE FROM objects WHERE name = ?", checked(name))

    def names(self) -> tuple[str, ...]:
        """Return the names of all objects."""
        return tuple(str(row[0]) for row in self._do("SELECT name FROM objects"))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _do(self, statement: str, *values: object) -> list[tuple[bytes, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            message = f"the database of the store: {error}"
            raise Unavailable(message) from error
