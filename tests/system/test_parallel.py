# SPDX-License-Identifier: Apache-2.0
"""SYS-2: data libraries in threads, processes and many enclaves compute the same."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from strongroom.errors import LimitReached
from strongroom.services.isolation import Enclave, Isolation
from strongroom.system.monitor.sandbox import probe
from tests.system.deployment import Deployment, create, make_deployment
from tests.system.resource_program import Use
from tests.system.workloads import LIBRARIES, PRELOAD, SEEDS, is_here

THREADS, PROCESSES = 4, 3
DECLARED = {"threads": 12, "processes": PROCESSES, "memory_bytes": 1 << 30}
HERE = tuple(name for name in LIBRARIES if is_here(name))

pytestmark = [
    pytest.mark.skipif(
        any(how is not None for how in probe().values()),
        reason="locks are missing here",
    )
]


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployment = make_deployment(tmp_path_factory.mktemp("parallel") / "d", "intl")
    preload = tuple(name for name in PRELOAD if is_here(name.partition(".")[0]))
    program = "tests.system.resource_program"
    with deployment.start(program=program, preload=preload):
        yield deployment


@pytest.fixture
def isolation(monitored: Deployment) -> Iterator[Isolation]:
    with Isolation.connect(monitored.socket) as connected:
        yield connected


def serial(enclave: Enclave, library: str) -> list[object]:
    found: list[object] = json.loads(enclave.call(Use.WORK_SERIAL, library.encode()))
    return found


def parallel(enclave: Enclave, use: Use, library: str, n: int) -> tuple[object, int]:
    """Return the results, and how many threads or processes there were."""
    payload = json.dumps([library, n]).encode()
    results, workers = json.loads(enclave.call(use, payload))
    return results, int(workers)


@pytest.mark.parametrize("library", LIBRARIES)
def test_threads_and_processes_give_the_results_of_one_thread(
    monitored: Deployment, isolation: Isolation, library: str
) -> None:
    if not is_here(library):
        pytest.skip(f"{library} is not installed")
    with create(monitored, isolation, **DECLARED) as enclave:
        expected = serial(enclave, library)
        results, threads = parallel(enclave, Use.WORK_THREADS, library, THREADS)
    with create(monitored, isolation, **DECLARED) as enclave:
        shared, workers = parallel(enclave, Use.WORK_PROCESSES, library, PROCESSES)
    assert len({json.dumps(row) for row in expected}) == len(SEEDS)
    assert results == shared == expected
    most = os.cpu_count() or 1 if library == "xgboost" else THREADS  # it takes no more
    assert min(THREADS, most) <= threads <= DECLARED["threads"]
    assert workers == PROCESSES


@pytest.mark.parametrize("library", HERE)
def test_who_declares_two_threads_gets_no_more(
    monitored: Deployment, isolation: Isolation, library: str
) -> None:
    """The counter-test: those threads are real, and they are counted.

    One of the two looks on; the library is asked for four.
    """
    with (
        create(monitored, isolation, memory_bytes=1 << 30, threads=2) as enclave,
        pytest.raises(LimitReached, match="threads: 2"),
    ):
        parallel(enclave, Use.WORK_THREADS, library, THREADS)


def test_enclaves_at_one_time_do_not_cross_talk(
    monitored: Deployment, isolation: Isolation
) -> None:
    with create(monitored, isolation, **DECLARED) as enclave:
        expected = {name: serial(enclave, name) for name in HERE}
    jobs = [*HERE, *HERE[::-1]]

    def work(name: str) -> object:
        with create(monitored, isolation, **DECLARED) as enclave:
            return parallel(enclave, Use.WORK_THREADS, name, 2)[0]

    with ThreadPoolExecutor(len(jobs)) as pool:
        assert list(pool.map(work, jobs)) == [expected[name] for name in jobs]
    assert isolation.status().enclaves == ()
