# SPDX-License-Identifier: Apache-2.0
"""Rows about a whole room: a task against the plain function, release, the log."""

import csv
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from benchmarks.rows import Row, median, timed
from strongroom.client import tasks
from strongroom.management.audit import AuditLog, LogEntry
from tests.application.broker.world import World as BrokerWorld
from tests.integration.world import World

SOURCE = """
import pyarrow.compute as pc

def main(rows, name):
    total = sum(pc.sum(t["amount"]).as_py() for t in rows)
    return {"total": total, "count": sum(t.num_rows for t in rows)}

slow = main
"""
LINE = ",".join(f"{n}.5" for n in range(12))


def rows(folder: Path, n: int, size_bytes: int) -> Iterator[Row]:
    """Measure all rows about rooms."""
    world = World(folder / "room", "intl")
    try:
        world.open()
        cores = os.cpu_count() or 1
        app = world.app("bench", source=SOURCE, memory="6 GiB", threads=cores)
        yield _fixed(world, app, n)
        yield from _whole(world, app, folder, size_bytes, n)
    finally:
        world.close()
    yield _release(folder, 100 * n)
    yield from _log()


def _task_s(world: World, agreement: str) -> float:
    session = world.parties["insurer"]
    return timed(lambda: tasks.wait(session, world.ask(agreement), 300))


def _fixed(world: World, app: str, n: int) -> Row:
    agreement = world.agreement(
        app, [world.dataset("hospital", "name,amount\nann,1\n")]
    )
    _task_s(world, agreement)
    runs = [_task_s(world, agreement) * 1e3 for _ in range(2 * n)]
    return median("whole task, fixed part (one row of input)", "ms", "<= 150", runs)


def _whole(world: World, app: str, folder: Path, size: int, n: int) -> Iterator[Row]:
    plain = folder / "plain.csv"
    with plain.open("w") as file:
        csv.writer(file).writerow(["name", "amount", *(f"c{i}" for i in range(12))])
        block = "".join(f"n{i},{i},{LINE}\n" for i in range(10_000))
        while file.tell() < size:
            file.write(block)
    agreement = world.agreement(app, [world.dataset_file("hospital", plain)])

    def run_plain() -> float:
        return timed(lambda: pc.sum(pa_csv.read_csv(plain)["amount"]).as_py())

    _task_s(world, agreement)
    run_plain()
    runs = []
    for _ in range(n):
        ours, theirs = _task_s(world, agreement), run_plain()
        runs.append(ours / theirs)
    yield median(
        f"whole task / plain, {size >> 20} MiB of CSV", "ratio", "<= 1.10", runs
    )


def _release(folder: Path, n: int) -> Row:
    """Release keys over and over: verify, policy, log and journal, in this process."""
    world = BrokerWorld(folder / "broker", "intl")
    world.publish()
    try:
        data = [world.dataset("hospital")]
        agreement = world.agreement(world.app(), data, max_uses=10 * n)
        attempts = [
            world.attempt(world.ticket(world.task(agreement))) for _ in range(n)
        ]
        began = time.perf_counter()
        for attempt in attempts:
            world.release(attempt)
        rate = n / (time.perf_counter() - began)
    finally:
        world.close()
    return Row(
        "keys released (journal on this disk, test's gate)",
        rate,
        "1/s",
        ">= 500",
        (rate,),
    )


def _log() -> Iterator[Row]:
    entry = LogEntry(
        1, "task", "task.release", "a" * 64, "b" * 64, "ok", {"task": "c" * 64}
    )
    log = AuditLog("bench", "intl")
    n = 100_000
    rate = n / timed(lambda: [log.append(entry) for _ in range(n)])
    yield Row("audit records appended", rate, "1/s", ">= 10000", (rate,))
    proof = log.inclusion_proof(n // 2)
    runs = [timed(lambda: log.inclusion_proof(n // 2)) * 1e6 for _ in range(9)]
    yield median(
        f"inclusion proof at {n} records ({len(proof)} hashes)", "us", "", runs
    )
    os.sync()
