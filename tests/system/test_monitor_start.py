# SPDX-License-Identifier: Apache-2.0
"""How a monitor starts: measured, hardened, and with a reason when it does not."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strongroom.core.rats import Endorsements, Trust
from strongroom.errors import (
    Conflict,
    Misconfigured,
)
from strongroom.hardware.simulated.verify import verify
from strongroom.services.isolation import Isolation
from strongroom.system.monitor.create import Locks
from tests.system.deployment import Deployment, create, make_key


def test_registers_are_the_same_at_every_boot(deployment: Deployment) -> None:
    trust = Trust(Endorsements((deployment.root,), ()))
    seen = []
    for _ in range(2):
        with (
            deployment.start() as monitor,
            Isolation.connect(monitor.socket) as isolation,
        ):
            claims = verify(isolation.evidence(bytes(16)), trust, int(time.time()) + 1)
            seen.append(claims)
    assert seen[0].registers == seen[1].registers
    assert seen[0].monitor_key != seen[1].monitor_key
    assert seen[0].boot_count + 1 == seen[1].boot_count


def test_a_monitor_is_closed_to_other_processes(deployment: Deployment) -> None:
    with deployment.start() as monitor:
        limits = Path(f"/proc/{monitor.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)


def test_a_missing_lock_stops_every_start() -> None:
    locks = Locks({"landlock": "use a newer kernel"}, ())
    with pytest.raises(Misconfigured, match="landlock: use a newer kernel"):
        locks.require()
    Locks(locks.missing, ("landlock",)).require()
    assert "landlock" not in locks.held


def test_what_is_waived_is_measured(deployment: Deployment) -> None:
    seen = []
    for waived in ((), ("landlock",)):
        with (
            deployment.start(*waived) as monitor,
            Isolation.connect(monitor.socket) as isolation,
        ):
            claims = verify(
                isolation.evidence(bytes(16)),
                Trust(Endorsements((deployment.root,), ())),
                int(time.time()) + 1,
            )
            create(deployment, isolation).destroy()
            seen.append({each.name: each.value for each in claims.registers})
    assert seen[0]["template"] == seen[1]["template"]
    assert seen[0]["config"] != seen[1]["config"]


def test_one_monitor_a_device(deployment: Deployment, tmp_path: Path) -> None:
    with deployment.start():
        second = Deployment(
            deployment.folder,
            "intl",
            b"",
            deployment.administrator,
            deployment.provider,
        )
        with pytest.raises(Conflict):
            second.start()
    assert tmp_path.exists()


def test_an_administrator_of_another_suite(deployment: Deployment) -> None:
    deployment.administrator = make_key("sm")
    with pytest.raises(Misconfigured, match="suite"):
        deployment.start()


def test_errors_at_the_start_are_one_json_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "strongroom.system.monitor", "--device", tmp_path),
            *("--socket", tmp_path / "s", "--administrator", tmp_path / "none"),
            *("--program", "tests.none"),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == Misconfigured.exit_code
    assert b'"error": "misconfigured"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
