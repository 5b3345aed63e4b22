# SPDX-License-Identifier: Apache-2.0
"""Routes of who carries messages: channel records and reports again, later, altered.

Each attempt returns whether client or app took what it should not (CHAN, RA).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from strongroom.application.sdk.calls import encode_call
from strongroom.application.sdk.interface import NUMBERS
from strongroom.application.sdk.outside import OutsideServices
from strongroom.attack.bench import bench, elsewhere
from strongroom.attack.room import SUITE
from strongroom.attack.target import Target
from strongroom.core.codec import cbor
from strongroom.core.crypto import suite
from strongroom.core.rats import Evidence
from strongroom.services.channel import ChannelAgent, Conversation
from strongroom.services.channel.handshake import Offer
from strongroom.services.channel.verifying import Verify


@dataclass(frozen=True)
class Line:
    """A channel between a client and an app, and who carries it."""

    carrier: OutsideServices
    session: bytes
    finish: bytes
    client: Conversation

    def record(self, text: bytes) -> bytes:
        """Return the record of a call that stores a text."""
        call = encode_call({"namespace": "ledger", "block": "said", "data": text})
        return self.client.send(cbor.encode([NUMBERS["store"], call]))

    def carry(self, record: bytes) -> bytes:
        """Pass a record on; return the record that answers it."""
        return self.carrier.converse(self.session, record=record)


@contextmanager
def _line(at: Target) -> Iterator[Line]:
    host = bench(at)
    bundle = host.app()
    with host.services(bundle) as carrier:
        yield _opened(carrier, host.verifier(bundle))


def _opened(carrier: OutsideServices, verify: Verify) -> Line:
    agent = ChannelAgent(SUITE, os.urandom, verify)
    offer = carrier.open_channel(agent.hello())
    session, finish, client = agent.finish(offer)
    carrier.converse(session, finish=finish)
    return Line(carrier, session, finish, client)


def repeated_record(at: Target) -> bool:
    """Give the app a record a second time."""
    with _line(at) as line:
        record = line.record(b"pay 1")
        line.carry(record)
        return bool(line.carry(record))


def dropped_record(at: Target) -> bool:
    """Keep a record back and pass on the next."""
    with _line(at) as line:
        line.record(b"do not pay")
        return bool(line.carry(line.record(b"pay 1")))


def altered_record(at: Target) -> bool:
    """Change one byte of a record."""
    with _line(at) as line:
        record = bytearray(line.record(b"pay 1"))
        record[-1] ^= 1
        return bool(line.carry(bytes(record)))


def reflected_record(at: Target) -> bool:
    """Give a client its own record for an answer."""
    with _line(at) as line:
        return bool(line.client.receive(line.record(b"pay 1")))


def repeated_answer(at: Target) -> bool:
    """Give a client the answer to its last call for an answer to this one."""
    with _line(at) as line:
        answer = line.carry(line.record(b"first"))
        line.client.receive(answer)
        line.carry(line.record(b"second"))
        return bool(line.client.receive(answer))


def foreign_record(at: Target) -> bool:
    """Carry a record of one channel into another of the same app."""
    host = bench(at)
    bundle = host.app()
    with host.services(bundle) as carrier:
        verify = host.verifier(bundle)
        one, other = _opened(carrier, verify), _opened(carrier, verify)
        return bool(other.carry(one.record(b"pay 1")))


def repeated_finish(at: Target) -> bool:
    """Open a channel a second time with the messages of the first."""
    with _line(at) as line:
        line.carrier.converse(line.session, finish=line.finish)
        return True


def older_offer(at: Target) -> bool:
    """Answer a client's hello with the app's offer to an older one."""
    host = bench(at)
    bundle = host.app()
    with host.services(bundle) as carrier:
        verify = host.verifier(bundle)
        old = carrier.open_channel(ChannelAgent(SUITE, os.urandom, verify).hello())
        fresh = ChannelAgent(SUITE, os.urandom, verify)
        return bool(fresh.finish(old))


def own_key_in_offer(at: Target) -> bool:
    """Put a key of the carrier's own into the app's offer (man in the middle)."""
    host = bench(at)
    bundle = host.app()
    row = suite(SUITE)
    mine = row.kem_key(os.urandom(row.kem_seed_bytes)).public.raw
    with host.services(bundle) as carrier:
        agent = ChannelAgent(SUITE, os.urandom, host.verifier(bundle))
        offer = Offer.from_bytes(carrier.open_channel(agent.hello()))
        return bool(agent.finish(replace(offer, public=mine).to_bytes()))


def older_report(at: Target) -> bool:
    """Answer a verifier's fresh nonce with a report for an older one."""
    host = bench(at)
    bundle, fresh = host.app(), os.urandom(32)
    with host.services(bundle) as carrier:
        evidence = carrier.report(os.urandom(32), b"")
    host.verifier(bundle)(evidence, fresh, b"")
    return True


def report_for_other_data(at: Target) -> bool:
    """Show a report for user data that it does not bind."""
    host = bench(at)
    bundle, nonce = host.app(), os.urandom(32)
    with host.services(bundle) as carrier:
        evidence = carrier.report(nonce, b"one thing")
    host.verifier(bundle)(evidence, nonce, b"another")
    return True


def report_of_another_app(at: Target) -> bool:
    """Show a verifier who wants one app the report of another."""
    host = bench(at)
    wanted, nonce = host.app(), os.urandom(32)
    with host.services(host.app()) as carrier:
        evidence = carrier.report(nonce, b"")
    host.verifier(wanted)(evidence, nonce, b"")
    return True


def mixed_report(at: Target) -> bool:
    """Put an app's report upon the platform evidence of another machine."""
    host, other = bench(at), elsewhere(at)
    bundle, nonce = host.app(), os.urandom(32)
    try:
        with host.services(bundle) as carrier, other.connected() as isolation:
            shown = Evidence.from_bytes(carrier.report(nonce, b""))
            platform = isolation.evidence(nonce)
    finally:
        other.stop()
    mixed = Evidence(shown.kind, platform, shown.app).to_bytes()
    roots = (*host.work.endorsements.roots, *other.work.endorsements.roots)
    host.verifier(bundle, roots)(mixed, nonce, b"")
    return True
