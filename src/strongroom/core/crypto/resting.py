# SPDX-License-Identifier: Apache-2.0
"""Where a private key rests between two uses."""

from collections.abc import Callable
from typing import TypeVar

from strongroom.core.crypto.buffers import Buffer, size
from strongroom.errors import Conflict, Malformed

K = TypeVar("K")


def resting(
    load: Callable[[Buffer], K], seed: Buffer, *, transient: bool
) -> Callable[[], K]:
    """Return what gives the library's key object for one operation.

    Kept, the object is made once and `seed` is forgotten. Transient, only a reference
    to `seed` is kept, which the caller holds in secret memory for as long as the key
    is used, and the object lives for one operation.
    """
    if not transient:
        key = load(seed)
        return lambda: key

    def fresh() -> K:
        try:
            size(seed)
        except ValueError as error:
            message = "the secret memory of this key has been closed"
            raise Conflict(message) from error
        return load(seed)

    return fresh


def check_seed(seed: Buffer, seed_bytes: int) -> None:
    """Refuse a seed of the wrong length.

    Raises:
        Malformed: `seed` is not `seed_bytes` long.
    """
    if size(seed) != seed_bytes:
        message = f"the seed is {size(seed)} bytes, not {seed_bytes}"
        raise Malformed(message)
