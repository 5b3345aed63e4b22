# SPDX-License-Identifier: Apache-2.0
"""The distrusted store, asked for over the gate: both ends of the questions (7.8 f)."""

from collections.abc import Callable, Iterable, Iterator

from strongroom.application.sdk.calls import decode_answer, encode_answer
from strongroom.core.codec import cbor
from strongroom.core.crypto import Buffer
from strongroom.core.rats.stores import BlockStore
from strongroom.errors import Malformed


class HostStore:
    """Implements `BlockStore` inside: whoever called keeps the objects."""

    def __init__(self, ask: Callable[[bytes], bytes], namespace: str) -> None:
        self._ask, self._namespace = ask, namespace

    def get(self, name: str) -> bytes | None:
        """Return the bytes under `name`, or None."""
        answer = self._question("get", [name])
        if answer is not None and not isinstance(answer, bytes):
            raise Malformed(_WRONG)
        return answer

    def put(self, name: str, data: Buffer) -> None:
        """Have `data` kept under `name`."""
        self._question("put", [name], bytes(data))

    def sync(self) -> None:
        """Return once everything that was put cannot be lost any more."""
        self._question("sync", [])

    def delete(self, names: Iterable[str]) -> None:
        """Have these names forgotten."""
        self._question("delete", list(names))

    def names(self, prefix: str) -> Iterator[str]:
        """Return the names that begin with `prefix`."""
        answer = self._question("names", [prefix])
        if not isinstance(answer, list) or any(type(n) is not str for n in answer):
            raise Malformed(_WRONG)
        return iter(answer)

    def _question(self, verb: str, names: list[str], data: bytes = b"") -> object:
        question = {
            "ask": "store",
            "verb": verb,
            "namespace": self._namespace,
            "names": names,
            "data": data,
        }
        return decode_answer(self._ask(cbor.encode(question)))


def answer_store(
    store: BlockStore, verb: object, names: list[object], data: bytes
) -> bytes:
    """Return the ordinary side's answer to one question.

    Raises:
        Malformed: no such question.
    """
    texts = [name for name in names if isinstance(name, str)]
    match verb, texts:
        case "get", [name]:
            return encode_answer(store.get(name))
        case "put", [name]:
            store.put(name, data)
        case "sync", []:
            store.sync()
        case "delete", _:
            store.delete(texts)
        case "names", [prefix]:
            return encode_answer(list(store.names(prefix)))
        case _:
            raise Malformed(_WRONG)
    return encode_answer(None)


_WRONG = "this is not a question to a store, or not its answer"
