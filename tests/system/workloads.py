# SPDX-License-Identifier: Apache-2.0
"""Work of the data libraries, once serial and once in threads or processes (SYS-2).

Each function takes how many threads the library shall use, and returns whole numbers
or strings, so that results can be compared for equality.
"""

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Self

import numpy as np
import pyarrow as pa

ROWS = 400_000
PRELOAD = ("numpy", "pyarrow.compute", "pyarrow.acero", "duckdb", "sklearn.ensemble")


def table(seed: int) -> pa.Table:
    """Return the same table for the same seed: groups and whole numbers."""
    generator = np.random.default_rng(seed)
    return pa.table(
        {
            "g": generator.integers(0, 50, ROWS),
            "v": generator.integers(0, 1000, ROWS),
        }
    )


def run_numpy(threads: int, seed: int) -> str:
    """Sort slices in threads; numpy lets go of the interpreter lock meanwhile."""
    lines = np.random.default_rng(seed).integers(0, 1 << 40, (8, ROWS))
    with ThreadPoolExecutor(threads - 1) if threads > 1 else _Here() as pool:
        done = list(pool.map(np.sort, lines))
    return hashlib.sha256(np.vstack(done).tobytes()).hexdigest()


def run_pyarrow(threads: int, seed: int) -> list[object]:
    """Sum by group."""
    pa.set_cpu_count(max(1, threads - 1))
    sums = table(seed).group_by("g", use_threads=threads > 1).aggregate([("v", "sum")])
    return list(sums.sort_by("g").to_pydict()["v_sum"])


def run_duckdb(threads: int, seed: int) -> list[object]:
    """Sum by group, in SQL."""
    import duckdb  # noqa: PLC0415 - not everywhere

    rows = table(seed)  # noqa: F841 - DuckDB finds it by its name
    with duckdb.connect(config={"threads": threads}) as connection:
        query = "SELECT g, sum(v)::BIGINT FROM rows GROUP BY g ORDER BY g"
        return [list(map(int, row)) for row in connection.execute(query).fetchall()]


def run_sklearn(threads: int, seed: int) -> str:
    """Fit a forest, trees in threads."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415

    x = np.random.default_rng(seed).random((1500, 8))
    y = (x[:, 0] + x[:, 1] > 1).astype(int)
    forest = RandomForestClassifier(24, random_state=1, n_jobs=threads)
    return hashlib.sha256(forest.fit(x, y).predict_proba(x).tobytes()).hexdigest()


def run_xgboost(threads: int, seed: int) -> list[str]:
    """Boost trees."""
    import xgboost  # noqa: PLC0415 - not everywhere

    x = np.random.default_rng(seed).random((3000, 8))
    y = (x[:, 0] + x[:, 1] > 1).astype(int)
    data = xgboost.DMatrix(x, y, nthread=threads)
    settings = {"nthread": threads, "tree_method": "hist", "objective": "binary:hinge"}
    found: list[str] = xgboost.train(settings, data, 20).get_dump()
    return found


LIBRARIES: dict[str, Callable[[int, int], object]] = {
    "numpy": run_numpy,
    "pyarrow": run_pyarrow,
    "duckdb": run_duckdb,
    "sklearn": run_sklearn,
    "xgboost": run_xgboost,
}
SEEDS = (1, 2, 3)


def is_here(library: str) -> bool:
    """Return whether a library is installed."""
    return find_spec(library) is not None


def serial(library: str) -> list[object]:
    """Return the results for every seed, one after another, in one thread."""
    return [LIBRARIES[library](1, seed) for seed in SEEDS]


def in_threads(library: str, threads: int) -> list[object]:
    """Return the results in threads, and behind them the most threads there were."""
    peak = Peak()
    with peak:
        found = [LIBRARIES[library](threads, seed) for seed in SEEDS]
    return [found, peak.most]


def in_processes(library: str, processes: int) -> list[object]:
    """Return the results by a pool of processes, and who worked on them."""
    context = multiprocessing.get_context("fork")
    tasks = [(library, seed) for seed in SEEDS]
    with context.Pool(processes) as pool:
        rows = pool.map(_one, tasks, chunksize=1)
    return [[result for result, _ in rows], len({pid for _, pid in rows})]


def _one(task: tuple[str, int]) -> tuple[object, int]:
    library, seed = task
    time.sleep(0.05)  # so that no process takes them all
    return LIBRARIES[library](1, seed), os.getpid()


class Peak:
    """Looks in a thread of its own how many others there are, at most."""

    def __init__(self) -> None:
        self.most = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.0005):
            here = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - fast
            self.most = max(self.most, here)


class _Here:
    """A pool that is the thread itself."""

    map = staticmethod(map)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
