# SPDX-License-Identifier: Apache-2.0
"""Routes of a host who turns back the device, the broker's journal, or what starts."""

import os
from collections.abc import Callable
from pathlib import Path

from strongroom.application.broker import BrokerConfig, Method
from strongroom.attack.bench import Bench, bench, elsewhere
from strongroom.attack.freshness import Copy, copy, put_back, two_days, yesterdays
from strongroom.attack.room import app
from strongroom.attack.target import Target
from strongroom.core.codec.bundle import Bundle
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import sign_record
from strongroom.management.keys import Identity
from strongroom.node.broker_host import BrokerHost
from strongroom.node.provision import broker_bundle

_COUNTERS = "counters"


def counters_set_back(at: Target) -> bool:
    """Put the device's counters of yesterday back, and leave the store of today."""
    return _set_back(at, lambda _, __: None)


def counters_and_store_set_back(at: Target) -> bool:
    """Put counters and store of yesterday back together."""
    return _set_back(at, lambda host, old: put_back(host, old.store))


def _set_back(at: Target, also: Callable[[Bench, Copy], None]) -> bool:
    """Return whether an app takes yesterday's block after its device was set back."""
    host = bench(at)
    bundle, old = two_days(host)
    today = copy(host)
    host.stop()
    (host.device / _COUNTERS).write_bytes(old.counters)
    also(host, old)
    try:
        return yesterdays(host, bundle)
    finally:
        host.stop()
        (host.device / _COUNTERS).write_bytes(today.counters)
        put_back(host, today.store)


def counters_cleared(at: Target) -> bool:
    """Have the device start with counters of zero."""
    return _damaged(at, lambda path, whole: path.write_bytes(bytes(len(whole))))


def counters_removed(at: Target) -> bool:
    """Have the device start without its counters."""
    return _damaged(at, lambda path, _: path.unlink())


def fuse_linked(at: Target) -> bool:
    """Put a link to a key of the host's choice into the place of the device's fuse."""
    host = bench(at)
    fuse, other = host.device / "duk.key", host.device / "chosen"
    host.stop()
    fuse.rename(other)
    fuse.symlink_to(other)
    try:
        return host.starts()
    finally:
        fuse.unlink()
        other.rename(fuse)


def fuse_open_to_others(at: Target) -> bool:
    """Have the device start with a fuse that everybody can read."""
    host = bench(at)
    fuse = host.device / "duk.key"
    host.stop()
    fuse.chmod(0o644)
    try:
        return host.starts()
    finally:
        fuse.chmod(0o600)


def gate_open_to_others(at: Target) -> bool:
    """Have the monitor open its gate in a folder that everybody can enter."""
    host = bench(at)
    node = host.device.parent
    host.stop()
    node.chmod(0o755)
    try:
        return host.starts()
    finally:
        node.chmod(0o700)


def _damaged(at: Target, damage: Callable[[Path, bytes], object]) -> bool:
    host = bench(at)
    counters = host.device / _COUNTERS
    host.stop()
    whole = counters.read_bytes()
    damage(counters, whole)
    try:
        return host.starts()
    finally:
        counters.write_bytes(whole)
        counters.chmod(0o600)


def journal_set_back(at: Target) -> bool:
    """Put the broker's journal of yesterday back, and start the broker anew."""

    def change(journal: Path, yesterday: bytes) -> None:
        journal.write_bytes(yesterday)

    return _journal_changed(at, change)


def journal_altered(at: Target) -> bool:
    """Change one byte of the broker's journal."""

    def change(journal: Path, _: bytes) -> None:
        data = bytearray(journal.read_bytes())
        data[-9] ^= 1
        journal.write_bytes(data)

    return _journal_changed(at, change)


def _journal_changed(at: Target, change: Callable[[Path, bytes], None]) -> bool:
    """Return whether a broker goes on from a journal that was changed."""
    host = bench(at)
    journal = host.device.parent / f"journal-{os.urandom(4).hex()}"
    _broker_starts(host, journal)
    yesterday = journal.read_bytes()
    _broker_starts(host, journal)
    change(journal, yesterday)
    return _broker_starts(host, journal)


def _broker_starts(host: Bench, journal: Path) -> bool:
    """Start a broker on a journal, which it opens, and end it."""
    work = host.work
    config = BrokerConfig(
        suite=work.suite_id,
        origin="attacked",
        administrator=work.administrator.public,
        roots=work.endorsements.roots,
    )
    policy = work.policy(work.administrator.signing.public)
    with (
        host.connected() as isolation,
        BrokerHost(
            isolation,
            broker_bundle(work.administrator),
            config.to_bytes(),
            journal,
            lambda: policy,
        ) as broker,
    ):
        return bool(broker.call(Method.HELLO, {"nonce": os.urandom(32)}))


def older_version(at: Target) -> bool:
    """Start an older version of an app where a newer one has run."""
    host = bench(at)
    newer = host.app(svn=2)
    name = Bundle.from_bytes(newer).manifest.name
    with host.services(newer):
        pass
    with host.services(host.app(svn=1, name=name)):
        return True


def older_policy(at: Target) -> bool:
    """Start an app under a launch policy that a newer one has replaced."""
    host = elsewhere(at)
    try:
        signer = host.work.provider.public.sign.key_id
        newer = LaunchPolicy(host.work.suite_id, 2, (signer,))
        signed = sign_record(host.work.administrator.signing, newer)
        with host.connected() as isolation:
            isolation.create(host.app(), signed).close()
            isolation.create(host.app(), host.work.policy()).close()
        return True
    finally:
        host.stop()


def strange_signer(at: Target) -> bool:
    """Start an app of a signer whom the launch policy does not name."""
    host = bench(at)
    stranger = Identity.generate("stranger", host.work.suite_id, os.urandom)
    with host.services(app(stranger)):
        return True
