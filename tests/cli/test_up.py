# SPDX-License-Identifier: Apache-2.0
"""`strongroom up`: two real nodes, and none of them left behind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

STOP_S = 60


def test_up_starts_both_nodes_and_ends_them_when_stdin_closes(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-m", "strongroom", "--json", "up"]
    up = subprocess.Popen(
        [*line, "--folder", str(tmp_path / "dev"), "--port", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert up.stdout is not None
    said = json.loads(up.stdout.readline())
    if said.get("error") == "misconfigured":
        up.communicate(timeout=STOP_S)
        pytest.skip(said["message"][:200])
    assert said["ready"] is True
    assert Path(said["room"]).is_file()
    for pid in said["pids"]:
        os.kill(pid, 0)
    up.communicate(timeout=STOP_S)
    assert up.returncode == 0
    for pid in said["pids"]:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
