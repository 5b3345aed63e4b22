# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of a writer of protected storage: the old state or the new, never a mix."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.core.crypto import SUITES
from tests.fault.storage_child import BLOCKS

ROOT = Path(__file__).parents[2]
OLD, NEW = [b"old".hex()], [b"new".hex()]


@pytest.mark.parametrize("suite_id", sorted(SUITES))
def test_a_writer_killed_at_any_step_leaves_one_whole_state(
    suite_id: str, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.fault.storage_child",
        suite_id,
        str(tmp_path),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["at"] for line in lines] == sorted({line["at"] for line in lines})
    for line in lines:
        assert line["texts"] in (OLD, NEW), line
        assert line["count"] == len(BLOCKS)
        assert line["again"]["texts"] == line["texts"]
        assert line["left"] == line["again"]["left"] == 0, line
    killed = [line for line in lines if line["killed"]]
    assert len(killed) > 45
    texts = [line["texts"] for line in killed]
    assert texts == sorted(texts, reverse=True)  # old up to one step, new from there
    assert OLD in texts
    assert NEW in texts
    assert lines[-1]["texts"] == NEW
