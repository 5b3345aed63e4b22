# SPDX-License-Identifier: Apache-2.0
"""What an app's keys depend on (KDF, HW-3): each of it makes another key."""

import threading
from pathlib import Path

import pytest

from strongroom.core.crypto import suite
from strongroom.errors import Malformed
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.system.monitor.derive import AppVault

NOW = 1_800_000_000
APP, OTHER = b"a" * 32, b"b" * 32


def key(device: SimulatedDevice, measurement: bytes, label: str) -> bytes:
    """Return the sealing key of an app on a device."""
    vault = AppVault(device, threading.Lock(), measurement)
    with vault.sealing_key(label) as secret:
        return bytes(secret.view)


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_device_boot_app_and_label_each_count(tmp_path: Path, suite_id: str) -> None:
    with SimulatedManufacturer.create(tmp_path / "m", suite_id, NOW) as maker:
        for name in ("one", "two"):
            SimulatedDevice.provision(tmp_path / name, maker, suite_id, NOW)
    found = list[bytes]()
    for _ in range(2):  # the same again after a restart
        with SimulatedDevice.open(tmp_path / "one") as device:
            made = [
                key(device, APP, "a"),
                key(device, APP, "b"),
                key(device, OTHER, "a"),
            ]
            device.extend("monitor", "software", suite(suite_id).digest(b"other"))
            booted = key(device, APP, "a")
        found = found or [*made, booted]
        assert found == [*made, booted]
    with SimulatedDevice.open(tmp_path / "two") as device:
        found.append(key(device, APP, "a"))
    assert len({len(each) for each in found}) == 1
    assert len(set(found)) == 5


@pytest.mark.parametrize("label", ["", "x" * 129])
def test_a_label_has_a_length(tmp_path: Path, label: str) -> None:
    with SimulatedManufacturer.create(tmp_path / "m", "intl", NOW) as maker:
        SimulatedDevice.provision(tmp_path / "d", maker, "intl", NOW)
    with SimulatedDevice.open(tmp_path / "d") as device:
        vault = AppVault(device, threading.Lock(), APP)
        with pytest.raises(Malformed):
            vault.sealing_key(label)
        with pytest.raises(Malformed):
            vault.counter(label)
