# SPDX-License-Identifier: Apache-2.0
"""The functions that an app answers, as its callers have them: typed, one a method."""

from abc import ABC, abstractmethod
from typing import TypeVar

from strongroom.application.sdk.calls import (
    decode_answer,
    decode_answer_as,
    encode_call,
)
from strongroom.application.sdk.interface import (
    ENTRIES,
    FIRST_ENTRY,
    NUMBERS,
    Policy,
    Subject,
)
from strongroom.errors import Malformed, NotFound

T = TypeVar("T")


class CallingServices(ABC):
    """`Services` by calls to one app, whichever way they take."""

    def __init__(self) -> None:
        self._names: dict[str, int] | None = None

    @abstractmethod
    def _call(self, method: int, payload: bytes) -> bytes: ...

    def report(
        self, nonce: bytes, user_data: bytes = b"", subject: Subject = "app"
    ) -> bytes:
        """Return evidence of the app and its platform, or of that alone (IF-3)."""
        return self._bytes("report", nonce=nonce, user_data=user_data, subject=subject)

    def verify_report(
        self, evidence: bytes, endorsements: bytes, policy: bytes, nonce: bytes
    ) -> dict[str, object]:
        """Have the app verify and appraise evidence of another (IF-4)."""
        return self._interface(
            "verify_report",
            dict,
            evidence=evidence,
            endorsements=endorsements,
            policy=policy,
            nonce=nonce,
        )

    def open_channel(self, hello: bytes) -> bytes:
        """Pass a client's hello on and return the app's offer (IF-5)."""
        return self._bytes("open_channel", hello=hello)

    def store(self, namespace: str, block: str, data: bytes) -> None:
        """Have the app store a block durably (IF-6)."""
        self._interface(
            "store", type(None), namespace=namespace, block=block, data=data
        )

    def load(self, namespace: str, block: str) -> bytes:
        """Have the app read a block (IF-7)."""
        return self._bytes("load", namespace=namespace, block=block)

    def random(self, n: int) -> bytes:
        """Return `n` random bytes of the device (IF-8)."""
        return self._bytes("random", n=n)

    def generate_key(self, algorithm: str, purpose: str, label: str) -> bytes:
        """Have the app make a key; return its handle (IF-9)."""
        return self._bytes(
            "generate_key", algorithm=algorithm, purpose=purpose, label=label
        )

    def encrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Have the app encrypt (IF-10)."""
        return self._bytes(
            "encrypt", key=key, data=data, associated_data=associated_data
        )

    def decrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Have the app decrypt what it encrypted (IF-11)."""
        return self._bytes(
            "decrypt", key=key, data=data, associated_data=associated_data
        )

    def sign(self, key: bytes, message: bytes) -> bytes:
        """Have the app sign (IF-12)."""
        return self._bytes("sign", key=key, message=message)

    def verify_signature(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Have the app say whether a signature holds (IF-13)."""
        return self._interface(
            "verify_signature", bool, key=key, message=message, signature=signature
        )

    def seal(
        self, data: bytes, policy: Policy = "measurement", associated_data: bytes = b""
    ) -> bytes:
        """Have the app bind data to what it is (IF-14)."""
        return self._bytes(
            "seal", data=data, policy=policy, associated_data=associated_data
        )

    def unseal(
        self, sealed: bytes, associated_data: bytes = b"", approval: bytes = b""
    ) -> bytes:
        """Have the app open sealed data and hand it out, if it offers that (IF-15)."""
        return self._bytes(
            "unseal", sealed=sealed, associated_data=associated_data, approval=approval
        )

    def call(self, entry: str, **values: object) -> object:
        """Call an entry point of the app by name.

        Raises:
            NotFound: it has none of that name.
        """
        if self._names is None:
            self._names = self._entries()
        at = self._names.get(entry)
        if at is None:
            message = f"the app has no entry point {entry}"
            raise NotFound(message)
        return decode_answer(self._call(FIRST_ENTRY + at, encode_call(values)))

    def _entries(self) -> dict[str, int]:
        names = decode_answer_as(self._call(ENTRIES, b""), list)
        if any(type(each) is not str for each in names):
            message = "the app's entry points have no names"
            raise Malformed(message)
        return {name: at for at, name in enumerate(names)}

    def _bytes(self, name: str, **arguments: object) -> bytes:
        return self._interface(name, bytes, **arguments)

    def _interface(self, name: str, gives: type[T], **arguments: object) -> T:
        answer = self._call(NUMBERS[name], encode_call(arguments))
        return decode_answer_as(answer, gives)
