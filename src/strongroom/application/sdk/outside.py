# SPDX-License-Identifier: Apache-2.0
"""The fifteen functions as the ordinary side has them: through the gate (HW-4).

One of these stands for one app in its enclave. Creating and destroying are the
monitor's; everything else the app does, if its manifest offers it (7.7).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from strongroom.application.sdk.calling import CallingServices
from strongroom.application.sdk.calls import (
    decode_answer_as,
    encode_answer,
    encode_call,
)
from strongroom.application.sdk.host_store import answer_store
from strongroom.application.sdk.interface import CARRIED, CONVERSE, NUMBERS
from strongroom.core.codec import cbor
from strongroom.core.rats import Evidence
from strongroom.core.rats.stores import BlockStore
from strongroom.errors import Malformed, NotFound
from strongroom.services.isolation import Enclave, Isolation

_NAMESPACE = re.compile(r"[^./\\\0][^/\\\0]{0,255}")


@dataclass(frozen=True)
class Carried:
    """What goes back on a connection.

    Attributes:
        data: bytes for the client.
        refused: the rule that ended the connection, or "".
        more: whether more is to be fetched, with no bytes in.
        over: whether the connection is to be closed.
    """

    data: bytes
    refused: str
    more: object
    over: object


class OutsideServices(CallingServices):
    """Implements `Services` over a monitor; a context manager that destroys.

    `create` comes first; the app that it starts answers the other functions.
    """

    def __init__(
        self,
        isolation: Isolation,
        launch_policy: bytes,
        stores: Callable[[str], BlockStore] | None = None,
    ) -> None:
        """Begin without an application.

        Args:
            isolation: a connection to the monitor of this machine.
            launch_policy: says whose bundles may start.
            stores: gives the untrusted store of a namespace; None for none at all.
        """
        super().__init__()
        self._isolation, self._launch_policy = isolation, launch_policy
        self._stores = stores
        self._enclaves: dict[bytes, Enclave] = {}
        self._app: Enclave | None = None

    def create(self, bundle: bytes) -> bytes:
        """Create an application; return its id (IF-1). The first one answers calls."""
        enclave = self._isolation.create(bundle, self._launch_policy)
        self._enclaves[enclave.enclave_id] = enclave
        if self._app is None:
            self._app = enclave
        return enclave.enclave_id

    @property
    def enclaves(self) -> tuple[bytes, ...]:
        """The ids of the applications that were created here."""
        return tuple(self._enclaves)

    def destroy(self, enclave: bytes) -> bytes:
        """Destroy an application; return the signed record (IF-2).

        Raises:
            NotFound: none that this object created.
        """
        found = self._enclaves.get(enclave)
        if found is None:
            message = f"no application {enclave.hex()[:16]} was created here"
            raise NotFound(message)
        return found.destroy()

    def converse(self, session: bytes, **message: bytes) -> bytes:
        """Pass a message of a channel on, unread, and return the answer (7.5)."""
        payload = encode_call({"session": session, **message})
        return decode_answer_as(self._call(CONVERSE, payload), bytes)

    def carry(self, connection: bytes, data: bytes | None) -> Carried:
        """Pass bytes of an RA-TLS connection on, unread; None for its end (7.5).

        Args:
            connection: a name of 16 bytes that the relay chose.
            data: as they came.
        """
        message = {"connection": connection}
        if data is not None:
            message["data"] = data
        match decode_answer_as(self._call(CARRIED, encode_call(message)), dict):
            case {"data": bytes() as back, "refused": str() as refused, **rest}:
                return Carried(back, refused, rest.get("more"), rest.get("over"))
            case _:
                wrong = "the app answered a connection with something else"
                raise Malformed(wrong)

    def _call(self, method: int, payload: bytes) -> bytes:
        if self._app is None:
            message = "no application has been created here: `create` comes first"
            raise NotFound(message)
        return self._app.call(method, payload, asked=self._asked)

    def _asked(self, question: bytes) -> bytes:
        """Answer what the app asks of the ordinary side."""
        match cbor.decode(question):
            case {"ask": "create", "bundle": bytes() as bundle}:
                return encode_answer(self.create(bundle))
            case {"ask": "destroy", "enclave": bytes() as enclave}:
                return encode_answer(self.destroy(enclave))
            case {"ask": "evidence", "nonce": bytes() as nonce}:
                platform = self._isolation.evidence(nonce)
                kind = self._isolation.status().kind
                return encode_answer(Evidence(kind, platform, b"").to_bytes())
            case {
                "ask": "store",
                "verb": verb,
                "namespace": str() as namespace,
                "names": list() as names,
                "data": bytes() as data,
            } if self._stores:
                store = self._stores(_plain(namespace))
                return answer_store(store, verb, names, data)
            case {"ask": "relay", "enclave": bytes() as peer, "message": dict() as m}:
                return self._relay(peer, m)
            case _:
                message = "the app asked what the ordinary side does not answer"
                raise NotFound(message)

    def _relay(self, peer: bytes, message: dict[str, object]) -> bytes:
        """Pass a message of one enclave on to another, unread (7.1b)."""
        found = self._enclaves.get(peer)
        if found is None:
            wrong = f"no application {peer.hex()[:16]} was created here"
            raise NotFound(wrong)
        method = NUMBERS["open_channel"] if "hello" in message else CONVERSE
        return found.call(method, encode_call(message), asked=self._asked)

    def close(self) -> None:
        """Destroy every application that was created here; never raises."""
        for enclave in self._enclaves.values():
            enclave.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _plain(namespace: str) -> str:
    """Return a namespace that an app names, if it can lead nowhere but into itself.

    Raises:
        Malformed: it could be read as a path.
    """
    if not _NAMESPACE.fullmatch(namespace):
        message = "a namespace is named without /, \\ and leading dots"
        raise Malformed(message)
    return namespace
