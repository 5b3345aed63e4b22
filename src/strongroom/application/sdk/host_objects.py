# SPDX-License-Identifier: Apache-2.0
"""The untrusted store, asked for over the gate: both ends of the questions (7.8 f)."""

from collections.abc import Callable

from strongroom.application.sdk.calls import decode_answer, encode_answer
from strongroom.core.codec import cbor
from strongroom.core.rats.stores import ObjectStore
from strongroom.errors import Malformed


class HostObjects:
    """Implements `ObjectStore` inside: whoever called keeps the objects."""

    def __init__(self, ask: Callable[[bytes], bytes], namespace: str) -> None:
        self._ask, self._namespace = ask, namespace

    def get(self, name: str) -> bytes | None:
        """Return an object, or None."""
        answer = self._question("get", name)
        if answer is not None and not isinstance(answer, bytes):
            raise Malformed(_WRONG)
        return answer

    def put(self, name: str, data: bytes) -> None:
        """Have an object kept durably."""
        self._question("put", name, data)

    def delete(self, name: str) -> None:
        """Have an object forgotten."""
        self._question("delete", name)

    def names(self) -> tuple[str, ...]:
        """Return the names of all objects."""
        answer = self._question("names")
        if not isinstance(answer, list) or any(type(n) is not str for n in answer):
            raise Malformed(_WRONG)
        return tuple(answer)

    def _question(self, verb: str, name: str = "", data: bytes = b"") -> object:
        question = {
            "ask": "objects",
            "verb": verb,
            "namespace": self._namespace,
            "name": name,
            "data": data,
        }
        return decode_answer(self._ask(cbor.encode(question)))


def answer_objects(store: ObjectStore, verb: object, name: str, data: bytes) -> bytes:
    """Return the ordinary side's answer to one question.

    Raises:
        Malformed: no such question.
    """
    match verb:
        case "get":
            return encode_answer(store.get(name))
        case "put":
            store.put(name, data)
            return encode_answer(None)
        case "delete":
            store.delete(name)
            return encode_answer(None)
        case "names":
            return encode_answer(list(store.names()))
        case _:
            raise Malformed(_WRONG)


_WRONG = "this is not a question to a store, or not its answer"
