# SPDX-License-Identifier: Apache-2.0
"""The functions of an app as a client has them: in a secure channel (CHAN, 7.5).

Whoever carries the messages (`Carrier`, the ordinary side) sees ciphertext only.
"""

from typing import Protocol

from strongroom.application.sdk.calling import CallingServices
from strongroom.core.codec import cbor
from strongroom.errors import Malformed, NotFound, error_from_value
from strongroom.services.channel import ChannelAgent


class Carrier(Protocol):
    """What passes messages on to the app: `OutsideServices`, or something over HTTP."""

    def open_channel(self, hello: bytes) -> bytes:
        """Return the offer to a hello."""

    def converse(self, session: bytes, **message: bytes) -> bytes:
        """Pass on `finish=` or `record=`; return the answer."""


class RemoteServices(CallingServices):
    """Implements `Services` over a channel; applications are not created from here."""

    def __init__(self, agent: ChannelAgent, carrier: Carrier) -> None:
        """Open the channel.

        Raises:
            Refused: the app is not the one that the agent's verifier wants.
        """
        super().__init__()
        self._carrier = carrier
        session, finish, conversation = agent.finish(
            carrier.open_channel(agent.hello())
        )
        carrier.converse(session, finish=finish)
        self._session, self._conversation = session, conversation

    def create(self, bundle: bytes) -> bytes:
        """Refuse: the ordinary side of the machine creates applications."""
        raise _not_from_here(bundle)

    def destroy(self, enclave: bytes) -> bytes:
        """Refuse: the ordinary side of the machine destroys applications."""
        raise _not_from_here(enclave)

    def close(self) -> None:
        """End the channel on both sides."""
        record = self._conversation.close()
        answer = self._carrier.converse(self._session, record=record)
        if self._conversation.receive(answer) is not None:
            message = "the app went on talking after the end"
            raise Malformed(message)

    def _call(self, method: int, payload: bytes) -> bytes:
        record = self._conversation.send(cbor.encode([method, payload]))
        said = self._conversation.receive(
            self._carrier.converse(self._session, record=record)
        )
        match cbor.decode(said) if said is not None else None:
            case [True, bytes() as answer]:
                return answer
            case [False, bytes() as error]:
                value = cbor.decode(error)
                raise error_from_value(value if isinstance(value, dict) else {})
            case _:
                message = "the app answered with no record of a call"
                raise Malformed(message)


def _not_from_here(data: bytes) -> NotFound:
    del data
    return NotFound("applications are created and destroyed on their own machine")
