# SPDX-License-Identifier: Apache-2.0
"""RA-TLS without a socket: TLS 1.3, then evidence about this connection, then bytes.

After the handshake each end sends one frame, `u32 length | evidence`, whose report
answers and binds a value that only the two ends of this TLS connection can export
(RFC 8446 section 7.5; the pattern of RFC 9261). No byte of the application passes
before the peer's frame was accepted. In `strongroom-ra-tls/2`, which a client offers
whose policy spares a word (`max_evidence_age_s`), each end first says by one byte
whether it wants the other's.
"""

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from strongroom.core.codec.permits import ANYONE
from strongroom.core.crypto import suite
from strongroom.core.crypto.tls import (
    PROFILES,
    Profile,
    Setting,
    TlsConnection,
    TlsContext,
)
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Conflict, Malformed, StrongroomError, Tampered, Untrusted
from strongroom.services.channel.ra_tls.certificate import NONCE_BYTES, Shown
from strongroom.services.channel.ra_tls.peer import Anybody, Enclave, Introduced, Peer

if TYPE_CHECKING:
    from strongroom.services.channel.verifying import Verify

ALPN = "strongroom-ra-tls/1"
ASKED = "strongroom-ra-tls/2"
_OURS = (ASKED, ALPN)
HTTP = "http/1.1"
MAX_EVIDENCE_BYTES = 1 << 20
_LENGTH_BYTES = 4
_UNWANTED, _WANTED = 0, 1
_EXPORT_BYTES = 64
_EXPORT_LABEL = b"EXPORTER-strongroom-ra-tls-v1 "
_FRESH_LABEL = b"strongroom/ra-tls/v1 fresh "


class _Stage(Enum):
    HANDSHAKE = 1
    QUESTION = 2
    EVIDENCE = 3
    OPEN = 4
    OVER = 5


def fresh_binding(
    suite_id: str, role: str, exported: bytes, spki: bytes
) -> tuple[bytes, bytes]:
    """Return the nonce and user data that evidence of the end `role` has.

    Args:
        suite_id: of the room.
        role: "client" or "server", whoever shows the evidence.
        exported: 64 bytes that TLS exports for this role.
        spki: of the certificate that the end has shown.
    """
    row = suite(suite_id)
    said = b"".join((_FRESH_LABEL, role.encode(), b" ", exported, spki))
    user_data = row.digest(said)
    return exported[:NONCE_BYTES], user_data


class Endpoint:
    """One end of RA-TLS; makes connections. Made by the functions below."""

    def __init__(
        self, setting: Setting, shown: Shown | None, peer: Peer | Anybody | Introduced
    ) -> None:
        self.setting, self.shown, self.peer = setting, shown, peer
        self._context = TlsContext(setting, shown.credential if shown else None)

    def connection(self) -> "RaTlsConnection":
        """Return a new connection."""
        return RaTlsConnection(self, self._context.connection())


def client_end(suite_id: str, shown: Shown | None, peer: Peer) -> Endpoint:
    """Return a client: it verifies the server, always.

    Args:
        suite_id: of the room.
        shown: what the client is known by; None towards a server for anybody.
        peer: what the server has to be.

    Raises:
        Malformed: no such suite.
        Misconfigured: as `TlsContext`.
    """
    spares = isinstance(peer, Enclave) and peer.max_evidence_age_s > 0
    alpn = _OURS if spares else (ALPN,)
    setting = Setting(_profile(suite_id), is_server=False, alpn=alpn)
    return Endpoint(setting, shown, peer)


def server_end(
    suite_id: str,
    shown: Shown,
    peer: Peer | Anybody,
    plain_groups: tuple[str, ...] = (),
) -> Endpoint:
    """Return a server.

    Args:
        suite_id: of the room.
        shown: the server's certificate, and what makes its fresh evidence.
        peer: what clients have to be. `Anybody` lets plain TLS clients in too, who
            verify nothing but what they choose to.
        plain_groups: groups that such plain clients alone may use beside the
            suite's, as "X25519".

    Raises:
        Malformed: no such suite, or `plain_groups` where no plain client comes in.
        Misconfigured: as `TlsContext`.
    """
    profile = _profile(suite_id)
    if not isinstance(peer, Anybody):
        if plain_groups:
            message = "plain clients come in only where anybody does"
            raise Malformed(message)
        return Endpoint(Setting(profile, is_server=True, alpn=_OURS), shown, peer)
    setting = Setting(
        profile.also(*plain_groups), is_server=True, alpn=(*_OURS, HTTP, ""), ask=False
    )
    return Endpoint(setting, shown, peer)


