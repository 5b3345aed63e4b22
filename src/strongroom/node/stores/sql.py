# SPDX-License-Identifier: Apache-2.0
"""A table as a store: SQLite or PostgreSQL through SQLAlchemy Core.

Puts gather in a transaction of the database only to be quick; that they land together
is not needed, so a long one is committed in between.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Insert,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from strongroom.core.crypto import Buffer
from strongroom.errors import Misconfigured, Unavailable

R = TypeVar("R")
_COMMIT_BYTES = 16 << 20
_DELETE_ROWS = 500
_NAMES_ROWS = 10_000
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
_OBJECTS = Table(
    "strongroom_objects",
    MetaData(),
    Column("name", String(128), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
_DATA: dict[str, object] = {"data": text("excluded.data")}
_UPSERTS: dict[str, Insert] = {
    "sqlite": sqlite.insert(_OBJECTS).on_conflict_do_update(["name"], set_=_DATA),
    "postgresql": postgresql.insert(_OBJECTS).on_conflict_do_update(
        index_elements=["name"], set_=_DATA
    ),
}


class SqlStore:
    """Objects as rows of `strongroom_objects`; one connection, used in turn."""

    def __init__(self, url: URL) -> None:
        self._kind = url.get_backend_name()
        self._lock = threading.RLock()
        self._failed = False
        self._pending_bytes = 0
        self._engine = _engine(url)
        self._connection = self._run(self._connect)

    def get(self, name: str) -> bytes | None:
        """Return the bytes under `name`, or None."""
        query = select(_OBJECTS.c.data).where(_OBJECTS.c.name == name)

        def run() -> bytes | None:
            found = self._connection.execute(query).scalar()
            if not self._pending_bytes:
                self._connection.commit()
            return None if found is None else bytes(found)

        return self._run(run)

    def put(self, name: str, data: Buffer) -> None:
        """Write a row; `sync` makes it durable."""
        value = bytes(data)
        query = _UPSERTS[self._kind].values(name=name, data=value)

        def run() -> None:
            self._connection.execute(query)
            self._pending_bytes += len(value) + len(name)
            if self._pending_bytes > _COMMIT_BYTES:
                self._commit()

        self._run(run)

    def sync(self) -> None:
        """Commit."""
        self._run(self._commit)

    def delete(self, names: Iterable[str]) -> None:
        """Delete rows."""
        rest = iter(names)

        def run() -> None:
            while some := list(islice(rest, _DELETE_ROWS)):
                self._connection.execute(
                    delete(_OBJECTS).where(_OBJECTS.c.name.in_(some))
                )
            self._commit()

        self._run(run)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin with `prefix`, in order."""
        start, stop = prefix, prefix + "\x7f"
        while some := self._run(partial(self._some_names, start, stop)):
            yield from some
            start = some[-1] + "\x01"

    def close(self) -> None:
        """Give the connection back; what was not synced is lost."""
        self._connection.close()
        self._engine.dispose()

    def _some_names(self, start: str, stop: str) -> list[str]:
        name = _OBJECTS.c.name.collate("C" if self._kind == "postgresql" else "BINARY")
        query = (
            select(_OBJECTS.c.name)
            .where(name >= start, name < stop)
            .order_by(name)
            .limit(_NAMES_ROWS)
        )
        found = list(self._connection.execute(query).scalars())
        if not self._pending_bytes:
            self._connection.commit()
        return found

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        _OBJECTS.metadata.create_all(connection)
        connection.commit()
        return connection

    def _commit(self) -> None:
        self._connection.commit()
        self._pending_bytes = 0

    def _run(self, action: Callable[[], R]) -> R:
        """Run `action` on the connection; one that failed may have lost puts."""
        with self._lock:
            if self._failed:
                message = f"the {self._kind} store failed: open it again"
                raise Unavailable(message)
            try:
                return action()
            except SQLAlchemyError as error:
                self._failed = True
                message = f"the {self._kind} store failed: {type(error).__name__}"
                raise Unavailable(message) from error


def open_url(url: str) -> SqlStore:
    """Open the store at `sqlite:///PATH` or `postgresql://USER@HOST/DATABASE`.

    Raises:
        Misconfigured: not such a URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        message = "this is not the URL of a database"
        raise Misconfigured(message) from error
    return SqlStore(parsed.set(drivername=_DRIVERS[parsed.get_backend_name()]))


def _engine(url: URL) -> Engine:
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        message = f"this database needs {error.name}: install strongroom[node]"
        raise Misconfigured(message) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: object, _record: object) -> None:
    """Make a commit of SQLite's durable, and cheap: one flush of its log."""
    cursor = connection.cursor()  # type: ignore[attr-defined]  # DB-API
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
