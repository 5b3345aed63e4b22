# SPDX-License-Identifier: Apache-2.0
"""The store: a folder with an index and one file a document, named by its digest.

    index               the `Index` record; replaced whole, so it is the old or the new
    documents/<sha256>  a document as it was published

A document is written before the index that names it, and removed after; so a crash
leaves at most a file that nothing names. One writer at a time (a lock on the folder).
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.core.codec.record import Record
from strongroom.core.rats import Endorsements
from strongroom.errors import Finding, Malformed, Refused, Stale, Tampered
from strongroom.management.endorsements.documents import (
    ANCHOR,
    REVOKED,
    Document,
    Incoming,
    describe,
    is_anchor,
)
from strongroom.management.files import write_durably

MAX_DOCUMENTS = 100_000
_OWNER = "endorsements"


@dataclass(frozen=True)
class Index(Record):
    """What the store holds; `version` counts its changes."""

    TYPE = "strongroom/endorsement-index/v1"

    version: int
    documents: tuple[Document, ...]


class EndorsementStore:
    """The endorsements of one verifier, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def stamp(self) -> tuple[int, int, int]:
        """What changes whenever the index does; cheap enough to ask each time."""
        try:
            status = (self._folder / "index").stat()
        except FileNotFoundError:
            return (0, 0, 0)
        return (status.st_ino, status.st_mtime_ns, status.st_size)

    def index(self) -> Index:
        """Return what the store holds; an empty index where there is none yet.

        Raises:
            Malformed: the index was altered.
        """
        try:
            return Index.from_bytes((self._folder / "index").read_bytes())
        except FileNotFoundError:
            return Index(0, ())

    def read(self, document: Document) -> bytes:
        """Return a document's bytes.

        Raises:
            Tampered: they are gone, or not those that were imported.
        """
        path = self._folder / "documents" / document.name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        if hashlib.sha256(data).digest() != document.digest:
            raise Tampered.because(
                "endorsement.digest",
                _OWNER,
                expected=f"the {document.role} that was imported, {document.name[:16]}",
                got="other bytes" if data else "no file",
                remedy="Import the document again.",
            )
        return data

    def add(
        self, documents: Iterable[Incoming], now: int, *, anchors: bool
    ) -> tuple[Document, ...]:
        """Import documents, all or none; return those that were new.

        Args:
            documents: what somebody brings.
            now: Unix seconds, for `imported_at`.
            anchors: whether a person vouches for roots and trusted keys among them;
                a refresh never does.

        Raises:
            Malformed: one is not of its role.
            Refused: `endorsement.anchor`, a root that nobody vouches for.
            Stale: `endorsement.rollback`, older than the one that it would replace.
        """
        with self._locked():
            index = self.index()
            kept, new = list(index.documents), []
            for incoming in documents:
                if is_anchor(incoming.role) and not anchors:
                    raise _unasked_anchor(incoming)
                document = describe(incoming, now)
                if _place(kept, document):
                    self._write_document(document, incoming.data)
                    new.append(document)
            if new:
                self._replace(index, kept)
        return tuple(new)

    def prune(self, now: int) -> tuple[Document, ...]:
        """Remove what has expired, roots apart; return what was removed."""
        with self._locked():
            index = self.index()
            gone = tuple(
                each
                for each in index.documents
                if each.expired(now) and not is_anchor(each.role)
            )
            if gone:
                self._replace(index, [e for e in index.documents if e not in gone])
        return gone

    def remove(self, name: str) -> tuple[Document, ...]:
        """Remove every entry of the document with this digest in hex."""
        with self._locked():
            index = self.index()
            gone = tuple(each for each in index.documents if each.name == name)
            if gone:
                self._replace(index, [e for e in index.documents if e not in gone])
        return gone

    def endorsements(self, kind: str, subject: str = "") -> Endorsements:
        """Return the endorsements for evidence of a kind.

        Args:
            kind: as in `HardwareEvidence.kind`, or the kind of a platform.
            subject: from `evidence_subject`: leaves out what is for other platforms.

        Raises:
            Tampered: a document was altered.
        """
        stamp = self.stamp
        try:
            by_role = self._by_role(kind, subject)
        except Tampered:
            if self.stamp == stamp:
                raise
            by_role = self._by_role(kind, subject)  # it was replaced meanwhile
        roots = tuple(by_role.pop(ANCHOR, ()))
        revoked = tuple(by_role.pop(REVOKED, ()))
        return Endorsements(
            roots, revoked, {role: tuple(found) for role, found in by_role.items()}
        )

    def _by_role(self, kind: str, subject: str) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for document in self.index().documents:
            if document.is_for(kind, subject):
                found.setdefault(document.role, []).append(self.read(document))
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        (self._folder / "documents").mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write_document(self, document: Document, data: bytes) -> None:
        path = self._folder / "documents" / document.name
        if not path.exists():
            write_durably(path, data)

    def _replace(self, index: Index, documents: list[Document]) -> None:
        if len(documents) > MAX_DOCUMENTS:
            message = f"a store holds at most {MAX_DOCUMENTS} documents"
            raise Malformed(message)
        fresh = Index(index.version + 1, tuple(documents))
        write_durably(self._folder / "index", fresh.to_bytes())
        named = {each.name for each in documents}
        for old in {each.name for each in index.documents} - named:
            (self._folder / "documents" / old).unlink(missing_ok=True)


def _place(kept: list[Document], document: Document) -> bool:
    """Put a document in its place among `kept`; tell whether it is new there."""
    key = (document.role, document.kinds)
    for at, old in enumerate(kept):
        if (old.role, old.kinds) != key:
            continue
        if old.digest == document.digest:
            return False
        if document.slot and old.slot == document.slot:
            _check_newer(old, document)
            kept[at] = document
            return True
    kept.append(document)
    return True


def _check_newer(old: Document, document: Document) -> None:
    if old.issued_at is None or document.issued_at is None:
        return
    if document.issued_at < old.issued_at:
        raise Stale.because(
            "endorsement.rollback",
            _OWNER,
            expected=f"a {document.role} of {old.issued_at} or later",
            got=f"one of {document.issued_at}",
            remedy="Keep the newer one; remove it first if it was wrong.",
        )


def _unasked_anchor(incoming: Incoming) -> Refused:
    finding = Finding(
        rule="endorsement.anchor",
        owner=_OWNER,
        expected="roots and trusted keys from a person who compared them",
        got=f"a {incoming.role} from {incoming.source}",
        remedy="Import it by hand, and say that you compared it (--anchors).",
    )
    return Refused(str(finding), [finding])
