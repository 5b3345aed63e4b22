# SPDX-License-Identifier: Apache-2.0
"""What the same user, another user and root can read; the page says the same (HW-1)."""

import os
import shutil

import pytest

from tests.attack.table import Outcomes, attack, committed, table

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to be three users"),
    pytest.mark.skipif(
        "CI" not in os.environ
        and not (shutil.which("gdb") and shutil.which("setpriv")),
        reason="gdb or setpriv is not installed",
    ),
]
BY_ROOT = "root"
DEVICE_FILE = "device key in the device file"


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    return attack()


def test_nobody_but_root_reads_an_enclave(outcomes: Outcomes) -> None:
    for actor in ("same user", "another user"):
        read = {name for name, end in outcomes[actor].items() if end == "read"}
        assert read <= {DEVICE_FILE}, actor


def test_another_user_cannot_even_read_the_device_file(outcomes: Outcomes) -> None:
    assert outcomes["another user"][DEVICE_FILE] == "denied"


def test_the_device_file_is_as_safe_as_its_owner(outcomes: Outcomes) -> None:
    assert outcomes["same user"][DEVICE_FILE] == "read"


def test_root_reads_ordinary_memory_and_we_say_so(outcomes: Outcomes) -> None:
    assert outcomes[BY_ROOT]["memory by /proc/PID/mem"] == "read"


def test_secret_memory_stays_unread_unless_code_is_injected(outcomes: Outcomes) -> None:
    read = {
        name
        for name, end in outcomes[BY_ROOT].items()
        if end == "read" and name.startswith("secret memory")
    }
    assert read <= {"secret memory by injected code (gdb)"}


def test_the_monitor_keeps_the_device_key_out_of_ordinary_memory(
    outcomes: Outcomes,
) -> None:
    assert outcomes[BY_ROOT]["device key in the monitor's memory"] == "nothing found"


def test_planted_secrets_are_in_no_file(outcomes: Outcomes) -> None:
    assert outcomes[BY_ROOT]["planted secrets in any file"] == "nothing found"


def test_the_page_shows_these_outcomes(outcomes: Outcomes) -> None:
    assert committed() == table(outcomes)
