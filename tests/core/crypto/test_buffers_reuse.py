# SPDX-License-Identifier: Apache-2.0
"""Buffers of megabytes come from memory that the process has already."""

import subprocess
import sys

import pytest

_COUNT = """
import resource
from strongroom.core.crypto import reuse_freed_memory
{start}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    kept = [b"a" * (1 << 20), b"b" * (1 << 20)]
    del kept
before = faults()
for _ in range(20):
    kept = [b"a" * (1 << 20), b"b" * (1 << 20)]
    del kept
print(faults() - before)
"""


def _faults(start: str) -> int:
    command = [sys.executable, "-c", _COUNT.format(start=start)]
    done = subprocess.run(command, check=True, capture_output=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="of the GNU C library")
def test_a_buffer_that_was_freed_serves_again_without_a_page_fault() -> None:
    assert _faults("reuse_freed_memory()") * 4 < _faults("")
