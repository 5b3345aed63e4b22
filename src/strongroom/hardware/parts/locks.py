# SPDX-License-Identifier: Apache-2.0
"""The locks of the process that a device is open in, as the kernel shows them."""

import ctypes
from pathlib import Path

_PR_GET_DUMPABLE = 3
_STATUS = Path("/proc/self/status")


def process_locks() -> tuple[str, ...]:
    """Return the locks of this process that a device can see for itself.

    Its own keys are always in secret memory: without it a device does not open.
    """
    try:
        status = dict(
            line.split(":\t", 1)
            for line in _STATUS.read_text("utf-8").splitlines()
            if ":\t" in line
        )
    except OSError:
        status = {}
    seen = {
        "no-new-privs": status.get("NoNewPrivs") == "1",
        "no-capabilities": not int(status.get("CapEff", "1"), 16),
        "seccomp": status.get("Seccomp") == "2",
        "not-dumpable": ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0,
        "secret-memory": True,
    }
    return tuple(name for name, holds in seen.items() if holds)
