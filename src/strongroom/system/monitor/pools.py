# SPDX-License-Identifier: Apache-2.0
"""Tells libraries how many threads an app declared, so that they start no more.

Left alone they size their pools by the machine, and an app that works on two
processors would end at its limit on sixty-four. The limit itself does not rest on any
of this: the watcher counts, whatever a library was told.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

_OPENMP = ("libgomp", "libomp", "libiomp")
_BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Setter = Callable[[int], object]


def environment() -> dict[str, str]:
    """Return what a template starts with: linear algebra begins with one thread.

    It would start its threads unasked. An app that wants more asks it, as by
    `threadpoolctl`.
    """
    return dict.fromkeys(_BLAS, "1")


def find_openmp() -> tuple[Setter, ...]:
    """Return `omp_set_num_threads` of every OpenMP library that is loaded."""
    rows = Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines()
    loaded = {row.split(maxsplit=5)[5] for row in rows if "/" in row}
    return tuple(
        ctypes.CDLL(path, mode=os.RTLD_NOLOAD).omp_set_num_threads
        for path in sorted(loaded)
        if Path(path).name.startswith(_OPENMP)
    )


def shrink() -> None:
    """Have Arrow, if it is loaded, start with one thread to compute and one to read."""
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.set_cpu_count(1)
        arrow.set_io_thread_count(1)


def fit(openmp: tuple[Setter, ...], threads: int, turn: int) -> None:
    """Fit this process to its app: run on `threads` processors, in pools of as many.

    Args:
        openmp: what `find_openmp` found.
        threads: of the app's manifest.
        turn: how many enclaves were made before; each takes the next processors, so
            that they do not crowd on the first.
    """
    processors = sorted(os.sched_getaffinity(0))
    if threads < len(processors):
        first = turn * threads % len(processors)
        processors = (processors + processors)[first : first + threads]
        os.sched_setaffinity(0, processors)
    for set_threads in openmp:
        set_threads(len(processors))
    os.environ["OMP_NUM_THREADS"] = str(len(processors))  # of one that is loaded later
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and len(processors) // 2 > 1:
        arrow.set_cpu_count(len(processors) // 2)
