# SPDX-License-Identifier: Apache-2.0
"""The channel service: an app's end, inside its enclave (安全信道服务, 7.5)."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.codec.permits import Caller
from strongroom.core.crypto import KemKey, suite
from strongroom.errors import NotFound, Untrusted
from strongroom.services.channel.handshake import (
    BOX_INFO,
    NONCE_BYTES,
    SESSION_BYTES,
    Finish,
    Hello,
    Offer,
    direction_secret,
    offer_digest,
    transcript,
)
from strongroom.services.channel.records import Conversation, Direction
from strongroom.services.channel.who import Admit, anyone

MAX_SESSIONS = 1024
MAX_WAITING = 256


@dataclass
class _Waiting:
    hello: bytes
    offer: bytes
    bound: bytes
    nonce: bytes
    key: KemKey


@dataclass
class Session:
    """One open channel; `client` says who opened it, as `admit` knows them."""

    conversation: Conversation
    client: Caller


class ChannelService:
    """Every channel of one app."""

    def __init__(
        self,
        suite_id: str,
        random: Callable[[int], bytes],
        report: Callable[[bytes, bytes], bytes],
        admit: Admit = anyone,
    ) -> None:
        """Begin without channels.

        Args:
            suite_id: the app's suite; another one in a hello is refused.
            random: gives random bytes.
            report: (nonce, user data) -> evidence of the app (IF-3).
            admit: says who has opened a channel, or refuses; see `who.py`.
        """
        self._suite, self._random, self._report = suite(suite_id), random, report
        self._admit = admit
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def offer(self, data: bytes) -> bytes:
        """Answer a hello with a fresh key that the evidence binds (IF-5, step b).

        The oldest offer that nobody finished is forgotten where there are too many.

        Raises:
            Untrusted: `channel.suite`.
        """
        hello = Hello.from_bytes(data)
        if hello.suite != self._suite.id:
            raise Untrusted.because(
                "channel.suite",
                "secure channel",
                expected=f"suite {self._suite.id}",
                got=hello.suite,
                remedy="Speak the suite of the app; nothing else is negotiated.",
            )
        key = self._suite.kem_key(self._random(self._suite.kem_seed_bytes))
        session, nonce = self._random(SESSION_BYTES), self._random(NONCE_BYTES)
        bound = offer_digest(data, session, key.public.raw, nonce)
        evidence = self._report(hello.nonce, bound)
        offer = Offer(session, key.public.raw, nonce, evidence).to_bytes()
        self._waiting[session] = _Waiting(data, offer, bound, nonce, key)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        return offer

    def finish(self, session: bytes, data: bytes) -> None:
        """Take the agent's second message; the channel is open then (step c).

        A finish counts once: its key is forgotten, whatever comes of it. Where there
        are too many channels, the longest silent one is over: nobody who opens them
        and says nothing keeps others out.

        Raises:
            NotFound: no such offer, or one that was finished.
            Tampered: the box is not for it.
            Untrusted: `channel.client`, the client is nobody who may.
        """
        waiting = self._waiting.pop(session, None)
        if waiting is None:
            message = "no offer waits for this: begin with a hello"
            raise NotFound(message)
        finish = Finish.from_bytes(data)
        secret = waiting.key.open(finish.box, BOX_INFO + waiting.bound)
        heard = transcript(waiting.hello, waiting.offer, finish.box)
        client = self._admit(finish.client, waiting.nonce, heard)
        theirs, mine = (
            Direction(
                self._suite, direction_secret(self._suite, secret, heard, side), session
            )
            for side in ("agent", "service")
        )
        self._sessions[session] = Session(Conversation(mine, theirs), client)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def session(self, session: bytes) -> Session:
        """Return an open channel.

        Raises:
            NotFound: none of that id is open.
        """
        found = self._sessions.get(session)
        if found is None:
            message = "no such channel is open: begin with a hello"
            raise NotFound(message)
        self._sessions.move_to_end(session)
        return found

    def forget(self, session: bytes) -> None:
        """Drop a channel and its keys."""
        self._sessions.pop(session, None)
