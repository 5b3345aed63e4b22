# SPDX-License-Identifier: Apache-2.0
"""An S3-compatible object store as a store, through obstore."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store

from strongroom.core.crypto import Buffer
from strongroom.errors import Misconfigured, Unavailable

_DELETE_NAMES = 1000
_RETRIES = 3
_RETRY_TIME = timedelta(seconds=30)


class ObjectStore:
    """Objects under a prefix of a bucket; a put is durable when it returns."""

    def __init__(self, bucket: S3Store) -> None:
        self._bucket = bucket

    def get(self, name: str) -> bytes | None:
        """Return the bytes under `name`, or None."""
        with _translated():
            try:
                return bytes(self._bucket.get(name).bytes())
            except FileNotFoundError:
                return None

    def put(self, name: str, data: Buffer) -> None:
        """Upload an object in one request; S3 keeps it before it answers."""
        with _translated():
            self._bucket.put(name, bytes(data), use_multipart=False)

    def sync(self) -> None:
        """Return: every put was durable when it returned."""

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects."""
        rest = iter(names)
        while some := list(islice(rest, _DELETE_NAMES)):
            with _translated():
                try:
                    self._bucket.delete(some)
                except FileNotFoundError:
                    self._delete_each(some)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin with `prefix`."""
        folder, _, _ = prefix.rpartition("/")
        with _translated():
            for some in self._bucket.list(folder or None):
                for each in some:
                    if each["path"].startswith(prefix):
                        yield each["path"]

    def close(self) -> None:
        """Do nothing: the library keeps the connections and ends them."""

    def _delete_each(self, names: list[str]) -> None:
        for name in names:
            try:
                self._bucket.delete(name)
            except FileNotFoundError:
                continue


def open_url(url: str) -> ObjectStore:
    """Open the store at `s3://BUCKET/PREFIX`; the rest comes from AWS_* variables.

    Raises:
        Misconfigured: no bucket is named, or a variable is not understood.
    """
    parts = urlsplit(url)
    if not parts.netloc:
        message = "an S3 store is named s3://BUCKET/PREFIX"
        raise Misconfigured(message)
    try:
        bucket = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME},
        )
    except BaseError as error:
        message = f"the S3 store cannot be used: {type(error).__name__}"
        raise Misconfigured(message) from error
    return ObjectStore(bucket)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        message = f"the S3 store failed: {type(error).__name__}"
        raise Unavailable(message) from error
