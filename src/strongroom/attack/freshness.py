# SPDX-License-Identifier: Apache-2.0
"""Routes of a host who alters, swaps or turns back what was sealed (SEAL, STOR).

Each attempt returns whether what the host put there was taken for good.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strongroom.attack.bench import Bench, bench, elsewhere
from strongroom.attack.target import Target
from strongroom.core.codec.bundle import Bundle
from strongroom.services.storage.head import FOLDER

_OLD, _NEW = b"of yesterday", b"of this day!"
_SPACE, _BLOCK = "ledger", "block"
Change = Callable[[dict[Path, bytes], list[Path]], None]
"""Done to a store: what was there yesterday, and which objects are of today."""


def altered_blob(at: Target) -> bool:
    """Change one byte of sealed data."""
    host = bench(at)
    with host.services(host.app()) as app:
        sealed = bytearray(app.seal(_NEW))
        sealed[-1] ^= 1
        return app.unseal(bytes(sealed)) == _NEW


def blob_to_another_app(at: Target) -> bool:
    """Give sealed data to another app of the same maker."""
    host = bench(at)
    with host.services(host.app()) as app, host.services(host.app()) as other:
        return other.unseal(app.seal(_NEW)) == _NEW


def blob_to_another_device(at: Target) -> bool:
    """Give sealed data to the same app on another device."""
    host, other = bench(at), elsewhere(at)
    bundle = host.app()
    try:
        other.work.provider = host.work.provider
        with host.services(bundle) as app, other.services(bundle) as twin:
            return twin.unseal(app.seal(_NEW)) == _NEW
    finally:
        other.stop()


def blob_to_an_older_app(at: Target) -> bool:
    """Give an older version, which still runs, what a newer one sealed to its maker."""
    host = bench(at)
    older = host.app(svn=1)
    name = Bundle.from_bytes(older).manifest.name
    with (
        host.services(older) as old,
        host.services(host.app(svn=2, name=name)) as new,
    ):
        return old.unseal(new.seal(_NEW, "signer")) == _NEW


def older_blob(at: Target) -> bool:
    """Give an app the data that it sealed before the last."""
    host = bench(at)
    with host.services(host.app()) as app:
        old = app.seal(_OLD)
        app.seal(_NEW)
        return app.unseal(old) == _OLD


def store_changed(change: Change) -> Callable[[Target], bool]:
    """Return an attempt to have a running app read what the host changed."""

    def attempt(at: Target) -> bool:
        host = bench(at)
        with host.services(host.app()) as app:
            app.store(_SPACE, _BLOCK, _OLD)
            before = objects(host)
            app.store(_SPACE, _BLOCK, _NEW)
            fresh = [path for path in objects(host) if path not in before]
            kept = objects(host)
            try:
                change(before, [each for each in fresh if FOLDER not in str(each)])
                return app.load(_SPACE, _BLOCK) != _NEW
            finally:
                put_back(host, kept)

    return attempt


def older_content(before: dict[Path, bytes], fresh: list[Path]) -> None:
    """Put an object of yesterday into the place of each of today."""
    for path in fresh:
        old = [data for data in before.values() if len(data) == path.stat().st_size]
        path.write_bytes(old[0] if old else next(iter(before.values())))


def flipped(before: dict[Path, bytes], fresh: list[Path]) -> None:
    """Change a byte of each object."""
    del before
    for path in fresh:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)


def exchanged(before: dict[Path, bytes], fresh: list[Path]) -> None:
    """Put each object into the place of the next."""
    del before
    data = [path.read_bytes() for path in fresh]
    for path, other in zip(fresh, data[1:] + data[:1], strict=True):
        path.write_bytes(other)


def deleted(before: dict[Path, bytes], fresh: list[Path]) -> None:
    """Delete each object."""
    del before
    for path in fresh:
        path.unlink()


def _left_of(before: dict[Path, bytes]) -> Path:
    """Return an object of yesterday that is still there."""
    return next(each for each in before if each.exists() and FOLDER not in str(each))


def linked(before: dict[Path, bytes], fresh: list[Path]) -> None:
    """Put a symbolic link to an object of yesterday into each place."""
    target = _left_of(before)
    for path in fresh:
        path.unlink()
        path.symlink_to(target)


def hard_linked(before: dict[Path, bytes], fresh: list[Path]) -> None:
    """Put a hard link to an object of yesterday into each place."""
    target = _left_of(before)
    for path in fresh:
        path.unlink()
        path.hardlink_to(target)


def store_set_back(at: Target) -> bool:
    """Put the whole store of yesterday back, and start the app anew."""
    return _set_back(at, put_back)


def store_emptied(at: Target) -> bool:
    """Take the whole store away, and start the app anew."""
    return _set_back(at, lambda host, _: put_back(host, {}))


def _set_back(at: Target, change: Callable[[Bench, dict[Path, bytes]], None]) -> bool:
    host = bench(at)
    bundle, old = two_days(host)
    kept = objects(host)
    try:
        change(host, old.store)
        return yesterdays(host, bundle)
    finally:
        put_back(host, kept)


@dataclass(frozen=True)
class Copy:
    """What a host kept of one moment: the store, and the device's counters."""

    store: dict[Path, bytes]
    counters: bytes


def copy(host: Bench) -> Copy:
    """Copy what is now."""
    return Copy(objects(host), (host.device / "counters").read_bytes())


def two_days(host: Bench) -> tuple[bytes, Copy]:
    """Store a block twice; return the app, and what was there yesterday."""
    bundle = host.app()
    with host.services(bundle) as app:
        app.store(_SPACE, _BLOCK, _OLD)
        old = copy(host)
        app.store(_SPACE, _BLOCK, _NEW)
    return bundle, old


def yesterdays(host: Bench, bundle: bytes) -> bool:
    """Return whether a fresh enclave of the app takes yesterday's block."""
    with host.services(bundle) as app:
        return app.load(_SPACE, _BLOCK) == _OLD


def objects(host: Bench) -> dict[Path, bytes]:
    """Return every object of the store."""
    found = (each for each in host.objects.rglob("*") if each.is_file())
    return {path: path.read_bytes() for path in found}


def put_back(host: Bench, wanted: dict[Path, bytes]) -> None:
    """Have the store hold these objects and no others."""
    for path in objects(host):
        path.unlink()
    for path in (each for each in host.objects.rglob("*") if each.is_symlink()):
        path.unlink()
    for path, data in wanted.items():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
