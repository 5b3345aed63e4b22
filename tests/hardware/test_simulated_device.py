# SPDX-License-Identifier: Apache-2.0
"""The simulated device: provisioned once, keys of its own, one monitor at a time."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.core.crypto import SecretBuffer, suite
from strongroom.core.rats import Endorsements, RootOfTrust, Trust
from strongroom.errors import (
    Conflict,
    LimitReached,
    Malformed,
    Misconfigured,
    NotFound,
    StrongroomError,
    Tampered,
)
from strongroom.hardware.parts.keys import COUNTERS, derive
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer, keys
from strongroom.hardware.simulated.verify import verify

NOW = 1_800_000_000


@pytest.fixture(params=["sm", "intl"])
def manufacturer(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[SimulatedManufacturer]:
    folder = tmp_path / "manufacturer"
    with SimulatedManufacturer.create(folder, request.param, NOW) as made:
        yield made


@pytest.fixture
def folder(manufacturer: SimulatedManufacturer, tmp_path: Path) -> Path:
    """Return the folder of a provisioned device."""
    path = tmp_path / "device"
    SimulatedDevice.provision(path, manufacturer, manufacturer.suite_id, NOW)
    return path


def key_of(device: RootOfTrust, purpose: str, context: bytes) -> bytes:
    with device.derive(purpose, context) as secret:
        assert len(secret) == 32
        return bytes(secret.view)


def test_files_are_the_owner_s_alone(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.name for path in folder.iterdir()}
    assert names == {"device.cbor", "duk.key", "counters", "lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_device_is_provisioned_once(
    folder: Path, manufacturer: SimulatedManufacturer
) -> None:
    before = (folder / "duk.key").read_bytes()
    with pytest.raises(Conflict):
        SimulatedDevice.provision(folder, manufacturer, manufacturer.suite_id, NOW)
    assert (folder / "duk.key").read_bytes() == before


def test_a_manufacturer_makes_one_suite(
    manufacturer: SimulatedManufacturer, tmp_path: Path
) -> None:
    other = "sm" if manufacturer.suite_id == "intl" else "intl"
    with pytest.raises(Conflict):
        SimulatedDevice.provision(tmp_path / "d", manufacturer, other, NOW)
    with pytest.raises(Malformed):
        SimulatedDevice.provision(tmp_path / "d", manufacturer, "none", NOW)


def test_a_manufacturer_is_made_once_and_opened_again(
    manufacturer: SimulatedManufacturer, tmp_path: Path
) -> None:
    home = tmp_path / "manufacturer"
    with pytest.raises(Conflict):
        SimulatedManufacturer.create(home, manufacturer.suite_id, NOW)
    with SimulatedManufacturer.open(home) as again:
        assert again.root == manufacturer.root
        SimulatedDevice.provision(tmp_path / "d", again, again.suite_id, NOW)
    row = suite(manufacturer.suite_id)
    with SimulatedDevice.open(tmp_path / "d") as device:
        evidence = device.attest(
            nonce=b"n" * 8,
            monitor_key=row.signing_key(b"1" * row.sign_seed_bytes).public,
            now=NOW,
        )
    trust = Trust(Endorsements((manufacturer.root,), ()))
    assert verify(evidence, trust, NOW).boot_count == 1
    with pytest.raises(NotFound):
        SimulatedManufacturer.open(tmp_path / "nowhere")
    (home / "issuing.key").unlink()
    with pytest.raises(Tampered):
        SimulatedManufacturer.open(home)


def test_keys_differ_by_device_context_and_purpose(
    folder: Path, manufacturer: SimulatedManufacturer, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    SimulatedDevice.provision(other, manufacturer, manufacturer.suite_id, NOW)
    with SimulatedDevice.open(folder) as one, SimulatedDevice.open(other) as two:
        assert one.device_id != two.device_id
        drawn = {
            key_of(device, purpose, context)
            for device in (one, two)
            for purpose in ("sealing", "journal", "")
            for context in (b"app a", b"app b", b"")
        }
        again = key_of(one, "sealing", b"app a")
    assert len(drawn) == 2 * 3 * 3
    assert again in drawn
    assert (folder / "duk.key").read_bytes() not in drawn


def test_the_device_stays_itself_and_counts_its_boots(folder: Path) -> None:
    seen = []
    for boot in (1, 2, 3):
        with SimulatedDevice.open(folder) as device:
            assert device.boot_count == boot
            seen.append((device.device_id, key_of(device, "p", b"c")))
    assert len(set(seen)) == 1


def test_registers_are_fresh_at_every_power_on(folder: Path) -> None:
    with SimulatedDevice.open(folder) as device:
        digest = suite(device.suite_id).digest(b"x")
        for _ in range(256):
            device.extend("config", "x", digest)
        with pytest.raises(LimitReached):
            device.extend("config", "x", digest)
        with pytest.raises(NotFound):
            device.extend("other", "x", digest)
    with SimulatedDevice.open(folder) as device:
        device.extend("config", "x", digest)


def test_two_monitors_cannot_have_one_device(folder: Path) -> None:
    with SimulatedDevice.open(folder):
        with pytest.raises(Conflict):
            SimulatedDevice.open(folder)
        code = (
            "import sys, pathlib\n"
            "from strongroom.errors import Conflict\n"
            "from strongroom.hardware.simulated import SimulatedDevice\n"
            "try: SimulatedDevice.open(pathlib.Path(sys.argv[1]))\n"
            "except Conflict: sys.exit(42)\n"
        )
        other = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
        assert other.returncode == 42
    SimulatedDevice.open(folder).close()


@pytest.mark.parametrize("name", ["duk.key", "counters"])
def test_a_missing_file_fails_closed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(Tampered) as caught:
        SimulatedDevice.open(folder)
    assert caught.value.findings[0].rule == "device.file"
    assert not (folder / name).exists()


def test_there_is_no_device_where_none_was_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        SimulatedDevice.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir(mode=0o700)
    with pytest.raises(NotFound):
        SimulatedDevice.open(tmp_path / "empty")


def test_a_unique_key_of_another_device_is_refused(folder: Path) -> None:
    path = folder / "duk.key"
    original = path.read_bytes()
    for altered in (b"\x01" * 32, original[:31], original + b"\0", b""):
        path.write_bytes(altered)
        with pytest.raises(Tampered) as caught:
            SimulatedDevice.open(folder)
        assert original.hex() not in str(caught.value)
    path.write_bytes(original)
    SimulatedDevice.open(folder).close()


@pytest.mark.parametrize("name", ["", "duk.key", "counters", "device.cbor"])
def test_files_open_to_others_are_refused(folder: Path, name: str) -> None:
    (folder / name).chmod(0o755)
    with pytest.raises(Misconfigured):
        SimulatedDevice.open(folder)


def test_an_altered_record_is_refused(folder: Path) -> None:
    path = folder / "device.cbor"
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(StrongroomError):
            SimulatedDevice.open(folder)
    path.write_bytes(data)
    SimulatedDevice.open(folder).close()


def test_closing_wipes_and_lets_go(folder: Path) -> None:
    device = SimulatedDevice.open(folder)
    device.close()
    device.close()
    with pytest.raises(StrongroomError):
        device.derive("p", b"c")
    with pytest.raises(StrongroomError):
        device.increment("c")
    with pytest.raises(StrongroomError):
        device.counter("c")
    row = suite(device.suite_id)
    monitor = row.signing_key(b"1" * row.sign_seed_bytes).public
    with pytest.raises(StrongroomError):
        device.attest(nonce=b"n" * 8, monitor_key=monitor, now=NOW)


def test_random_bytes_differ(folder: Path) -> None:
    with SimulatedDevice.open(folder) as device:
        assert len(device.random(1000)) == 1000
        assert device.random(32) != device.random(32)
        assert device.random(0) == b""


def test_secret_memory_is_filled_with_tested_bytes(folder: Path) -> None:
    with SimulatedDevice.open(folder) as device, SecretBuffer(32) as secret:
        device.fill(secret)
        first = bytes(secret.view)
        device.fill(secret)
        assert len({bytes(32), first, bytes(secret.view)}) == 3


IDLE = """
import gc, pathlib, sys
from strongroom.core.crypto import suite
from strongroom.hardware.simulated import SimulatedDevice
device = SimulatedDevice.open(pathlib.Path(sys.argv[1]))
row = suite(device.suite_id)
monitor = row.signing_key(b"1" * row.sign_seed_bytes).public
device.attest(nonce=b"n" * 8, monitor_key=monitor, now=1_800_000_000)
device.derive("purpose", b"context").close()
device.increment("counter")
gc.collect()
planted = bytes.fromhex(sys.argv[2])
print("idle", flush=True)
sys.stdin.read()
"""


def readable_memory(pid: int) -> Iterator[bytes]:
    """Yield what /proc/PID/mem shows of each mapping."""
    maps = Path(f"/proc/{pid}/maps").read_text("ascii").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            if first >= 1 << 63 or line.split()[1][0] != "r":
                continue
            try:
                memory.seek(first)
                yield memory.read(last - first) or b""
            except OSError:
                continue


@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")
def test_no_key_lies_in_ordinary_memory_when_idle(folder: Path) -> None:
    duk = (folder / "duk.key").read_bytes()
    with SimulatedDevice.open(folder) as device:
        row = suite(device.suite_id)
    with SecretBuffer(32) as secret:
        secret.view[:] = duk
        with keys.attestation_seed(row, secret) as seed:
            attestation = bytes(seed.view)
        with derive(row, secret, COUNTERS) as key:
            counters = bytes(key.view)
    planted = os.urandom(32)
    command = [sys.executable, "-c", IDLE, str(folder), planted.hex()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"idle\n"
        found = {
            name
            for memory in readable_memory(process.pid)
            for name, key in (
                ("planted", planted),
                ("device unique key", duk),
                ("half of the device unique key", duk[:16]),
                ("attestation seed", attestation),
                ("counter key", counters),
            )
            if key in memory
        }
        process.kill()
    assert found == {"planted"}
