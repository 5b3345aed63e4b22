# SPDX-License-Identifier: Apache-2.0
"""A task enclave: attest, receive the keys, open, run, seal, sign (DESIGN 3, 5 to 6).

One enclave runs one attempt. KEYS makes a signing and a key-agreement key and has
the monitor attest them; RUN opens the release that the broker sealed to them.
"""

from collections.abc import Callable
from typing import ClassVar

from strongroom.application.cleanroom import EnclaveKeys, Receipt, Release
from strongroom.application.cleanroom.task import (
    RELEASE_INFO,
    RESULT_KEY_INFO,
    TaskMethod,
)
from strongroom.application.runtime.inputs import open_inputs, seal_output
from strongroom.application.runtime.output import check_output
from strongroom.application.runtime.values import check_values
from strongroom.application.runtime.worker import Worker
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import EntryPoint, VerifiedBundle
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import KemKey, SigningKey, suite
from strongroom.core.rats import Call, EnclaveGate
from strongroom.errors import Conflict, Malformed, Refused, StrongroomError, Unavailable


class TaskEnclave:
    """Serves the two methods of a task enclave over its gate."""

    def __init__(
        self, gate: EnclaveGate, bundle: VerifiedBundle, worker: Worker
    ) -> None:
        self._gate = gate
        self._bundle = bundle
        self._worker = worker
        self._suite = suite(bundle.manifest.suite)
        self._keys: EnclaveKeys | None = None
        self._signing: SigningKey
        self._kem: KemKey

    def serve(self) -> None:
        """Answer calls until the gate closes."""
        while (call := self._gate.receive()) is not None:
            try:
                method = self._METHODS.get(call.method)
                if method is None:
                    message = f"a task enclave has no method {call.method}"
                    raise Malformed(message)
                self._gate.reply(cbor.encode(method(self, call)))
            except StrongroomError as error:
                self._gate.fail(error)
            except MemoryError:
                self._gate.fail(Unavailable("the enclave has no memory left"))

    def make_keys(self, call: Call) -> dict[str, object]:
        """Method 1: make this attempt's keys and have them attested."""
        match cbor.decode(call.payload):
            case {
                "task": str() as task,
                "attempt": int() as attempt,
                "challenge": bytes() as nonce,
            }:
                pass
            case _:
                message = "KEYS takes task, attempt and challenge"
                raise Malformed(message)
        if self._keys is not None:
            message = "this enclave already has its keys; one enclave, one attempt"
            raise Conflict(message)
        self._signing = self._suite.signing_key(
            self._gate.random(self._suite.sign_seed_bytes)
        )
        self._kem = self._suite.kem_key(self._gate.random(self._suite.kem_seed_bytes))
        self._keys = EnclaveKeys(
            task=task,
            attempt=attempt,
            sign=self._signing.public.raw,
            kem=self._kem.public.raw,
        )
        keys = self._keys.to_bytes()
        report = self._gate.report(nonce, self._suite.digest(keys))
        return {"keys": keys, "app": report}

    def run(self, call: Call) -> dict[str, object]:
        """Method 2: run the attempt.

        1. Open the release with the attested key and check it is for this attempt.
        2. Open the code and the inputs, each against what the release names.
        3. Run the app in the worker, which holds no key.
        4. Hold the result against the output rule.
        5. Seal the result to the recipient, sign the receipt.
        """
        match cbor.decode(call.payload):
            case {"box": bytes() as box}:
                pass
            case _:
                message = "RUN takes the broker's box"
                raise Malformed(message)
        started = self._gate.now()
        release = self._open_release(box)
        entry = self._entry_point(release)
        values = check_values(entry.parameters, cbor.decode(release.values))
        files = self._bundle.files(release.code_key or None)
        *data_fds, output_fd = call.fds or (-1,)
        rows, inputs = open_inputs(
            release, entry, tuple(data_fds), self._bundle.manifest.memory_bytes
        )
        job: dict[str, object] = {
            "files": files,
            "function": entry.function,
            "inputs": rows,
            "values": values,
        }
        try:
            kind, memory = self._worker.run(job, inputs)
        finally:
            for item in inputs:
                item.close()
        with memory.map() as view:
            output = check_output(
                kind, bytes(view), entry.output, release.entry_point.output
            )
        memory.close()
        sealed = seal_output(output, release, output_fd, self._gate)
        info = RESULT_KEY_INFO + release.task.encode()
        receipt = Receipt(
            suite=self._suite.id,
            task=release.task,
            attempt=release.attempt,
            agreement=release.agreement,
            room=release.room,
            app=release.app,
            entry_point=entry.name,
            inputs=tuple(item.dataset for item in release.inputs),
            values=self._suite.mac(release.nonce, release.values),
            recipient=release.recipient.id,
            result=sealed.dataset,
            result_length=sealed.length,
            result_key=release.recipient.recipient.seal(sealed.key, info),
            started_at=started,
            finished_at=self._gate.now(),
        )
        return {"receipt": sign_record(self._signing, receipt)}

    def _open_release(self, box: bytes) -> Release:
        if self._keys is None:
            message = "RUN comes after KEYS"
            raise Conflict(message)
        release = Release.from_bytes(self._kem.open(box, RELEASE_INFO))
        expected = (self._keys.task, self._keys.attempt, self._bundle.measurement.hex())
        if (release.task, release.attempt, release.app) != expected:
            raise Refused.because(
                "release.attempt",
                "task enclave",
                expected="a release for this task, attempt and app",
                got="a release for another",
                remedy="The node mixed up attempts; it must take a new ticket.",
            )
        return release

    def _entry_point(self, release: Release) -> EntryPoint:
        entry = self._bundle.manifest.entry_point(release.entry_point.name)
        if entry is None:
            message = f"the app has no entry point {release.entry_point.name}"
            raise Malformed(message)
        return entry

    _METHODS: ClassVar[
        dict[int, Callable[["TaskEnclave", Call], dict[str, object]]]
    ] = {
        TaskMethod.KEYS: make_keys,
        TaskMethod.RUN: run,
    }
