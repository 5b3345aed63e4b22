# SPDX-License-Identifier: Apache-2.0
"""What a forked child must do before any cryptography: draw new random numbers.

OpenSSL knows a fork by its process id. In a new PID namespace parent and child may
both be 1, and then two children repeat each other's numbers: the same SM2 nonce
(which gives the key away) or the same HPKE ephemeral key in two enclaves. So every
copy of OpenSSL in this process is given fresh entropy after each `os.fork`.
"""

import os
from collections.abc import Callable

from cryptography.hazmat.bindings.openssl.binding import Binding

RandAdd = Callable[[bytes, int, float], object]
"""`RAND_add` of one copy of OpenSSL: bytes, their number, their entropy in bytes."""

_FRESH_BYTES = 48


class _Forks:
    """How many forks lie between the first process and this one; what to reseed."""

    count = 0
    generators: tuple[RandAdd, ...] = ()


def count() -> int:
    """Return the number of forks so far; it differs between parent and child."""
    return _Forks.count


def reseed_after_fork(generator: RandAdd) -> None:
    """Give `generator` fresh entropy now, and in every child from now on."""
    _reseed(generator)
    _Forks.generators = (*_Forks.generators, generator)


def _reseed(generator: RandAdd) -> None:
    generator(os.urandom(_FRESH_BYTES), _FRESH_BYTES, float(_FRESH_BYTES))


def _in_child() -> None:
    _Forks.count += 1
    for generator in _Forks.generators:
        _reseed(generator)


reseed_after_fork(Binding.lib.RAND_add)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
