# SPDX-License-Identifier: Apache-2.0
"""The plain side: a fresh process that does the workloads it is told on stdin."""

import importlib
import sys

from benchmarks.workloads import PRELOAD, WORKLOADS

for module in PRELOAD:
    importlib.import_module(module)
for line in sys.stdin:
    sys.stdout.write(f"{WORKLOADS[line.strip()]()}\n")
    sys.stdout.flush()
