# SPDX-License-Identifier: Apache-2.0
"""Rows about calls of an app; those about its channels are in channel.py."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.apps import service_bundle
from benchmarks.rows import Row, timed
from strongroom.core.codec.bundle import EntryPoint, OutputRule, Parameter
from strongroom.node.workbench import Workbench

_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
_PEER = Parameter("enclave", "text", many=False)
_SOURCE = b"""
PEERS = {}

def ask(services, enclave):
    if enclave not in PEERS:
        PEERS[enclave] = services.connect(bytes.fromhex(enclave))
    return PEERS[enclave].call("answer")

def answer(services):
    return "answer"
"""


def rows(folder: Path, n: int) -> Iterator[Row]:
    """Measure small calls: of an app from the host, and from one app to another."""
    entries = (
        EntryPoint("answer", "main:answer", (), _OUTPUT),
        EntryPoint("ask", "main:ask", (_PEER,), _OUTPUT),
    )
    with Workbench(folder / "bench", "intl") as bench:
        one, other = (
            service_bundle(bench.provider.signing, name, _SOURCE, entries, (peer,))
            for name, peer in (("asker", "answerer"), ("answerer", "asker"))
        )
        services = bench.services(one)
        peer = services.create(other).hex()
        services.call("ask", enclave=peer)

        def each(act: Callable[[], object], count: int = 200) -> tuple[float, ...]:
            def run() -> None:
                for _ in range(count):
                    act()

            return tuple(timed(run) / count * 1e6 for _ in range(n))

        for name, act in (
            ("call of an app's entry point", lambda: services.call("answer")),
            (
                "call from one enclave to another, in a channel",
                lambda: services.call("ask", enclave=peer),
            ),
        ):
            runs = each(act)
            yield Row(name, sorted(runs)[len(runs) // 2], "us", "", runs)
