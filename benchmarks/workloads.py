# SPDX-License-Identifier: Apache-2.0
"""The same work for both sides: in an enclave and in a plain process.

Each function does the work once and returns the seconds that it took by its own
clock, so that starting and calling are not part of it.
"""

import time
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import duckdb

SCALE_FACTOR = 0.1
QUERIES = (1, 3, 5, 6, 9, 18)


def run_numpy() -> float:
    """Multiply matrices, transform, sort."""
    generator = np.random.default_rng(1)
    square, line = generator.random((900, 900)), generator.random(1 << 20)
    began = time.perf_counter()
    for _ in range(4):
        square = square @ square / 900
    np.fft.fft(line)
    np.sort(line)
    return time.perf_counter() - began


def run_sklearn() -> float:
    """Fit a logistic regression and a forest on made-up data."""
    from sklearn.datasets import make_classification  # noqa: PLC0415 - one side's cost
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    x, y = make_classification(4000, 20, random_state=1)
    began = time.perf_counter()
    LogisticRegression(max_iter=200).fit(x, y)
    RandomForestClassifier(20, random_state=1).fit(x, y)
    return time.perf_counter() - began


def run_tpch() -> float:
    """Run six TPC-H queries on tables made beforehand."""
    connection = _tpch()
    began = time.perf_counter()
    for query in QUERIES:
        connection.execute(f"PRAGMA tpch({query})").fetchall()
    return time.perf_counter() - began


@cache
def _tpch() -> "duckdb.DuckDBPyConnection":
    import duckdb  # noqa: PLC0415 - one side's cost

    spec = find_spec("duckdb_extension_tpch")
    folder = Path(spec.origin or "").parent if spec else Path()
    (extension,) = folder.rglob("tpch.duckdb_extension")
    config = {"allow_unsigned_extensions": "true", "temp_directory": ""}
    connection = duckdb.connect(":memory:", config=config)
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"CALL dbgen(sf={SCALE_FACTOR})")
    return connection


WORKLOADS: dict[str, Callable[[], float]] = {
    "numpy": run_numpy,
    "scikit-learn": run_sklearn,
    "DuckDB TPC-H": run_tpch,
}
PRELOAD = (
    "numpy",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.datasets",
    "duckdb",
)
