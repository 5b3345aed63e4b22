# SPDX-License-Identifier: Apache-2.0
"""Plants secrets and says where, never what; bursts its limits; tries to get out.

The secrets are answered under a mask, so that the monitor and the host's services,
which carry the answer, never hold them.
"""

import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer

MASK = 0x55
SIZE = 32
_BOMB_S = 5
_FILL = 1 << 20
_KEPT: list[object] = []


def masked(data: bytes | memoryview) -> bytes:
    """Hide or show a secret."""
    return bytes(byte ^ MASK for byte in data)


def plant(services: object) -> Mapping[str, object]:
    """Put secrets into ordinary memory, secret memory and a file; say where."""
    del services
    heap = ctypes.create_string_buffer(os.urandom(SIZE), SIZE)
    scratch = ctypes.create_string_buffer(SIZE)
    secret = SecretBuffer(SIZE)
    secret.fill_random()
    area = (ctypes.c_ubyte * SIZE).from_buffer(secret.view)
    filed = os.urandom(SIZE)
    Path("/scratch/planted").write_bytes(filed)
    _KEPT.extend((heap, scratch, secret, area))
    return {
        "heap": ctypes.addressof(heap),
        "secret": ctypes.addressof(area),
        "scratch": ctypes.addressof(scratch),
        "ordinary": masked(heap.raw),
        "hidden": masked(secret.view),
        "filed": masked(filed),
    }


def echo(services: object, text: str) -> str:
    """Return what was said."""
    del services
    return text


def fault(services: object) -> None:
    """Read memory that is not there."""
    del services
    ctypes.string_at(0)


def ask_host(services: object, namespace: str, name: str, data: str) -> None:
    """Have the host keep an object where the app says: past its own services."""
    gate = services._gate  # type: ignore[attr-defined]  # noqa: SLF001 - an app can
    question = {
        "ask": "store",
        "verb": "put",
        "namespace": namespace,
        "names": [name],
        "data": data.encode(),
    }
    gate.ask_host(cbor.encode(question))


def escape(services: object, way: str, aim: str) -> Mapping[str, object]:
    """Try a way out of the enclave; answer whether it led there, or the error."""
    del services
    ways: dict[str, Callable[[str], bool]] = {
        "network": _network,
        "file": lambda path: bool(Path(path).read_bytes()),
        "process": _process,
        "program": _program,
        "namespace": _namespace,
        "descriptors": _descriptors,
        "shared": _shared,
        "full": _fill,
    }
    try:
        return {"got": ways[way](aim), "errno": 0}
    except OSError as error:
        return {"got": False, "errno": error.errno or 0}


def bomb(services: object, kind: str) -> None:
    """Take all there is of something, for a few seconds at most."""
    del services
    bombs: dict[str, Callable[[float], None]] = {
        "processes": _fork,
        "threads": _threads,
        "memory": _memory,
        "processor": _spin,
    }
    bombs[kind](time.monotonic() + _BOMB_S)


def _network(aim: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
        link.connect((aim, 80))
    return True


def _process(aim: str) -> bool:
    del aim
    others = [
        int(each.name)
        for each in Path("/proc").iterdir()
        if each.name.isdigit() and int(each.name) != os.getpid()
    ]
    for pid in others:
        os.kill(pid, 0)
    return bool(others)


def _program(aim: str) -> bool:
    os.execv(aim, [aim])  # noqa: S606 - no shell is wanted


def _namespace(aim: str) -> bool:
    del aim
    library = ctypes.CDLL(None, use_errno=True)
    new_user, new_mounts = 0x10000000, 0x00020000
    if library.unshare(ctypes.c_int(new_user | new_mounts)):
        raise OSError(ctypes.get_errno(), "unshare")
    return True


def _descriptors(aim: str) -> bool:
    """Look for a descriptor that leads out: a file, folder or socket of the host's."""
    del aim
    sockets = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            place = os.fspath(each.readlink())
        except OSError:
            continue  # of the listing itself
        sockets += place.startswith("socket:")
        if place.startswith("/") and not place.startswith(("/dev/", "/proc/", "/tmp/")):  # noqa: S108 - its own
            return True
    gate = 1
    return sockets > gate


def _shared(aim: str) -> bool:
    """Take memory that no limit counts."""
    return os.memfd_create(aim) >= 0


def _fill(aim: str) -> bool:
    """Write a file that is larger than all of the enclave's memory."""
    with Path(aim).open("wb") as file:
        file.writelines(bytes(_FILL) for _ in range(1 << 10))
    return True


def _fork(until: float) -> None:
    while time.monotonic() < until:
        try:
            if os.fork() == 0:
                signal.alarm(_BOMB_S)  # not inherited: each process has its own
        except OSError:
            continue


def _threads(until: float) -> None:
    while time.monotonic() < until:
        try:
            threading.Thread(target=time.sleep, args=(_BOMB_S,)).start()
        except RuntimeError:
            continue


def _memory(until: float) -> None:
    blocks: list[bytearray] = []
    while time.monotonic() < until and len(blocks) < 1 << 10:
        blocks.append(bytearray(b"\1") * _FILL)


def _spin(until: float) -> None:
    """Compute for as long as others wait; on a busy machine that takes longer."""
    until += time.process_time() - time.monotonic()
    while time.process_time() < until:
        pass
