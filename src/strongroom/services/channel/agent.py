# SPDX-License-Identifier: Apache-2.0
"""The channel agent: a client's end, beside its application (安全信道代理, 7.5).

No input or output here: bytes in, bytes out. Whoever carries them sees ciphertext.
"""

from collections.abc import Callable

from strongroom.core.crypto import suite
from strongroom.errors import Conflict
from strongroom.services.channel.handshake import (
    BOX_INFO,
    NONCE_BYTES,
    SECRET_BYTES,
    Finish,
    Hello,
    Offer,
    direction_secret,
    offer_digest,
    transcript,
)
from strongroom.services.channel.records import Conversation, Direction
from strongroom.services.channel.verifying import Verify


class ChannelAgent:
    """Opens one channel: `hello`, then `finish`, then the conversation."""

    def __init__(
        self,
        suite_id: str,
        random: Callable[[int], bytes],
        verify: Verify,
        prove: Callable[[bytes, bytes], bytes] | None = None,
    ) -> None:
        """Begin.

        Args:
            suite_id: the one suite that this client speaks; nothing is negotiated.
            random: gives random bytes.
            verify: judges the service's evidence.
            prove: (nonce of the offer, transcript) -> proof of who calls, where the
                service asks (WL-1): `signed_by` or a report of an enclave.
        """
        self._suite, self._random, self._verify = suite(suite_id), random, verify
        self._prove = prove
        self._hello = Hello(suite_id, random(NONCE_BYTES))
        self._done = False

    def hello(self) -> bytes:
        """Return the first message."""
        return self._hello.to_bytes()

    def finish(self, answer: bytes) -> tuple[bytes, bytes, Conversation]:
        """Take the offer; return the session, the second message, the conversation.

        1. The evidence is what the client wants, answers its nonce, and binds this
           very offer to this very hello.
        2. A fresh secret goes to the offered key in a box.
        3. The keys of both directions come from secret and transcript.

        Raises:
            Refused: step 1, with what the verifier found.
            Malformed: no offer, or a key of another suite.
            Conflict: this agent has opened its channel already.
        """
        if self._done:
            message = "one agent opens one channel"
            raise Conflict(message)
        offer, hello = Offer.from_bytes(answer), self.hello()
        bound = offer_digest(hello, offer.session, offer.public, offer.nonce)
        # 1
        self._verify(offer.evidence, self._hello.nonce, bound)
        # 2
        secret = self._random(SECRET_BYTES)
        box = self._suite.kem_public(offer.public).seal(secret, BOX_INFO + bound)
        # 3
        heard = transcript(hello, answer, box)
        self._done = True
        proof = self._prove(offer.nonce, heard) if self._prove else b""
        mine, theirs = (
            Direction(
                self._suite,
                direction_secret(self._suite, secret, heard, side),
                offer.session,
            )
            for side in ("agent", "service")
        )
        finish = Finish(box, proof).to_bytes()
        return offer.session, finish, Conversation(mine, theirs)
