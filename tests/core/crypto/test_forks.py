# SPDX-License-Identifier: Apache-2.0
"""Two children with one process id never draw the same random numbers."""

import ctypes
import os
from collections.abc import Callable

import pytest

from strongroom.core.crypto import SUITES, forks, suite

_NEW_USER, _NEW_PID = 0x10000000, 0x20000000
_libc = ctypes.CDLL(None, use_errno=True)


def output_of(action: Callable[[], bytes]) -> bytes:
    """Return what a forked child that runs `action` returns; empty if it failed."""
    source, sink = os.pipe()
    if os.fork() == 0:
        try:
            os.write(sink, action())
        finally:
            os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as file:
        data = file.read()
    os.wait()
    return data


def draw() -> bytes:
    """Use the generators of both copies of OpenSSL; say the process id as well."""
    signed = suite("sm").signing_key(bytes(40)).sign(b"one message")
    boxes = [row.kem_key(bytes(row.kem_seed_bytes)).public for row in SUITES.values()]
    parts = [signed, *(box.seal(b"", b"") for box in boxes)]
    return b"%d " % os.getpid() + b" ".join(part.hex().encode() for part in parts)


def nested(action: Callable[[], bytes]) -> bytes:
    """Run `action` in a child that is process 1 of a new PID namespace."""

    def enter() -> bytes:
        if _libc.unshare(_NEW_USER | _NEW_PID) and _libc.unshare(_NEW_PID):
            return b""
        return output_of(action)

    return output_of(enter)


def test_siblings_with_the_process_id_of_their_parent() -> None:
    def parent() -> bytes:
        draw()  # the generators have a state that the children copy
        return nested(draw) + b"\n" + nested(draw)

    lines = nested(parent).splitlines()
    if len(lines) != 2 or not all(lines):
        pytest.skip("this machine lets nobody make PID namespaces")
    one, other = (line.split() for line in lines)
    assert one[0] == other[0] == b"1"
    assert all(left != right for left, right in zip(one[1:], other[1:], strict=True))


def test_forks_are_counted() -> None:
    before = forks.count()
    assert output_of(lambda: b"%d" % forks.count()) == b"%d" % (before + 1)
    assert forks.count() == before
