# SPDX-License-Identifier: Apache-2.0
"""Keys bound to what an app is (7.9 c to e): a key of its own for each value.

What the monitor refuses by name is in tests/integration/test_sealed_to_the_app.py.
Here is what would hold if a host wrote another name into a blob: the key is another.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.core.codec.binding import Binding, UpgradeApproval
from strongroom.core.codec.bundle import EntryPoint, Manifest, OutputRule
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import SigningKey, suite
from strongroom.errors import Refused
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.system.monitor.birth import Birth, Trunk
from strongroom.system.monitor.events import EventLog
from strongroom.system.monitor.seal import bound_key

NOW = 1_800_000_000
SUITE = "intl"
ROW = suite(SUITE)
OLD, NEW, OTHER = (ROW.digest(name) for name in (b"old", b"new", b"other"))
RULE = OutputRule("bytes", (), 1, 1, 0, "")


def signer(fill: int) -> SigningKey:
    return ROW.signing_key(bytes([fill]) * ROW.sign_seed_bytes)


MAKER = signer(7)


def born(measurement: bytes, *, svn: int = 3, name: str = "till") -> Birth:
    """Return what a monitor knows of an enclave of the maker's."""
    manifest = Manifest(
        suite=SUITE,
        name=name,
        svn=svn,
        kind="service",
        memory_bytes=1 << 26,
        threads=1,
        processes=0,
        cpu_seconds=0,
        interfaces=(),
        storage=(),
        peers=(),
        entry_points=(EntryPoint("main", "main:main", (), RULE),),
        files=(),
        encrypted=False,
    )
    return Birth(
        enclave_id=bytes(16),
        handle=bytes(32),
        owner_uid=0,
        manifest=manifest,
        measurement=measurement,
        signer=PublicKey.of(MAKER.public),
        config=bytes(32),
        memory_bytes=1 << 26,
        methods=frozenset(),
        created_at=NOW,
        locks=(),
    )


def binding_of(birth: Birth, policy: str) -> Binding:
    """Return what an app seals to."""
    return Binding(
        policy="signer" if policy == "signer" else "measurement",
        measurement=birth.measurement,
        signer=birth.signer.key_id,
        product=birth.manifest.name,
        svn=birth.manifest.svn,
    )


@pytest.fixture
def manufacturer(tmp_path: Path) -> Iterator[SimulatedManufacturer]:
    with SimulatedManufacturer.create(tmp_path / "maker", SUITE, NOW) as made:
        yield made


def device_of(
    manufacturer: SimulatedManufacturer, folder: Path, booted: bytes = b"software"
) -> SimulatedDevice:
    """Return a device that has booted some software."""
    if not folder.exists():
        SimulatedDevice.provision(folder, manufacturer, SUITE, NOW)
    device = SimulatedDevice.open(folder)
    device.extend("monitor", "monitor", ROW.digest(booted))
    return device


def key(
    device: SimulatedDevice,
    birth: Birth,
    binding: Binding,
    approval: bytes = b"",
    label: str = "data",
) -> bytes:
    """Return the bytes of a bound key."""
    trunk = Trunk(device, MAKER, lambda: NOW, EventLog())
    with bound_key(trunk, birth, binding, approval, label) as secret:
        return bytes(secret.view)


def test_each_value_that_data_is_sealed_to_has_a_key_of_its_own(
    manufacturer: SimulatedManufacturer, tmp_path: Path
) -> None:
    old, other = born(OLD), born(OTHER)
    newer, named = born(NEW, svn=4), born(NEW, name="box")
    with device_of(manufacturer, tmp_path / "d") as device:
        keys = [
            key(device, old, binding_of(old, "measurement")),
            key(device, other, binding_of(other, "measurement")),
            key(device, old, binding_of(old, "signer")),
            key(device, newer, binding_of(newer, "signer")),
            key(device, named, binding_of(named, "signer")),
            key(device, old, binding_of(old, "measurement"), label="another"),
        ]
        again = key(device, old, binding_of(old, "measurement"))
    assert len(set(keys)) == len(keys)
    assert again == keys[0]


def test_another_device_and_other_software_have_other_keys(
    manufacturer: SimulatedManufacturer, tmp_path: Path
) -> None:
    app, places = born(OLD), (("one", b"a"), ("two", b"a"), ("one", b"b"))
    for policy in ("measurement", "signer"):
        keys = set()
        for folder, booted in places:
            with device_of(manufacturer, tmp_path / folder, booted) as device:
                keys.add(key(device, app, binding_of(app, policy)))
        assert len(keys) == len(places)


def test_a_newer_version_gets_the_very_key_of_the_older(
    manufacturer: SimulatedManufacturer, tmp_path: Path
) -> None:
    old, newer = born(OLD), born(NEW, svn=4)
    binding = binding_of(old, "signer")
    with device_of(manufacturer, tmp_path / "d") as device:
        assert key(device, old, binding) == key(device, newer, binding)


@pytest.mark.parametrize(
    ("old", "new"),
    [(OTHER, NEW), (OLD, OTHER), (NEW, OLD), (OTHER, OLD)],
    ids=["other to new", "old to other", "new to old", "other to old"],
)
def test_an_approval_has_to_name_both_apps(
    manufacturer: SimulatedManufacturer, tmp_path: Path, old: bytes, new: bytes
) -> None:
    binding = binding_of(born(OLD), "measurement")
    with device_of(manufacturer, tmp_path / "d") as device:
        right = sign_record(MAKER, UpgradeApproval(suite=SUITE, old=OLD, new=NEW))
        wrong = sign_record(MAKER, UpgradeApproval(suite=SUITE, old=old, new=new))
        assert key(device, born(NEW), binding, right) == key(device, born(OLD), binding)
        with pytest.raises(Refused, match=r"seal\.measurement"):
            key(device, born(NEW), binding, wrong)


def test_no_approval_opens_what_another_signers_app_sealed(
    manufacturer: SimulatedManufacturer, tmp_path: Path
) -> None:
    foreign = replace(
        binding_of(born(OLD), "measurement"), signer=signer(8).public.key_id
    )
    word = sign_record(signer(8), UpgradeApproval(suite=SUITE, old=OLD, new=NEW))
    with (
        device_of(manufacturer, tmp_path / "d") as device,
        pytest.raises(Refused, match=r"seal\.signer"),
    ):
        key(device, born(NEW), foreign, word)
