# SPDX-License-Identifier: Apache-2.0
"""Rows about enclaves: run time against plain, start, crossing of the gate."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.program import ECHO, WORK
from benchmarks.rows import Row, median, ratio, timed
from benchmarks.workloads import PRELOAD, WORKLOADS
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import Manifest, seal_bundle
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import sign_record
from strongroom.core.rats import Endorsements, Evidence, Trust
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.management.keys import Identity
from strongroom.services.attestation import verify_evidence
from strongroom.services.isolation import Enclave, Isolation, start_monitor

ROOT = Path(__file__).parents[1]
MEMORY_BYTES = 4 << 30


class Bench:
    """A monitor with the bench program in its template."""

    def __init__(self, isolation: Isolation, owner: Identity, root: bytes) -> None:
        self.isolation, self._root = isolation, root
        suite = owner.public.suite
        manifest = Manifest(
            suite=suite,
            name="bench",
            svn=1,
            kind="service",
            memory_bytes=MEMORY_BYTES,
            threads=16,  # every library has a pool of its own
            processes=0,
            cpu_seconds=0,
            interfaces=(),
            storage=(),
            peers=(),
            entry_points=(),
            files=(),
            encrypted=False,
        )
        self._bundle = seal_bundle(manifest, {}, owner.signing).to_bytes()
        policy = LaunchPolicy(suite, 1, (owner.public.sign.key_id,))
        self._policy = sign_record(owner.signing, policy)

    def create(self) -> Enclave:
        """Create an enclave."""
        return self.isolation.create(self._bundle, self._policy)

    def verify(self, evidence: bytes, now: int) -> None:
        """Verify platform evidence of this monitor."""
        trust = Trust(Endorsements((self._root,), ()))
        verify_evidence(Evidence("simulated", evidence, b""), trust, now=now)


@contextmanager
def monitor(folder: Path, suite: str) -> Iterator[tuple[Bench, float]]:
    """Start a monitor; yields the bench and how long the cold start took."""
    now = int(time.time())  # noqa: TID251 - a benchmark has a clock
    owner = Identity.generate("bench", suite, os.urandom)
    maker = SimulatedManufacturer.create(folder / "manufacturer", suite, now)
    SimulatedDevice.provision(folder / "device", maker, suite, now)
    (folder / "gate").mkdir(mode=0o700)
    began = time.perf_counter()
    with (
        start_monitor(
            device=folder / "device",
            socket=folder / "gate" / "socket",
            administrator=owner.public.sign,
            program="benchmarks.program",
            preload=PRELOAD,
            environment={"PYTHONPATH": os.fspath(ROOT)},
        ) as process,
        Isolation.connect(process.socket) as isolation,
    ):
        cold = time.perf_counter() - began
        yield Bench(isolation, owner, maker.root), cold


def rows(folder: Path, n: int) -> Iterator[Row]:
    """Measure all rows about enclaves."""
    with monitor(folder, "intl") as (bench, cold):
        yield median("enclave start, cold (monitor and template)", "s", "", [cold])
        yield _warm_start(bench, 4 * n)
        yield from _crossing(bench, n)
        yield from _run_time(bench, n)
        yield _verification(bench)


def _warm_start(bench: Bench, n: int) -> Row:
    def once() -> float:
        began = time.perf_counter()
        with bench.create() as enclave:
            enclave.call(ECHO, b"")
            return (time.perf_counter() - began) * 1e3

    once()
    return median(
        "enclave start, warm (create to first call)",
        "ms",
        "<= 30",
        [once() for _ in range(n)],
    )


def _crossing(bench: Bench, n: int) -> Iterator[Row]:
    with bench.create() as enclave:
        for size, unit, name in ((1, "us", "1 B"), (1 << 20, "us", "1 MiB")):
            data = bytes(size)
            calls = 200 if size == 1 else 10
            runs = [_echo_us(enclave, data, calls) for _ in range(n)]
            yield median(
                f"crossing of the gate, there and back, {name}", unit, "", runs
            )


def _echo_us(enclave: Enclave, data: bytes, calls: int) -> float:
    seconds = timed(lambda: [enclave.call(ECHO, data) for _ in range(calls)])
    return seconds / calls * 1e6


def _run_time(bench: Bench, n: int) -> Iterator[Row]:
    command = [sys.executable, "-m", "benchmarks.plain"]
    pipe = subprocess.PIPE
    with (
        bench.create() as enclave,
        subprocess.Popen(
            command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True
        ) as plain,
    ):
        for name in WORKLOADS:
            yield ratio(
                f"run time in an enclave / plain: {name}",
                "<= 1.02",
                lambda: _inside(enclave, name),  # noqa: B023 - called at once
                lambda: _outside(plain, name),  # noqa: B023 - called at once
                n,
            )
        if plain.stdin:
            plain.stdin.close()


def _inside(enclave: Enclave, name: str) -> float:
    seconds = cbor.decode(enclave.call(WORK, name.encode()))
    return seconds if isinstance(seconds, float) else float("nan")


def _outside(plain: "subprocess.Popen[str]", name: str) -> float:
    if not plain.stdin or not plain.stdout:
        return float("nan")
    plain.stdin.write(f"{name}\n")
    plain.stdin.flush()
    return float(plain.stdout.readline())


def _verification(bench: Bench) -> Row:
    now = int(time.time())  # noqa: TID251 - a benchmark has a clock
    evidence = bench.isolation.evidence(os.urandom(32))
    n = 200
    runs = [
        n / timed(lambda: [bench.verify(evidence, now) for _ in range(n)])
        for _ in range(3)
    ]
    return median(
        "platform evidence verified, nothing cached, one core", "1/s", "", runs
    )
