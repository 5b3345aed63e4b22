# SPDX-License-Identifier: Apache-2.0
"""The fifteen functions as the ordinary side has them: through the gate (HW-4).

One of these stands for one app in its enclave. Creating and destroying are the
monitor's; everything else the app does, if its manifest offers it (7.7).
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from strongroom.application.sdk.calls import decode_answer, encode_answer, encode_call
from strongroom.application.sdk.interface import (
    FIRST_ENTRY,
    INTERFACES,
    NUMBERS,
    Policy,
)
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import Bundle
from strongroom.core.rats import Evidence
from strongroom.errors import Malformed, NotFound
from strongroom.services.isolation import Enclave, Isolation

Answers = Callable[[Mapping[str, object]], object]


class OutsideServices:
    """Implements `Services` over a monitor; a context manager that destroys.

    `create` comes first; the app that it starts answers the other functions.
    """

    def __init__(self, isolation: Isolation, launch_policy: bytes) -> None:
        """Begin without an application.

        Args:
            isolation: a connection to the monitor of this machine.
            launch_policy: says whose bundles may start.
        """
        self._isolation, self._launch_policy = isolation, launch_policy
        self._enclaves: dict[bytes, Enclave] = {}
        self._names: dict[str, int] = {}
        self._app: Enclave | None = None

    def create(self, bundle: bytes) -> bytes:
        """Create an application; return its id (IF-1). The first one answers calls."""
        enclave = self._isolation.create(bundle, self._launch_policy)
        self._enclaves[enclave.enclave_id] = enclave
        if self._app is None:
            self._app = enclave
            entries = Bundle.from_bytes(bundle).manifest.entry_points
            self._names = {each.name: at for at, each in enumerate(entries)}
        return enclave.enclave_id

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

    def report(self, nonce: bytes, user_data: bytes = b"") -> bytes:
        """Return evidence of the app and its platform (IF-3)."""
        return self._bytes("report", nonce=nonce, user_data=user_data)

    def verify_report(
        self, evidence: bytes, endorsements: bytes, policy: bytes, nonce: bytes
    ) -> dict[str, object]:
        """Have the app verify and appraise evidence of another (IF-4)."""
        answer = self._interface(
            "verify_report",
            evidence=evidence,
            endorsements=endorsements,
            policy=policy,
            nonce=nonce,
        )
        if not isinstance(answer, dict):
            message = "the app's answer is no verdict"
            raise Malformed(message)
        return answer

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
        return bool(
            self._interface(
                "verify_signature", key=key, message=message, signature=signature
            )
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
        at = self._names.get(entry)
        if at is None:
            message = f"the app has no entry point {entry}"
            raise NotFound(message)
        return decode_answer(self._call(FIRST_ENTRY + at, encode_call(values)))

    def _bytes(self, name: str, **arguments: object) -> bytes:
        answer = self._interface(name, **arguments)
        if not isinstance(answer, bytes):
            message = f"the app answered {name} with no bytes"
            raise Malformed(message)
        return answer

    def _interface(self, name: str, **arguments: object) -> object:
        number = NUMBERS[name]
        answer = self._call(number, encode_call(arguments))
        return decode_answer(answer, INTERFACES[number].gives)

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
            case _:
                message = "the app asked what the ordinary side does not answer"
                raise NotFound(message)

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
