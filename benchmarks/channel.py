# SPDX-License-Identifier: Apache-2.0
"""The secure channel beside what it is made of, paired in one run.

python benchmarks/channel.py [--seconds 3.0] [--json FILE]

Handshakes: RA-TLS with evidence on both sides, platform and app, against plain mutual
TLS of the same library, suite and key kinds, all on one core and in memory; and the
handshake of the message channel. Each end gives fresh evidence in every connection but
in the row that says otherwise (`max_evidence_age_s`). Bulk: messages of 1 MiB through
the message channel against the suite's AEAD alone over the same bytes. Both sides of a
pair take turns; a ratio is the median of the turns' ratios.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.rows import Row, median  # noqa: E402 - after the path
from strongroom.core.crypto import suite  # noqa: E402
from strongroom.core.crypto.tls import (  # noqa: E402
    PROFILES,
    Setting,
    TlsContext,
)
from strongroom.core.rats import Evidence  # noqa: E402
from strongroom.services.channel import (  # noqa: E402
    ChannelAgent,
    ChannelService,
    Conversation,
)
from strongroom.services.channel.ra_tls.certificate import show_key  # noqa: E402
from strongroom.services.channel.ra_tls.connection import (  # noqa: E402
    Endpoint,
    client_end,
    server_end,
)
from strongroom.services.channel.verifying import EndorsedEnclave  # noqa: E402
from strongroom.services.channel.who import anyone  # noqa: E402
from tests.services.channel.judging import appraisal  # noqa: E402
from tests.services.channel.ra_tls.ra_tls_world import (  # noqa: E402
    VALID,
    accepts_enclave,
    accepts_key,
    enclave,
    party,
)
from tests.services.ra_world import World, world_in  # noqa: E402

TURN_S = 0.15
MIB = 1 << 20
SUITES = ("intl", "sm")


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="per contender")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    found: list[Row] = []
    turns = max(3, round(options.seconds / TURN_S))
    with tempfile.TemporaryDirectory(prefix="strongroom-channel-") as folder:
        for row in rows(Path(folder), turns):
            found.append(row)
            goal = f"  goal {row.goal}: {row.met}" if row.goal else ""
            print(f"{row.name}: {row.value:.4g} {row.unit}{goal}", flush=True)
    if options.json:
        value = {row.name: {"value": row.value, "runs": row.runs} for row in found}
        options.json.write_text(json.dumps(value, indent=2) + "\n")


def rows(folder: Path, turns: int) -> Iterator[Row]:
    """Measure all rows about channels, `turns` turns of each contender."""
    for suite_id in SUITES:
        with world_in(folder / suite_id, suite_id) as world:
            yield from _rows(world, turns)


def _rows(world: World, turns: int) -> Iterator[Row]:
    name = world.suite_id
    yield from _pair(
        f"{name}: RA-TLS, mutual, evidence of both sides",
        f"{name}: TLS 1.3, mutual, of the same library",
        _ra_tls(world, 0),
        _tls(world),
        turns,
    )
    yield from _pair(
        f"{name}: RA-TLS, mutual, certificates seen before",
        f"{name}: TLS 1.3, mutual, once more",
        _ra_tls(world, 3600),
        _tls(world),
        turns,
    )
    yield from _pair(
        f"{name}: RA-TLS, the server alone attests, certificate seen before",
        f"{name}: TLS 1.3, mutual, once again",
        _one_sided(world),
        _tls(world),
        turns,
    )
    yield from _pair(
        f"{name}: RA-TLS, mutual, evidence of at most 60 s before accepted",
        f"{name}: TLS 1.3, mutual, a last time",
        _ra_tls(world, 3600, 60),
        _tls(world),
        turns,
    )
    runs = [_rate(lambda: opened(world)) for _ in range(turns)]
    yield median(f"{name}: message channel, handshakes", "1/s", "", runs)
    yield from _bulk(world, turns)


def _pair(
    ours: str,
    theirs: str,
    mine: Callable[[], object],
    its: Callable[[], object],
    turns: int,
) -> Iterator[Row]:
    mine()
    its()
    runs = [(_rate(mine), _rate(its)) for _ in range(turns)]
    yield median(ours, "1/s", "", [run[0] for run in runs])
    yield median(theirs, "1/s", "", [run[1] for run in runs])
    yield median(f"{ours} / TLS", "ratio", ">= 0.8", [a / b for a, b in runs])


def _ra_tls(world: World, remember_s: int, age_s: int = 0) -> Callable[[], object]:
    peer = accepts_enclave(world, remember_s, age_s)
    one = client_end(world.suite_id, enclave(world), peer)
    return _handshakes(one, server_end(world.suite_id, enclave(world), peer))


def _one_sided(world: World) -> Callable[[], object]:
    """Return handshakes of a party that is known by its key."""
    mine = party(world)
    one = client_end(world.suite_id, mine, accepts_enclave(world, 3600))
    known = accepts_key(world, mine)
    return _handshakes(one, server_end(world.suite_id, enclave(world), known))


def _handshakes(one: Endpoint, other: Endpoint) -> Callable[[], object]:
    def handshake() -> None:
        near, far = one.connection(), other.connection()
        near.feed(b"")
        while not (near.is_open and far.is_open):
            far.feed(near.outgoing())
            near.feed(far.outgoing())

    return handshake


def _tls(world: World) -> Callable[[], object]:
    profile = PROFILES[world.suite_id]
    setting = Setting(profile, is_server=False, alpn=("x",))
    one = TlsContext(setting, show_key(world.suite_id, VALID).credential)
    other = TlsContext(
        replace(setting, is_server=True), show_key(world.suite_id, VALID).credential
    )

    def handshake() -> None:
        near, far = one.connection(), other.connection()
        done = (False, False)
        while done != (True, True):
            done = (done[0] or near.handshake(), done[1])
            far.feed(near.outgoing())
            done = (done[0], done[1] or far.handshake())
            near.feed(far.outgoing())

    return handshake


def opened(world: World) -> tuple[Conversation, Conversation]:
    """Open a message channel whose party verifies both layers of evidence each time."""

    def report(nonce: bytes, user_data: bytes) -> bytes:
        return world.platform.app(nonce, user_data=user_data)

    def carrier(nonce: bytes) -> Evidence:
        return Evidence("simulated", world.platform.platform(nonce), b"")

    service = ChannelService(world.suite_id, os.urandom, report, anyone)
    verify = EndorsedEnclave(appraisal(world), carrier)
    agent = ChannelAgent(world.suite_id, os.urandom, verify)
    session, finish, conversation = agent.finish(service.offer(agent.hello()))
    service.finish(session, finish)
    return conversation, service.session(session).conversation


def _bulk(world: World, turns: int) -> Iterator[Row]:
    row, data = suite(world.suite_id), os.urandom(MIB)
    near, far = opened(world)
    aead = row.aead(os.urandom(row.aead_key_bytes))
    sealed, plain = bytearray(MIB + row.tag_bytes), bytearray(MIB)
    count = 0

    def channel() -> None:
        far.receive(near.send(data))

    def bare() -> None:
        nonlocal count
        count += 1
        nonce = count.to_bytes(row.nonce_bytes, "big")
        aead.encrypt_into(nonce, data, b"", sealed)
        aead.decrypt_into(nonce, sealed, b"", plain)

    channel()
    bare()
    runs = [(_rate(channel), _rate(bare)) for _ in range(turns)]
    name, scale = world.suite_id, MIB / 1e6
    mine, its = "message channel, seal and open", "AEAD alone, seal and open"
    yield median(f"{name}: {mine}", "MB/s", "", [a * scale for a, _ in runs])
    yield median(f"{name}: {its}", "MB/s", "", [b * scale for _, b in runs])
    yield median(f"{name}: {mine} / AEAD", "ratio", "", [a / b for a, b in runs])


def _rate(action: Callable[[], object]) -> float:
    done, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < TURN_S:
        action()
        done += 1
    return done / spent


if __name__ == "__main__":
    main()
