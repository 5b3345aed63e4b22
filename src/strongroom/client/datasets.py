# SPDX-License-Identifier: Apache-2.0
"""Data providers: seal locally, store anywhere, hand the key to the broker (R-DATA)."""

import csv
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from strongroom.application.cleanroom import DatasetRegistration
from strongroom.client.home import Home
from strongroom.client.session import Session
from strongroom.core.codec.floe import HEADER_BYTES
from strongroom.core.codec.sealed import FIXED_BYTES, DatasetHeader, prefix_length
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import suite
from strongroom.errors import Malformed, NotFound
from strongroom.services.sealing import SealedFile, SealedInfo, describe, seal_file

Progress = Callable[[int], None]
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
    ".json": "application/json",
}
_PART_BYTES = 1 << 20


def seal(
    home: Home,
    source: Path,
    target: Path,
    name: str,
    now: int,
    progress: Progress | None = None,
) -> SealedInfo:
    """Seal a file under a fresh data key, which stays in the party's home.

    Works offline and in constant memory. Column names of a CSV file go into the
    readable description; a party that must hide them renames them first.

    Raises:
        NotFound: no such file.
        Malformed: a name or column that no description can hold.
    """
    owner = home.public_identity()
    media_type = MEDIA_TYPES.get(source.suffix.lower(), "application/octet-stream")
    if not source.is_file():
        message = f"there is no file {source}"
        raise NotFound(message)
    header = DatasetHeader(
        suite="sm" if owner.suite == "sm" else "intl",
        name=name,
        media_type=media_type,
        columns=_columns(source) if media_type == "text/csv" else (),
        rows=None,
        owner=owner.id,
        created_at=now,
    )
    key = os.urandom(suite(owner.suite).aead_key_bytes)
    fresh = target.with_name(f".{target.name}.new")
    try:
        with source.open("rb") as reader, fresh.open("wb") as writer:
            info = seal_file(
                reader.fileno(), writer.fileno(), header, key, progress=progress
            )
            os.fsync(writer.fileno())
        home.keep_key(info.dataset_id, key)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return info


def _columns(source: Path) -> tuple[str, ...]:
    with source.open("rb") as file:
        line = file.readline(1 << 20)
    try:
        return tuple(next(csv.reader(io.StringIO(line.decode("utf-8-sig")))))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        message = f"{source.name} does not start with a line of column names"
        raise Malformed(message) from error


def register(
    session: Session, sealed: Path, policy: str, progress: Progress | None = None
) -> str:
    """Put a sealed file into the store and its key, with its policy, into the broker.

    Args:
        session: the owner's.
        sealed: what `seal` wrote.
        policy: the usage policy, Cedar text.
        progress: is told the number of bytes stored so far.

    Returns:
        The dataset's id.

    Raises:
        Refused: the broker does not verify, or does not take it.
    """
    with sealed.open("rb") as file:
        info = describe(file.fileno())
        key = session.home.data_key(info.dataset_id, session.identity)
        SealedFile(file.fileno(), key)
        head = os.pread(
            file.fileno(),
            prefix_length(os.pread(file.fileno(), FIXED_BYTES, 0)) + HEADER_BYTES,
            0,
        )
        registration = DatasetRegistration(
            dataset=info.dataset_id,
            header=head,
            length=info.total_bytes,
            owner=session.identity.public.id,
            policy=policy,
            registered_at=session.clock(),
        )
        line = session.line
        path = f"/v1/objects/{info.dataset_id}"
        session.transport.send("PUT", path, _parts(sealed, progress))
    statement = sign_record(session.identity.signing, registration)
    line.ask(
        "dataset.register", {"registration": statement, "key": key}, session.clock()
    )
    return info.dataset_id


def _parts(path: Path, progress: Progress | None) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            yield part
            done += len(part)
            if progress:
                progress(done)


def unseal(session: Session, sealed: Path, target: Path) -> SealedInfo:
    """Open one of the party's own sealed files.

    Raises:
        NotFound: sealed by someone else.
        Tampered: altered since.
    """
    with sealed.open("rb") as file:
        info = describe(file.fileno())
        key = session.home.data_key(info.dataset_id, session.identity)
        opened = SealedFile(file.fileno(), key)
        with os.fdopen(
            os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as writer:
            writer.writelines(opened.stream())
    return info
