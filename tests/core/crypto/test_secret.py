# SPDX-License-Identifier: Apache-2.0
"""Secret memory: out of reach of /proc, gone in children, and wiped."""

import faulthandler
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import Conflict, Malformed, Misconfigured

pytestmark = pytest.mark.skipif(
    not SecretBuffer.supported(), reason="this kernel has no memfd_secret"
)


def in_child(action: Callable[[], object]) -> int:
    """Return how a forked child that runs `action` ends, as `os.waitpid` does."""
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        try:
            action()
        except BaseException:  # noqa: BLE001 - a child must never return to pytest
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_fill_wipe_and_close() -> None:
    with SecretBuffer(5000) as buffer:
        view = buffer.view
        assert len(buffer) == len(view) == 5000
        assert bytes(view) == bytes(5000)
        buffer.fill_random()
        assert len(set(view[:2000])) > 200
        assert len(set(view[4900:])) > 50
        kept = view[:16]
        buffer.wipe()
        assert bytes(view) == bytes(5000)
        view[:4] = b"abcd"
    assert bytes(kept) == bytes(16)
    with pytest.raises(ValueError, match="released"):
        view[0]
    with pytest.raises(Conflict):
        buffer.view  # noqa: B018 - the property itself raises
    buffer.close()


def test_nothing_shows_in_proc_mem_or_repr() -> None:
    with SecretBuffer(32) as buffer, Path("/proc/self/mem").open("rb", 0) as memory:
        buffer.view[:] = b"k" * 32
        mapped = [
            line
            for line in Path("/proc/self/maps").read_text().splitlines()
            if "secretmem" in line
        ]
        assert mapped
        for line in mapped:
            memory.seek(int(line.partition("-")[0], 16))
            with pytest.raises(OSError, match="Input/output error"):
                memory.read(32)
        assert "k" * 4 not in repr(buffer)


def test_no_descriptor_stays_open() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = opened()
    with SecretBuffer(1):
        assert opened() == before


def test_the_mapping_goes_with_its_last_view() -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("secretmem")

    before = mapped()
    buffer = SecretBuffer(1)
    part = buffer.view[:1]
    buffer.close()
    assert mapped() == before + 1
    part.release()
    assert mapped() == before


def test_read_from_and_write_to_descriptors() -> None:
    source, sink = os.pipe()
    with SecretBuffer(6) as buffer, SecretBuffer(6) as other:
        os.write(sink, b"abc")
        os.write(sink, b"def+")
        buffer.read_from(source)
        assert bytes(buffer.view) == b"abcdef"
        assert os.read(source, 10) == b"+"
        buffer.write_to(sink)
        other.read_from(source)
        assert bytes(other.view) == b"abcdef"
        os.write(sink, b"abc")
        os.close(sink)
        with pytest.raises(Malformed, match="3 of 6"):
            buffer.read_from(source)
    os.close(source)


def test_a_child_has_no_such_memory() -> None:
    with SecretBuffer(32) as buffer:
        buffer.fill_random()
        before, view = bytes(buffer.view), buffer.view

        def ask() -> None:
            with pytest.raises(Conflict):
                buffer.view  # noqa: B018 - the property itself raises
            buffer.close()

        assert in_child(ask) == 0
        assert os.WTERMSIG(in_child(view.tolist)) == signal.SIGSEGV
        assert bytes(buffer.view) == before


def test_inherited_memory_is_shared_and_only_its_maker_wipes_it() -> None:
    with SecretBuffer(4, inherit=True) as buffer:
        buffer.view[:] = b"abcd"

        def use() -> None:
            buffer.view[:2] = b"xy"
            buffer.close()

        assert in_child(use) == 0
        assert bytes(buffer.view) == b"xycd"


def test_reasons_are_told() -> None:
    def no_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        with pytest.raises(Misconfigured, match="Too many open files"):
            SecretBuffer(1)
        assert not SecretBuffer.supported()

    assert in_child(no_descriptors) == 0
    with pytest.raises(Misconfigured, match="more than this machine"):
        SecretBuffer(2**64)


def test_limits_say_what_to_raise() -> None:
    def exceed() -> None:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))
        if os.geteuid() == 0:
            os.setuid(65534)  # root may lock what it likes
        with pytest.raises(Misconfigured, match="RLIMIT_MEMLOCK"):
            SecretBuffer(1 << 20)

    assert in_child(exceed) == 0
    with pytest.raises(Malformed):
        SecretBuffer(0)


def test_a_buffer_in_a_garbage_cycle_is_wiped_without_harm() -> None:
    code = (
        "import gc\n"
        "from strongroom.core.crypto import SecretBuffer\n"
        "class Node: pass\n"
        "node = Node(); node.me = node; node.secret = SecretBuffer(32)\n"
        "node.secret.fill_random(); del node; gc.collect()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
