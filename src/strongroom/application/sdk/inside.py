# SPDX-License-Identifier: Apache-2.0
"""The fifteen functions as an app in an enclave has them."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from strongroom.application.sdk import app_keys
from strongroom.application.sdk.calls import decode_answer_as
from strongroom.application.sdk.host_store import HostStore
from strongroom.application.sdk.interface import Policy, Subject
from strongroom.application.sdk.peers import LocalPeers, Relay
from strongroom.application.sdk.remote import RemoteServices
from strongroom.application.sdk.tally import Tally, tallied
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import VerifiedBundle
from strongroom.core.codec.permits import allows_namespace
from strongroom.core.rats import (
    AppraisalPolicy,
    Endorsements,
    Evidence,
    ServiceGate,
    Trust,
    not_checked_bytes,
)
from strongroom.errors import Malformed, NotFound
from strongroom.services import crypto
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.services.channel import ChannelAgent, ChannelService
from strongroom.services.sealing import Sealer
from strongroom.services.storage import Place, ProtectedFiles, Storage, refusals

if TYPE_CHECKING:
    from strongroom.application.sdk.tls_end import TlsEnd
    from strongroom.services.channel.ra_tls.connection import Endpoint
    from strongroom.services.storage.filesystem import ProtectedFileSystem

_OWNER = "app"
_ANY_USER_DATA = "the caller of verify_report compares it"


class InsideServices:
    """Implements `Services` for the app of one enclave.

    Attributes:
        channels: those that clients have opened with this app.
        tally: which functions were used since the log was told.

    What needs the ordinary side (other enclaves, the platform's evidence, a place to
    keep ciphertext) is asked of whoever called; nothing that it answers is trusted.
    """

    def __init__(self, gate: ServiceGate, bundle: VerifiedBundle) -> None:
        self._gate, self._bundle = gate, bundle
        self.tally = Tally()
        self._sealer = Sealer(gate, bundle)
        self._opening = threading.Lock()
        self._open: dict[str, Storage] = {}
        self._keys: crypto.KeyRing | None = None
        self._peers = LocalPeers(gate, bundle)
        self._tls: TlsEnd | None = None
        self.channels = ChannelService(
            bundle.manifest.suite, gate.random, self.report, self._peers.admit
        )

    @tallied
    def create(self, bundle: bytes) -> bytes:
        """Have the caller create an application of `bundle`; return its id (IF-1).

        Attest it before it is told anything: the id is the ordinary side's word.
        """
        return self._ask({"ask": "create", "bundle": bundle})

    @tallied
    def destroy(self, enclave: bytes) -> bytes:
        """Have the caller destroy what it created; return the signed record (IF-2)."""
        return self._ask({"ask": "destroy", "enclave": enclave})

    @tallied
    def report(
        self, nonce: bytes, user_data: bytes = b"", subject: Subject = "app"
    ) -> bytes:
        """Return evidence of this app and its platform, or of that alone (IF-3).

        Raises:
            Malformed: another subject, or user data of a platform.
        """
        if subject not in get_args(Subject) or (subject != "app" and user_data):
            message = "a report is of the app, or of the platform without user data"
            raise Malformed(message)
        app = self._gate.report(nonce, user_data) if subject == "app" else b""
        return replace(self._platform(nonce), app=app).to_bytes()

    @tallied
    def verify_report(
        self, evidence: bytes, endorsements: bytes, policy: bytes, nonce: bytes
    ) -> dict[str, object]:
        """Verify evidence and appraise it (IF-4).

        Returns:
            `kind` and `device_id` of the platform, and `measurement`, `signer`,
            `enclave_id`, `user_data` of the app; without an app the former alone.

        Raises:
            Refused: with every finding; `app.evidence`, the policy names apps and
                the evidence is of a platform alone, `app.measurement`, the reverse.
        """
        now = self._gate.now()
        trusted = Trust(Endorsements.from_bytes(endorsements))
        shown = Evidence.from_bytes(evidence)
        platform, app = verify_evidence(shown, trusted, now=now)
        wanted = AppraisalPolicy.from_bytes(policy)
        any_data = None if app is None else not_checked_bytes(_ANY_USER_DATA)
        appraise(platform, app, wanted, nonce=nonce, now=now, user_data=any_data)
        found: dict[str, object] = {
            "kind": platform.kind,
            "device_id": platform.device_id,
        }
        if app is None:
            return found
        return found | {
            "measurement": app.measurement,
            "signer": app.signer,
            "enclave_id": app.enclave_id,
            "user_data": app.user_data,
        }

    @tallied
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

    @tallied
    def store(self, namespace: str, block: str, data: bytes) -> None:
        """Store a block; it is durable on return (IF-6)."""
        self._namespace(namespace).write(block, data)

    @tallied
    def load(self, namespace: str, block: str) -> bytes:
        """Return the newest content of a block (IF-7)."""
        return self._namespace(namespace).read(block)

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
        with self.tally.refusals("open_channel"):
            return RemoteServices(agent, Relay(self._gate, enclave))

    def storage(self, namespace: str) -> Storage:
        """Return a namespace of the manifest, for transactions of many blocks.

        Raises:
            Refused: `resource.storage`, the manifest does not declare it (RES-1);
                `storage.boot`, the app wrote it on other software.
            Stale: `storage.rollback`.
        """
        with self.tally.refusals("load"):
            return self._namespace(namespace)

    def _namespace(self, namespace: str) -> Storage:
        allows_namespace(self._bundle.manifest, namespace)
        with self._opening:
            if namespace not in self._open:
                self._open[namespace] = self._storage(namespace, _OWNER)
            return self._open[namespace]

    def _storage(self, namespace: str, owner: str) -> Storage:
        place = Place.from_value(
            {
                "type": Place.TYPE,
                "suite": self._bundle.manifest.suite,
                "app": self._bundle.measurement.hex(),
                "owner": owner,
                "namespace": namespace,
            }
        )
        made = f"{owner}/{namespace}"
        is_made = self._gate.counter(made) > 0  # by any boot: keys are of one
        with self._gate.sealing_key(f"storage/{namespace}") as key:
            try:
                opened = Storage.open(
                    HostStore(self._gate.ask_host, namespace),
                    self._gate,
                    key,
                    place,
                    create=not is_made,
                )
            except NotFound as error:
                raise refusals.other_boot(namespace) from error
        if not is_made:
            self._gate.increment(made)
        return opened

    @property
    def keys(self) -> crypto.KeyRing:
        """The app's keys, made in here, by handle; see `strongroom.services.crypto`.

        They end with the enclave unless the manifest has a namespace `keys`. What a
        ring takes besides the algorithms of its suite is the app's to say, in code
        that is measured: `services.keys.policy = crypto.Policy(...)`.
        """
        with self._opening:
            if self._keys is None:
                self._keys = self._open_keys()
            return self._keys

    def _open_keys(self) -> crypto.KeyRing:
        manifest = self._bundle.manifest
        kept = app_keys.NAMESPACE in manifest.storage
        place = self._storage(app_keys.NAMESPACE, app_keys.OWNER) if kept else None
        return app_keys.open_keys(self._gate, manifest.suite, place)

    def files(self, namespace: str) -> ProtectedFiles:
        """Return the files of a namespace, blocks of the same storage (STOR).

        Raises:
            Refused: as `storage`.
        """
        return ProtectedFiles(self.storage(namespace))

    def file_system(self, namespace: str) -> "ProtectedFileSystem":
        """Return the files of a namespace as DuckDB and Arrow take them (fsspec).

            duckdb.register_filesystem(services.file_system("ledger"))
            duckdb.sql("SELECT * FROM 'protected://cohort.parquet'")

        Raises:
            Refused: as `storage`.
        """
        from strongroom.services.storage.filesystem import (  # noqa: PLC0415 - fsspec
            ProtectedFileSystem,
        )

        return ProtectedFileSystem(self.files(namespace))

    @tallied
    def random(self, n: int) -> bytes:
        """Return `n` random bytes of the device (IF-8)."""
        return self._gate.random(n)

    @tallied
    def generate_key(self, algorithm: str, purpose: str, label: str) -> bytes:
        """Make a key and return its handle (IF-9); see `KeyRing.generate`."""
        return self.keys.generate(crypto.as_purpose(purpose), algorithm, label)

    @tallied
    def encrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Encrypt under the newest version of a key (IF-10)."""
        return crypto.encrypt(self.keys, key, data, associated_data)

    @tallied
    def decrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Decrypt what `encrypt` gave (IF-11)."""
        return crypto.decrypt(self.keys, key, data, associated_data)

    @tallied
    def sign(self, key: bytes, message: bytes) -> bytes:
        """Return a `Signature`, or a `Tag` of a key for MACs (IF-12)."""
        if self.keys.info(key).spec.purpose == "mac":
            return crypto.mac(self.keys, key, message)
        return crypto.sign(self.keys, key, message)

    @tallied
    def verify_signature(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature is that of a handle's key, or of a `PublicKey` (IF-13).

        Args:
            key: a handle; or a signer from elsewhere, as the bytes of a public key
                of `services.crypto` or, of a party, of `core.codec.keys`.
            message: what was signed.
            signature: what `sign` gave; of a signer from elsewhere, also as its
                scheme has it.

        Raises:
            Refused: `crypto.algorithm`, the ring allows none of that signer's.
        """
        by = key if len(key) == crypto.HANDLE_BYTES else app_keys.public_key(key)
        return crypto.holds(self.keys, by, message, signature)

    @tallied
    def seal(
        self, data: bytes, policy: Policy = "measurement", associated_data: bytes = b""
    ) -> bytes:
        """Return data that only this app opens again (IF-14); see `Sealer.seal`."""
        return self._sealer.seal(data, policy, associated_data)

    @tallied
    def unseal(
        self, sealed: bytes, associated_data: bytes = b"", approval: bytes = b""
    ) -> bytes:
        """Return the data that `seal` was given (IF-15); see `Sealer.unseal`."""
        return self._sealer.unseal(sealed, associated_data, approval)

    def _platform(self, nonce: bytes) -> Evidence:
        """Return evidence of the platform, as the ordinary side brings it."""
        return Evidence.from_bytes(self._ask({"ask": "evidence", "nonce": nonce}))

    def _ask(self, question: dict[str, object]) -> bytes:
        return decode_answer_as(self._gate.ask_host(cbor.encode(question)), bytes)
