# SPDX-License-Identifier: Apache-2.0
"""Libraries in an enclave size themselves by what the app declared."""

import os
from collections.abc import Callable

from strongroom.system.monitor import pools


def in_child(body: Callable[[], object]) -> str:
    """Run `body` in a fork of this process; return what it returned, as text."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(body()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


def test_enclaves_take_their_processors_in_turn() -> None:
    here = sorted(os.sched_getaffinity(0))

    def taken(turn: int) -> str:
        def body() -> list[int]:
            pools.fit((), 1, turn)
            return sorted(os.sched_getaffinity(0))

        return in_child(body)

    assert [taken(turn) for turn in range(len(here))] == [f"[{n}]" for n in here]


def test_who_declares_more_than_there_are_gets_all_and_pools_of_as_many() -> None:
    told: list[int] = []

    def body() -> tuple[bool, list[int], str]:
        here = os.sched_getaffinity(0)
        pools.fit((told.append,), 4096, 1)
        same = here == os.sched_getaffinity(0)
        return same, told, os.environ["OMP_NUM_THREADS"]

    count = len(os.sched_getaffinity(0))
    assert in_child(body) == str((True, [count], str(count)))
    assert told == []
