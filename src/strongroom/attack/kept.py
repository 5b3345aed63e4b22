# SPDX-License-Identifier: Apache-2.0
"""Routes of a host who keeps datasets, key rings, approvals and logs for others.

Each attempt returns whether what the host changed, or put back, was taken for good.
"""

import io
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from strongroom.attack.bench import Bench, bench, elsewhere
from strongroom.attack.freshness import objects, put_back
from strongroom.attack.room import SUITE
from strongroom.attack.target import Target
from strongroom.client.apps import approve
from strongroom.core.codec.bundle import Bundle
from strongroom.core.codec.sealed import DatasetHeader
from strongroom.core.codec.segment import JOURNAL, place
from strongroom.core.crypto import suite
from strongroom.core.rats import Trust
from strongroom.management.audit import verify_gate_log
from strongroom.node.provision import GATE_LOG
from strongroom.services.sealing import SealedFile, seal_file

_TEXT = b"of the owner's rows" * 64
_SEGMENT = 256
_KEYS = "keys"


def other_approval(at: Target) -> bool:
    """Open sealed data by an approval of another upgrade to the same app."""
    host = bench(at)
    first, second, third = host.app(), host.app(), host.app()
    word = approve(
        host.work.provider.signing,
        *(Bundle.from_bytes(each).verify() for each in (second, third)),
    )
    with host.services(first) as app:
        sealed = app.seal(_TEXT)
    with host.services(third) as app:
        return app.unseal(sealed, b"", word) == _TEXT


def shredded_key(at: Target) -> bool:
    """Put the key ring of yesterday back, which has a key that was shredded since."""
    host = bench(at)
    bundle = host.app(storage=[_KEYS])
    with host.services(bundle) as app:
        key = app.generate_key("aes-256-gcm", "encrypt", "letters")
        letter = app.encrypt(key, _TEXT)
        yesterday = objects(host)
        app.call("shred", key=key.hex())
    today = objects(host)
    put_back(host, yesterday)
    try:
        with host.services(bundle) as app:
            return app.decrypt(key, letter) == _TEXT
    finally:
        put_back(host, today)


def dataset_altered(at: Target) -> bool:
    """Change one byte in the middle of a sealed dataset."""

    def change(data: bytearray) -> bytes:
        data[len(data) // 2] ^= 1
        return bytes(data)

    return _dataset(at, change)


def dataset_cut(at: Target) -> bool:
    """Cut the last segments off a sealed dataset."""
    return _dataset(at, lambda data: bytes(data[: -2 * _SEGMENT]))


def _dataset(at: Target, change: Callable[[bytearray], bytes]) -> bool:
    """Return whether a dataset is read after the host changed its file."""
    header = DatasetHeader.from_value(
        {
            "type": DatasetHeader.TYPE,
            "suite": SUITE,
            "name": "rows",
            "media_type": "text/csv",
            "columns": [],
            "rows": 0,
            "owner": "ab" * 32,
            "created_at": 0,
        }
    )
    key = os.urandom(suite(SUITE).aead_key_bytes)
    path = bench(at).device.parent / f"dataset-{os.urandom(4).hex()}"
    with path.open("w+b", buffering=0) as file:
        seal_file(io.BytesIO(_TEXT), file.fileno(), header, key, segment_bytes=_SEGMENT)
        path.write_bytes(change(bytearray(path.read_bytes())))
        return bool(SealedFile(file.fileno(), key).read())


def log_altered(at: Target) -> bool:
    """Change one byte of a signed record in a gate's log."""

    def change(folder: Path) -> None:
        (tile,) = (place(folder, 0) / "tile" / "entries").rglob("*.p/*")
        _flip(tile)

    return _log(at, change)


def log_cut(at: Target) -> bool:
    """Take the first boot out of a gate's log."""
    return _log(at, lambda folder: shutil.rmtree(place(folder, 0)))


def journal_of_log_altered(at: Target) -> bool:
    """Change a record in a monitor's journal while it is down; it signs the rest."""
    host = elsewhere(at)
    try:
        _used(host)
        folder = host.device.parent / GATE_LOG
        _flip(place(folder, 0) / JOURNAL)
        _used(host)
        return _holds(host, folder)
    finally:
        host.stop()


def _log(at: Target, change: Callable[[Path], None]) -> bool:
    """Return whether a copy of a gate's log that was changed is taken for good."""
    host = elsewhere(at)
    try:
        _used(host)
        _used(host)
    finally:
        host.stop()
    copy = host.device.parent / "copy"
    shutil.copytree(host.device.parent / GATE_LOG, copy)
    _holds(host, copy)
    change(copy)
    return _holds(host, copy)


def _used(host: Bench) -> None:
    """Have a monitor boot, answer something and end."""
    with host.connected() as isolation:
        isolation.evidence(os.urandom(16))
    host.stop()


def _holds(host: Bench, folder: Path) -> bool:
    log = verify_gate_log(folder, Trust(host.work.endorsements), int(time.time()) + 1)
    return log.entries > 0


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
