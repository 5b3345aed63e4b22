# SPDX-License-Identifier: Apache-2.0
"""Rows about the services of an app: its channel, calls between enclaves."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.apps import service_bundle
from benchmarks.rows import Row, ratio, timed
from strongroom.core.codec.bundle import EntryPoint, OutputRule, Parameter
from strongroom.core.crypto import SigningKey, suite
from strongroom.node.workbench import Workbench
from strongroom.services.channel import ChannelAgent, ChannelService, Conversation

BYTES = {"intl": 64 << 20, "sm": 32 << 20}
BLOCK = 1 << 20
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
    """Measure all rows about services; a ratio is speed over speed."""
    for suite_id in ("intl", "sm"):
        blocks = [os.urandom(BLOCK)] * (BYTES[suite_id] // BLOCK)
        yield ratio(
            f"message channel, {suite_id}, records of 1 MiB, both ends / raw AEAD",
            "",
            _raw(suite_id, blocks),
            _channel(suite_id, blocks),
            n,
        )
    yield from _calls(folder, n)


def _raw(suite_id: str, blocks: list[bytes]) -> Callable[[], float]:
    """Return the raw cipher over as many bytes, sealed and opened."""
    row = suite(suite_id)
    aead, nonce = row.aead(bytes(row.aead_key_bytes)), bytes(row.nonce_bytes)

    def run() -> None:
        for block in blocks:
            sealed = aead.encrypt(nonce, block, b"")
            aead.decrypt(nonce, sealed, b"")

    return lambda: timed(run)


def _channel(suite_id: str, blocks: list[bytes]) -> Callable[[], float]:
    client, service = _conversation(suite_id)

    def run() -> None:
        for block in blocks:
            service.receive(client.send(block))

    return lambda: timed(run)


def _conversation(suite_id: str) -> tuple[Conversation, Conversation]:
    """Open a channel whose evidence is a signature, for the records alone count."""
    row = suite(suite_id)
    monitor: SigningKey = row.signing_key(os.urandom(row.sign_seed_bytes))

    def report(nonce: bytes, user_data: bytes) -> bytes:
        return monitor.sign(nonce + user_data)

    def verify(evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        monitor.public.verify(evidence, nonce + user_data)

    service = ChannelService(suite_id, os.urandom, report)
    agent = ChannelAgent(suite_id, os.urandom, verify)
    session, finish, mine = agent.finish(service.offer(agent.hello()))
    service.finish(session, finish)
    return mine, service.session(session).conversation


def _calls(folder: Path, n: int) -> Iterator[Row]:
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
