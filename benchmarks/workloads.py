# SPDX-License-Identifier: Apache-2.0
"""The same work for both sides: in an enclave and in a plain process.

Each function does the work once, in so many threads, and returns the seconds that it
took by its own clock, so that starting, calling and making up data are no part of it.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    import duckdb

SCALE_FACTOR = 0.1
QUERIES = (1, 3, 5, 6, 9, 18)
VARIANTS, SAMPLES = 4000, 1000


def run_numpy(threads: int) -> float:
    """Multiply matrices, transform, sort."""
    generator = np.random.default_rng(1)
    square, line = generator.random((900, 900)), generator.random(1 << 20)
    with threadpool_limits(threads):
        began = time.perf_counter()
        for _ in range(4):
            square = square @ square / 900
        np.fft.fft(line)
        np.sort(line)
        return time.perf_counter() - began


def run_sklearn(threads: int) -> float:
    """Fit a logistic regression and a forest on made-up data."""
    from sklearn.datasets import make_classification  # noqa: PLC0415 - one side's cost
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    x, y = make_classification(4000, 20, random_state=1)
    with threadpool_limits(threads):
        began = time.perf_counter()
        LogisticRegression(max_iter=200).fit(x, y)
        RandomForestClassifier(20, random_state=1, n_jobs=threads).fit(x, y)
        return time.perf_counter() - began


def run_xgboost(threads: int) -> float:
    """Boost a hundred trees on made-up data."""
    import xgboost  # noqa: PLC0415 - one side's cost

    x = np.random.default_rng(1).random((20_000, 20))
    y = (x[:, 0] + x[:, 1] > 1).astype(int)
    data = xgboost.DMatrix(x, y, nthread=threads)
    settings = {"nthread": threads, "objective": "binary:logistic"}
    began = time.perf_counter()
    xgboost.train(settings, data, 100)
    return time.perf_counter() - began


def run_tpch(threads: int) -> float:
    """Run six TPC-H queries on tables made beforehand."""
    connection = _tpch()
    connection.execute(f"SET threads = {threads}")
    began = time.perf_counter()
    for query in QUERIES:
        connection.execute(f"PRAGMA tpch({query})").fetchall()
    return time.perf_counter() - began


def run_vcf(threads: int) -> float:
    """Read genotypes of a VCF text; count alleles, test for Hardy-Weinberg."""
    lines = _genotypes()
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        for _ in range(32):
            list(pool.map(_variant_statistics, np.array_split(lines, 4 * threads)))
        return time.perf_counter() - began


@cache
def _genotypes() -> np.ndarray:
    """Return the sample columns of a VCF text, a line a variant, as ASCII."""
    generator = np.random.default_rng(1)
    frequency = generator.random((VARIANTS, 1)) / 2
    text = np.empty((VARIANTS, SAMPLES, 4), np.uint8)
    text[..., 0], text[..., 2] = (
        (generator.random((VARIANTS, SAMPLES)) < frequency) + ord("0") for _ in range(2)
    )
    text[..., 1], text[..., 3] = ord("/"), ord("\t")
    return text


def _variant_statistics(text: np.ndarray) -> np.ndarray:
    """Return the chi-square of each variant against Hardy-Weinberg."""
    dosage = (text[..., 0] - ord("0")) + (text[..., 2] - ord("0"))
    found = np.stack([(dosage == n).sum(1) for n in range(3)], 1)
    alternate = (found[:, 1] + 2 * found[:, 2]) / (2 * SAMPLES)
    other = 1 - alternate
    expected = np.stack([other**2, 2 * alternate * other, alternate**2], 1) * SAMPLES
    return ((found - expected) ** 2 / np.maximum(expected, 1e-9)).sum(1)


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


_KINDS: dict[str, Callable[[int], float]] = {
    "numpy": run_numpy,
    "scikit-learn": run_sklearn,
    "XGBoost": run_xgboost,
    "DuckDB TPC-H": run_tpch,
    "VCF statistics": run_vcf,
}
WORKLOADS: dict[str, Callable[[], float]] = {
    f"{name}, {told}": partial(run, threads)
    for name, run in _KINDS.items()
    for told, threads in (("one thread", 1), ("all cores", os.cpu_count() or 1))
}
PRELOAD = (
    "numpy",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.datasets",
    "xgboost",
    "duckdb",
)
