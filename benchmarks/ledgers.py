# SPDX-License-Identifier: Apache-2.0
"""Rows about the broker's release of keys and the audit log, in one process."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rows import Row, median, timed
from strongroom.application.broker.config import Method
from strongroom.hardware.simulated import SimulatedDevice
from strongroom.management.audit import AuditLog, LogEntry
from tests.application.broker.world import Attempt, World


def rows(folder: Path, releases: int, records: int) -> Iterator[Row]:
    """Measure release and log; releases take the journal on the disk of `folder`."""
    yield from _release(folder, releases)
    yield from _log(records)


class _DeviceCounters(dict[str, int]):
    """The counters of the broker's gate, kept by the simulated device on its disk."""

    def __init__(self, device: SimulatedDevice) -> None:
        super().__init__()
        self._device = device

    def get(self, key: str, default: int = 0) -> int:  # type: ignore[override]
        """Return a counter of the device."""
        return self._device.counter(key) or default

    def __setitem__(self, key: str, value: int) -> None:
        """Count one up in the device."""
        if self._device.increment(key) != value:
            message = "a counter goes up by one"
            raise ValueError(message)


class _World(World):
    """The broker with a real device under it; its gate is a call, not a socket."""

    def start(self) -> None:
        """Start a broker on the device's counters."""
        self.memory.counters = _DeviceCounters(self.machine.device)
        super().start()


def _release(folder: Path, n: int) -> Iterator[Row]:
    """Release keys for n attempts: app evidence, appraisal, policy, log, journal.

    All attempts come from one platform, whose evidence the broker verifies once a
    minute; each has its own challenge, keys and app evidence.
    """
    world = _World(folder / "broker", "intl")
    world.publish()
    try:
        agreement = world.agreement(
            world.app(), [world.dataset("hospital")], max_uses=n
        )
        names = [world.task(agreement) for _ in range(n)]
        attempts = [world.attempt(world.ticket(name)) for name in names]
        runs, processor = [], 0.0
        for attempt in attempts:
            spent = time.process_time()
            runs.append(timed(lambda: _ask(world, attempt)))  # noqa: B023 - at once
            processor += time.process_time() - spent
    finally:
        world.close()
    rates = [50 / sum(runs[at : at + 50]) for at in range(0, n, 50)]
    yield Row(
        "keys released, journal and counter on this disk",
        n / sum(runs),
        "1/s",
        ">= 500",
        tuple(rates),
    )
    yield Row(
        "keys released per second of processor time",
        n / processor,
        "1/s",
        "",
        (n / processor,),
    )


def _ask(world: World, attempt: Attempt) -> None:
    value = {
        "task": attempt.ticket.task,
        "attempt": attempt.ticket.attempt,
        "keys": attempt.keys,
        "evidence": attempt.evidence.to_bytes(),
    }
    world.call(Method.RELEASE, value)


def _log(n: int) -> Iterator[Row]:
    log = AuditLog("bench", "intl")
    part = n // 10
    rates = []
    for start in range(0, n, part):
        entries = [_entry(start + number) for number in range(part)]
        rates.append(part / timed(lambda: [log.append(e) for e in entries]))  # noqa: B023
    yield median("audit records appended", "1/s", ">= 10000", rates)
    places = [n * step // 31 for step in range(31)]
    proofs: list[list[bytes]] = []
    times = [
        timed(lambda: proofs.append(log.inclusion_proof(place))) * 1e6  # noqa: B023
        for place in places
    ]
    yield median(f"inclusion proof, {n} records, time", "us", "", times)
    sizes = [float(sum(map(len, proof))) for proof in proofs]
    yield median(f"inclusion proof, {n} records, size", "bytes", "", sizes)
    olds = [n * step // 31 for step in range(1, 31)]
    times = [timed(lambda: log.consistency_proof(old)) * 1e6 for old in olds]  # noqa: B023
    yield median(f"consistency proof, {n} records, time", "us", "", times)


def _entry(number: int) -> LogEntry:
    detail = {"task": f"{number:064x}"}
    return LogEntry(number, "task", "task.release", "a" * 64, "b" * 64, "ok", detail)
