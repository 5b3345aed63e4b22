# SPDX-License-Identifier: Apache-2.0
"""Enclaves of one device that attest one another and talk (ISO-2, 7.1b).

Both stand under one monitor, which tells each of them its key over the gate: evidence
that this key signed is of an enclave on the same device and boot. Whom an app talks
to is in its manifest (`peers`, RES-1): a measurement in hex, a product of its own
signer by name, or one of another signer as NAME@SIGNER.
"""

from dataclasses import dataclass

from strongroom.application.sdk.calls import decode_answer_as
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import VerifiedBundle
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.permits import Caller, allows_peer, products_of
from strongroom.core.crypto import VerifyingKey, constant_time_equal
from strongroom.core.rats import AppClaims, Evidence, ServiceGate
from strongroom.errors import Refused, Untrusted
from strongroom.services.channel.handshake import BOUND_BYTES
from strongroom.services.channel.who import anyone, introduced, is_introduction
from strongroom.system.monitor.report import verify_app_evidence


@dataclass(frozen=True)
class _OwnMonitor:
    monitor_key: VerifyingKey
    suite_id: str


class LocalPeers:
    """What one app knows of the others on its device."""

    def __init__(self, gate: ServiceGate, bundle: VerifiedBundle) -> None:
        self._gate, self._manifest = gate, bundle.manifest

    def prove(self, nonce: bytes, heard: bytes) -> bytes:
        """Return the monitor's word that this app took part in a handshake."""
        return self._gate.report(nonce, heard[:BOUND_BYTES])

    def admit(self, proof: bytes, nonce: bytes, heard: bytes) -> Caller:
        """Return who opened a channel: a party, an enclave, or anyone without proof.

        Raises:
            Untrusted: a signature or evidence that does not hold, or is of another
                handshake, device or boot.
            Refused: `resource.peer`.
        """
        if not proof:
            return anyone(proof, nonce, heard)
        if is_introduction(proof):
            return introduced(proof, heard)
        found = self._judge(proof, nonce, heard[:BOUND_BYTES])
        return Caller("app", found.measurement, self._products(found))

    def check(
        self, evidence: bytes, enclave: bytes, bound: tuple[bytes, bytes]
    ) -> None:
        """Refuse evidence that is not of `enclave`, or of nobody this app may talk to.

        Args:
            evidence: of both layers; the platform's is not needed on one device.
            enclave: the id of the one that is wanted.
            bound: the nonce and the user data that it must hold.

        Raises:
            Untrusted: as `admit`, or another enclave.
            Refused: `resource.peer`.
        """
        found = self._judge(Evidence.from_bytes(evidence).app, *bound)
        if found.enclave_id != enclave:
            wanted = f"enclave {enclave.hex()[:16]}"
            raise _untrusted(wanted, f"enclave {found.enclave_id.hex()[:16]}")

    def _judge(self, app: bytes, nonce: bytes, user_data: bytes) -> AppClaims:
        names = self._gate.platform()
        key = PublicKey.from_bytes(names.monitor_key).verifying()
        monitor = _OwnMonitor(key, self._manifest.suite)
        claims = verify_app_evidence(app, monitor, self._gate.now())
        whole = claims.nonce == nonce and constant_time_equal(
            claims.user_data, user_data
        )
        if not whole:
            raise _untrusted("evidence of this handshake", "evidence of another")
        allows_peer(self._manifest, claims.measurement, self._products(claims))
        return claims

    def _products(self, found: AppClaims) -> tuple[str, ...]:
        own_signer = self._gate.platform().signer
        return products_of(found.product, found.signer, own_signer)


class Relay:
    """Carries a channel's messages to another enclave by way of the ordinary side."""

    def __init__(self, gate: ServiceGate, enclave: bytes) -> None:
        self._gate, self._enclave = gate, enclave

    def open_channel(self, hello: bytes) -> bytes:
        """Return the peer's offer."""
        return self._ask({"hello": hello})

    def converse(self, session: bytes, **message: bytes) -> bytes:
        """Pass on `finish=` or `record=`; return the answer."""
        return self._ask({"session": session, **message})

    def _ask(self, message: dict[str, object]) -> bytes:
        question = {"ask": "relay", "enclave": self._enclave, "message": message}
        return decode_answer_as(self._gate.ask_host(cbor.encode(question)), bytes)


def _untrusted(expected: str, got: str) -> Refused:
    return Untrusted.because(
        "peer.evidence",
        "the app",
        expected=expected,
        got=got,
        remedy="Both enclaves run on one device, and nobody between may swap them.",
    )