def open_end(
    suite_id: str, shown: Shown, peer: Introduced, plain_groups: tuple[str, ...] | None
) -> Endpoint:
    """Return a server for whoever comes, that learns who it is (SYS-1).

    Args:
        suite_id: of the room.
        shown: as `server_end`.
        peer: says who a client is, from its certificate and word in the connection.
        plain_groups: as `server_end`, for clients of plain TLS; None lets none in.
    """
    profile = _profile(suite_id).also(*(plain_groups or ()))
    alpn = _OURS if plain_groups is None else (*_OURS, HTTP, "")
    setting = Setting(profile, is_server=True, alpn=alpn, optional=True)
    return Endpoint(setting, shown, peer)


def _profile(suite_id: str) -> Profile:
    return PROFILES[suite(suite_id).id]


class RaTlsConnection:
    """One connection of one end: feed it, take from it, and send what it gives out."""

    def __init__(self, endpoint: Endpoint, tls: TlsConnection) -> None:
        self._endpoint, self._tls = endpoint, tls
        self._stage = _Stage.HANDSHAKE
        self._received = bytearray()
        self._judge: Verify | None = None
        self._wants = True
        self.peer_certificate: Certificate | None = None
        self.caller = ANYONE

    @property
    def is_open(self) -> bool:
        """Whether bytes of the application may pass: the peer was accepted."""
        return self._stage is _Stage.OPEN

    @property
    def held_bytes(self) -> int:
        """How much has come that nobody has taken."""
        return len(self._received)

    @property
    def group(self) -> str:
        """The group that keys were agreed in."""
        return self._tls.group

    @property
    def cipher(self) -> str:
        """The cipher suite."""
        return self._tls.cipher

    @property
    def ended(self) -> bool:
        """Whether the peer has said that it sends no more."""
        return self._tls.closed_by_peer

    def feed(self, data: bytes) -> None:
        """Take bytes from the path, and go on as far as they lead.

        Raises:
            StrongroomError: the peer or the path is refused; the connection is over.
        """
        if self._stage is _Stage.OVER:
            raise Conflict(_CLOSED)
        try:
            self._tls.feed(data)
            self._go_on()
        except StrongroomError:
            self._stage = _Stage.OVER
            self._received.clear()
            raise

    def outgoing(self) -> bytes:
        """Return the bytes that are to go onto the path."""
        return self._tls.outgoing()

    def take(self) -> bytes:
        """Return the application's bytes that have come."""
        if self._stage is not _Stage.OPEN:
            return b""
        taken = bytes(self._received)
        self._received.clear()
        return taken

    def send(self, data: bytes | memoryview) -> None:
        """Encrypt bytes of the application.

        Raises:
            Conflict: the peer has not been accepted, or the connection is over.
        """
        if self._stage is not _Stage.OPEN:
            message = "the other end of this connection has not been verified"
            raise Conflict(_CLOSED if self._stage is _Stage.OVER else message)
        self._tls.write(data)

    def close(self) -> None:
        """Say that nothing more is sent from here."""
        self._tls.close()

    def end(self) -> None:
        """Say that the path has ended: return if the peer had ended before.

        Raises:
            Tampered: `ra-tls.truncated`.
        """
        if not self._tls.closed_by_peer:
            self._stage = _Stage.OVER
            raise Tampered.because(
                "ra-tls.truncated",
                "channel",
                expected="a close_notify of the other end before the path ends",
                got="none",
                remedy="Something may be missing; do not act on the part.",
            )

    def _go_on(self) -> None:
        if self._stage is _Stage.HANDSHAKE and self._tls.handshake():
            self._handshaken()
        if self._stage is not _Stage.HANDSHAKE:
            self._received += self._tls.read()
        if self._stage is _Stage.QUESTION:
            self._answer()
        if self._stage is _Stage.EVIDENCE:
            self._take_evidence()

    def _handshaken(self) -> None:
        peer, allowed = self._endpoint.peer, self._endpoint.setting.profile
        suite_id = allowed.suite_id
        if shown := self._tls.peer_certificate():
            self.peer_certificate = _read(shown)
        if isinstance(peer, Introduced):
            self.caller = peer.holder(self.peer_certificate)
        protocol = self._tls.alpn
        is_open = isinstance(peer, Anybody | Introduced)
        if is_open and protocol not in _OURS:
            self._stage = _Stage.OPEN
            return
        if allowed is not (strict := PROFILES[suite_id]):
            self._tls.check_group(strict)
        if not isinstance(peer, Anybody | Introduced):
            self._judge = peer.certificate(suite_id, self._certificate())
        if protocol == ASKED:
            self._ask()
        else:
            self._give_evidence()

    def _ask(self) -> None:
        """Say whether a word is wanted in this connection."""
        peer = self._endpoint.peer
        if isinstance(peer, Enclave) and peer.heard(self._certificate()):
            self._wants = False
        self._tls.write(bytes((_WANTED if self._wants else _UNWANTED,)))
        self._stage = _Stage.QUESTION

    def _answer(self) -> None:
        if not self._received:
            return
        wanted = self._received.pop(0)
        if wanted not in (_UNWANTED, _WANTED):
            message = "an end wants evidence or does not; this is neither"
            raise Malformed(message)
        if wanted == _WANTED:
            self._give_evidence()
        self._stage = _Stage.EVIDENCE if self._wants else _Stage.OPEN

    def _give_evidence(self) -> None:
        evidence = self._evidence()
        self._tls.write(len(evidence).to_bytes(_LENGTH_BYTES, "big") + evidence)
        self._stage = _Stage.EVIDENCE

    def _evidence(self) -> bytes:
        """Return fresh evidence about this end, or b"" where it has none."""
        shown, server = self._endpoint.shown, self._endpoint.setting.is_server
        if shown is None or shown.report is None:
            return b""
        role = "server" if server else "client"
        return shown.report(*self._bound(role, shown.credential.certificate.spki))

    def _take_evidence(self) -> None:
        received = self._received
        if len(received) < _LENGTH_BYTES:
            return
        length = int.from_bytes(received[:_LENGTH_BYTES], "big")
        if length > MAX_EVIDENCE_BYTES:
            message = f"evidence of more than {MAX_EVIDENCE_BYTES} bytes"
            raise Malformed(message)
        end = _LENGTH_BYTES + length
        if len(received) < end:
            return
        evidence = bytes(received[_LENGTH_BYTES:end])
        del received[:end]
        peer = self._endpoint.peer
        role = "client" if self._endpoint.setting.is_server else "server"
        if self._judge is not None:
            self._judge(evidence, *self._bound(role, self._certificate().spki))
        elif isinstance(peer, Introduced) and evidence:
            bound = self._bound(role, self._certificate().spki)
            self.caller = peer.word(evidence, *bound)
        self._stage = _Stage.OPEN

    def _bound(self, role: str, spki: bytes) -> tuple[bytes, bytes]:
        exported = self._tls.export(_EXPORT_LABEL + role.encode(), _EXPORT_BYTES)
        suite_id = self._endpoint.setting.profile.suite_id
        return fresh_binding(suite_id, role, exported, spki)

    def _certificate(self) -> Certificate:
        if self.peer_certificate is None:
            raise Untrusted.because(
                "ra-tls.certificate",
                "channel",
                expected="a certificate of the other end",
                got="none",
                remedy="Give the other end a certificate.",
            )
        return self.peer_certificate


@lru_cache(maxsize=64)
def _read(certificate: bytes) -> Certificate:
    """Parse a certificate; a peer that comes again is not parsed again."""
    return Certificate(certificate)


_CLOSED = "this connection is over: open another"
