# SPDX-License-Identifier: Apache-2.0
"""The fifteen functions as an app in an enclave has them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from strongroom.application.sdk.calls import decode_answer
from strongroom.application.sdk.host_store import HostStore
from strongroom.application.sdk.interface import Policy
from strongroom.application.sdk.peers import LocalPeers, Relay
from strongroom.application.sdk.remote import RemoteServices
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import VerifiedBundle
from strongroom.core.codec.keys import PublicKey
from strongroom.core.rats import (
    AppraisalPolicy,
    Endorsements,
    Evidence,
    ServiceGate,
    Trust,
    not_checked_bytes,
)
from strongroom.errors import Malformed, Refused, Untrusted
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.services.channel import ChannelAgent, ChannelService
from strongroom.services.operations import KeyRing
from strongroom.services.operations.keyring import HANDLE_BYTES
from strongroom.services.sealing import Sealer
from strongroom.services.storage import Place, Storage

if TYPE_CHECKING:
    from strongroom.application.sdk.tls_end import TlsEnd
    from strongroom.services.channel.ra_tls.connection import Endpoint

_OWNER = "app"
_ANY_USER_DATA = "the caller of verify_report compares it"


class InsideServices:
    """Implements `Services` for the app of one enclave.

    Attributes:
        keys: made in here, by handle; they end with the enclave unless the app seals
            `keys.export()`.
        channels: those that clients have opened with this app.

    What needs the ordinary side (other enclaves, the platform's evidence, a place to
    keep ciphertext) is asked of whoever called; nothing that it answers is trusted.
    """

    def __init__(self, gate: ServiceGate, bundle: VerifiedBundle) -> None:
        self._gate, self._bundle = gate, bundle
        self._sealer = Sealer(gate, bundle)
        self.keys = KeyRing(bundle.manifest.suite, gate.random)
        self._open: dict[str, Storage] = {}
        self._peers = LocalPeers(gate, bundle)
        self._tls: TlsEnd | None = None
        self.channels = ChannelService(
            bundle.manifest.suite, gate.random, self.report, self._peers.admit
        )

    def create(self, bundle: bytes) -> bytes:
        """Have the caller create an application of `bundle`; return its id (IF-1).

        Attest it before it is told anything: the id is the ordinary side's word.
        """
        return self._ask_bytes({"ask": "create", "bundle": bundle})

    def destroy(self, enclave: bytes) -> bytes:
        """Have the caller destroy what it created; return the signed record (IF-2)."""
        return self._ask_bytes({"ask": "destroy", "enclave": enclave})

    def report(self, nonce: bytes, user_data: bytes = b"") -> bytes:
        """Return evidence of this app and its platform (IF-3)."""
        app = self._gate.report(nonce, user_data)
        return replace(self._platform(nonce), app=app).to_bytes()

    def verify_report(
        self, evidence: bytes, endorsements: bytes, policy: bytes, nonce: bytes
    ) -> dict[str, object]:
        """Verify evidence and appraise it (IF-4).

        Returns:
            `measurement`, `signer`, `enclave_id`, `user_data` of the app.

        Raises:
            Refused: with every finding.
        """
        now = self._gate.now()
        trusted = Trust(Endorsements.from_bytes(endorsements))
        shown = Evidence.from_bytes(evidence)
        platform, app = verify_evidence(shown, trusted, now=now)
        if app is None:
            message = "this evidence is of a platform alone"
            raise Malformed(message)
        wanted = AppraisalPolicy.from_bytes(policy)
        any_data = not_checked_bytes(_ANY_USER_DATA)
        appraise(platform, app, wanted, nonce=nonce, now=now, user_data=any_data)
        return {
            "measurement": app.measurement,
            "signer": app.signer,
            "enclave_id": app.enclave_id,
            "user_data": app.user_data,
        }

    def open_channel(self, hello: bytes) -> bytes:
        """Answer a client's hello with a key that the evidence binds (IF-5)."""
        return self.channels.offer(hello)

    def tls_server(self) -> "Endpoint":
        """Return this app's end of RA-TLS: its key, its evidence (IF-5).

        Raises:
            Misconfigured: the extra `tls` is not installed.
        """
        if self._tls is None:
            from strongroom.application.sdk.tls_end import TlsEnd  # noqa: PLC0415 - an extra

            manifest = self._bundle.manifest
            self._tls = TlsEnd(self._gate, manifest, self._platform, self._peers)
        return self._tls.endpoint()

    def store(self, namespace: str, block: str, data: bytes) -> None:
        """Store a block; it is durable on return (IF-6)."""
        self.storage(namespace).write(block, data)

    def load(self, namespace: str, block: str) -> bytes:
        """Return the newest content of a block (IF-7)."""
        return self.storage(namespace).read(block)

    def connect(self, enclave: bytes) -> RemoteServices:
        """Open a channel to another enclave of this device (ISO-2).

        Both prove what they are to each other, by the word of their one monitor; the
        ordinary side carries ciphertext. `close` ends it.

        Raises:
            Refused: `resource.peer`, one of the two does not declare the other.
            Untrusted: another device, or not that enclave.
        """

        def verify(evidence: bytes, nonce: bytes, user_data: bytes) -> None:
            self._peers.check(evidence, enclave, (nonce, user_data))

        manifest = self._bundle.manifest
        agent = ChannelAgent(
            manifest.suite, self._gate.random, verify, self._peers.prove
        )
        return RemoteServices(agent, Relay(self._gate, enclave))

    def storage(self, namespace: str) -> Storage:
        """Return a namespace of the manifest, for transactions of many blocks.

        Raises:
            Refused: `resource.storage`, the manifest does not declare it (RES-1).
            Stale: `storage.rollback`.
        """
        declared = self._bundle.manifest.storage
        if namespace not in declared:
            raise Refused.because(
                "resource.storage",
                f"the app {self._bundle.manifest.name}",
                expected=f"a declared namespace: {', '.join(declared) or 'none'}",
                got=namespace,
                remedy="Name it under `storage` in strongroom.toml, and build anew.",
            )
        if namespace not in self._open:
            manifest = self._bundle.manifest
            app = self._bundle.measurement.hex()
            place = Place.from_value(
                {
                    "type": Place.TYPE,
                    "suite": manifest.suite,
                    "app": app,
                    "owner": _OWNER,
                    "namespace": namespace,
                }
            )
            with self._gate.sealing_key(f"storage/{namespace}") as key:
                self._open[namespace] = Storage.open(
                    HostStore(self._gate.ask_host, namespace),
                    self._gate,
                    key,
                    place,
                    create=True,
                    random=self._gate.random,
                )
        return self._open[namespace]

    def random(self, n: int) -> bytes:
        """Return `n` random bytes of the device (IF-8)."""
        return self._gate.random(n)

    def generate_key(self, algorithm: str, purpose: str, label: str) -> bytes:
        """Make a key and return its handle (IF-9); see `KeyRing.generate`."""
        return self.keys.generate(algorithm, purpose, label)

    def encrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Encrypt under the newest version of a key (IF-10)."""
        return self.keys.encrypt(key, data, associated_data)

    def decrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Decrypt what `encrypt` gave (IF-11)."""
        return self.keys.decrypt(key, data, associated_data)

    def sign(self, key: bytes, message: bytes) -> bytes:
        """Sign with the newest version of a key (IF-12)."""
        return self.keys.sign(key, message)

    def verify_signature(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature is that of a handle's key, or of a `PublicKey` (IF-13).

        Args:
            key: a handle, or the bytes of a `core.codec.keys.PublicKey`, which is how
                a signer from elsewhere is named.
            message: what was signed.
            signature: as its scheme has it.
        """
        if len(key) == HANDLE_BYTES:
            return self.keys.holds(key, message, signature)
        try:
            PublicKey.from_bytes(key).verifying().verify(signature, message)
        except Untrusted:
            return False
        return True

    def seal(
        self, data: bytes, policy: Policy = "measurement", associated_data: bytes = b""
    ) -> bytes:
        """Return data that only this app opens again (IF-14); see `Sealer.seal`."""
        return self._sealer.seal(data, policy, associated_data)

    def unseal(
        self, sealed: bytes, associated_data: bytes = b"", approval: bytes = b""
    ) -> bytes:
        """Return the data that `seal` was given (IF-15); see `Sealer.unseal`."""
        return self._sealer.unseal(sealed, associated_data, approval)

    def _platform(self, nonce: bytes) -> Evidence:
        """Return evidence of the platform, as the ordinary side brings it."""
        answer = self._ask_bytes({"ask": "evidence", "nonce": nonce})
        return Evidence.from_bytes(answer)

    def _ask(self, question: dict[str, object], gives: type) -> object:
        return decode_answer(self._gate.ask_host(cbor.encode(question)), gives)

    def _ask_bytes(self, question: dict[str, object]) -> bytes:
        answer = self._ask(question, bytes)
        if not isinstance(answer, bytes):
            message = "the ordinary side answered no bytes"
            raise Malformed(message)
        return answer
