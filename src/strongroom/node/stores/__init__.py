# SPDX-License-Identifier: Apache-2.0
"""Where protected storage keeps its ciphertext: one module a kind of store.

Each is a `BlockStore` (core/rats/stores.py). After an error that may have lost what was
put before, a store answers nothing but that error until it is opened again.
"""

from importlib import import_module
from typing import Protocol
from urllib.parse import urlsplit

from strongroom.core.rats.stores import BlockStore
from strongroom.errors import Malformed, Misconfigured

_MODULES = {
    "folder": "strongroom.node.stores.folder",
    "sqlite": "strongroom.node.stores.sql",
    "postgresql": "strongroom.node.stores.sql",
    "s3": "strongroom.node.stores.s3",
}


class Store(BlockStore, Protocol):
    """A store that somebody opened and will close."""

    def close(self) -> None:
        """Give back what it holds; what was not synced is lost."""


def open_store(url: str) -> Store:
    """Open the store at `url`, making it where it can be made.

    Args:
        url: `folder:PATH`, `sqlite:///PATH`, `postgresql://USER@HOST/DATABASE` or
            `s3://BUCKET/PREFIX`; passwords and keys come from the environment
            (PGPASSWORD or ~/.pgpass, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL ...).

    Raises:
        Malformed: another kind of store.
        Misconfigured: its library is not installed, or it cannot be used.
        Unavailable: it does not answer.
    """
    kind = urlsplit(url).scheme
    if kind not in _MODULES:
        message = f"no store of kind {kind!r}: it is one of {', '.join(_MODULES)}"
        raise Malformed(message)
    try:
        module = import_module(_MODULES[kind])
    except ModuleNotFoundError as error:
        message = f"a {kind} store needs {error.name}: install strongroom[node]"
        raise Misconfigured(message) from error
    store: Store = module.open_url(url)
    return store
