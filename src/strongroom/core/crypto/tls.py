# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 (RFC 8446) without a socket: bytes in, bytes out, nothing weaker.

By pyOpenSSL on the OpenSSL that `cryptography` brings (docs/adr/0014-ra-tls.md): one
group, one cipher and one signature algorithm a suite, and what was negotiated is
looked at again after the handshake. A peer's certificate is only captured here: it is
self-signed, and who believes it is decided above.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from strongroom.core.crypto.tlskey import TlsKey
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed, Misconfigured, Refused, Tampered, Untrusted

try:
    from OpenSSL import SSL, crypto
    from OpenSSL._util import lib as openssl
except ImportError as error:  # pragma: no cover - the extra is not installed
    _message = "TLS needs pyOpenSSL: pip install 'strongroom[tls]'"
    raise Misconfigured(_message) from error

if TYPE_CHECKING:
    from OpenSSL.SSL import _NoOverlappingProtocols

    _Selected: TypeAlias = bytes | _NoOverlappingProtocols

MAX_READ_BYTES = 1 << 16
_OWNER = "tls"
_TLS13 = 0x0304
_GROUP_NAMES = {"x25519": "X25519", "secp256r1": "P-256"}
"""Groups that OpenSSL calls otherwise after the handshake than before it."""
_DER = crypto.FILETYPE_ASN1


@dataclass(frozen=True)
class Profile:
    """What one suite allows in TLS; `groups` in order of preference."""

    suite_id: str
    cipher: str
    groups: tuple[str, ...]
    signature: str

    def also(self, *groups: str) -> "Profile":
        """Return the profile with more groups, for peers that have no better."""
        return replace(self, groups=(*self.groups, *groups))


PROFILES = {
    "intl": Profile(
        "intl",
        "TLS_AES_256_GCM_SHA384",
        ("X25519MLKEM768",),
        "ecdsa_secp256r1_sha256",
    ),
    "sm": Profile("sm", "TLS_SM4_GCM_SM3", ("curveSM2",), "sm2sig_sm3"),
}
"""intl: RFC 8446 with draft-ietf-tls-ecdhe-mlkem; sm: RFC 8998."""


@dataclass(frozen=True)
class Setting:
    """How one end runs TLS.

    `ask` says whether a server asks for a certificate; without one no client gets in,
    unless it is `optional`. `alpn` are protocols (RFC 7301) in order of preference; a
    server refuses clients that offer others, and takes those that offer none if "" is
    among them.
    """

    profile: Profile
    is_server: bool
    alpn: tuple[str, ...]
    ask: bool = True
    optional: bool = False


class Credential:
    """A key with its certificate, as an end shows it."""

    def __init__(self, key: TlsKey, certificate: bytes) -> None:
        self.certificate = Certificate(certificate)
        if self.certificate.spki != key.spki:
            message = "this certificate is of another key"
            raise Malformed(message)
        self.key = key


class TlsContext:
    """What the connections of one end have in common."""

    def __init__(self, setting: Setting, credential: Credential | None) -> None:
        """Prepare.

        Raises:
            Misconfigured: this OpenSSL lacks an algorithm of the profile.
        """
        self.setting = setting
        self._context = context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_max_proto_version(SSL.TLS1_3_VERSION)
        context.set_options(
            SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE
        )
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_verify(_asked(setting), _capture)
        self._restrict(setting.profile)
        self._offer(setting)
        if credential is not None:
            self._show(credential)

    def connection(self) -> "TlsConnection":
        """Return a new connection of this end."""
        return TlsConnection(SSL.Connection(self._context, None), self.setting)

    def _restrict(self, profile: Profile) -> None:
        raw = self._context._context  # noqa: SLF001 - groups have no public name
        try:
            self._context.set_tls13_ciphersuites(profile.cipher.encode())
        except SSL.Error as error:
            raise _lacks(profile) from error
        groups = ":".join(profile.groups).encode()
        signature = profile.signature.encode()
        if (
            openssl.SSL_CTX_set1_curves_list(raw, groups) != 1
            or openssl.SSL_CTX_set1_sigalgs_list(raw, signature) != 1
        ):
            openssl.ERR_clear_error()
            raise _lacks(profile)

    def _offer(self, setting: Setting) -> None:
        names = [name.encode() for name in setting.alpn if name]
        if not setting.is_server:
            self._context.set_alpn_protos(names)
            return

        def select(connection: SSL.Connection, offered: list[bytes]) -> "_Selected":
            del connection
            return next(
                (name for name in names if name in offered),
                SSL.NO_OVERLAPPING_PROTOCOLS,
            )

        self._context.set_alpn_select_callback(select)

    def _show(self, credential: Credential) -> None:
        # pyOpenSSL's own methods want keys of `cryptography`, which has none of SM2.
        raw = self._context._context  # noqa: SLF001 - as above
        key = crypto.load_privatekey(_DER, credential.key.private_der())
        own = crypto.load_certificate(_DER, credential.certificate.der)
        if (
            openssl.SSL_CTX_use_certificate(raw, own._x509) != 1  # noqa: SLF001
            or openssl.SSL_CTX_use_PrivateKey(raw, key._pkey) != 1  # noqa: SLF001
            or openssl.SSL_CTX_check_private_key(raw) != 1
        ):
            openssl.ERR_clear_error()
            raise _lacks(self.setting.profile)


class TlsConnection:
    """One connection of one end; a failure ends it for good."""

    def __init__(self, connection: SSL.Connection, setting: Setting) -> None:
        self._tls, self._setting = connection, setting
        if setting.is_server:
            connection.set_accept_state()
        else:
            connection.set_connect_state()
        self.closed_by_peer = False

    def feed(self, data: bytes) -> None:
        """Take bytes that came from the other end."""
        if data:
            self._tls.bio_write(data)

    def outgoing(self) -> bytes:
        """Return the bytes that are to go to the other end."""
        parts: list[bytes] = []
        while not parts or len(parts[-1]) == MAX_READ_BYTES:
            try:
                parts.append(self._tls.bio_read(MAX_READ_BYTES))
            except SSL.Error:  # WantReadError is one: nothing is left
                break
        return b"".join(parts)

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is over, and as it has to be.

        Raises:
            Untrusted: `tls.handshake`, the other end wants something else or is not
                who the certificate says; `tls.negotiated`, not version, cipher, group
                or protocol of the profile.
        """
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise _failed(_reason(error)) from error
        self._check()
        return True

    def read(self) -> bytes:
        """Return all that has been decrypted and not yet read.

        Raises:
            Tampered: `tls.record`.
        """
        parts: list[bytes] = []
        while not self.closed_by_peer:
            try:
                parts.append(self._tls.recv(MAX_READ_BYTES))
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self.closed_by_peer = True
            except SSL.Error as error:
                raise _altered(_reason(error)) from error
        return b"".join(parts)

    def write(self, data: bytes | memoryview) -> None:
        """Encrypt `data`; `outgoing` has the records.

        Raises:
            Tampered: the connection has failed.
        """
        view = memoryview(data)
        try:
            while view.nbytes:
                view = view[self._tls.send(view[:MAX_READ_BYTES]) :]
        except SSL.Error as error:
            raise _altered(_reason(error)) from error

    def close(self) -> None:
        """Say that nothing more is sent (close_notify, RFC 8446 section 6.1)."""
        try:
            self._tls.shutdown()
        except SSL.Error:
            return

    def export(self, label: bytes, length: int) -> bytes:
        """Return keying material (RFC 8446 section 7.5) with an empty context."""
        return self._tls.export_keying_material(label, length, b"")

    @property
    def alpn(self) -> str:
        """The protocol that was agreed on, or ""."""
        return self._tls.get_alpn_proto_negotiated().decode("ascii", "replace")

    @property
    def group(self) -> str:
        """The group that keys were agreed in."""
        return _GROUP_NAMES.get(found := self._tls.get_group_name() or "", found)

    @property
    def cipher(self) -> str:
        """The cipher suite."""
        return self._tls.get_cipher_name() or ""

    def peer_certificate(self) -> bytes:
        """Return the peer's one certificate in DER, or b""; TLS proved its key.

        Raises:
            Malformed: it showed others beside it.
        """
        found = self._tls.get_peer_certificate()
        if found is None:
            return b""
        chain = openssl.SSL_get_peer_cert_chain(self._tls._ssl)  # noqa: SLF001 - counted
        if openssl.sk_X509_num(chain) > 1:
            message = "a certificate of RA-TLS stands alone; here are more"
            raise Malformed(message)
        return crypto.dump_certificate(_DER, found)

    def check_group(self, profile: Profile) -> None:
        """Refuse a group that `profile` does not have.

        Raises:
            Untrusted: `tls.negotiated`.
        """
        _require("group", self.group, profile.groups)

    def _check(self) -> None:
        profile = self._setting.profile
        version = self._tls.get_protocol_version()
        _require("version", f"{version:#06x}", (f"{_TLS13:#06x}",))
        _require("cipher", self.cipher, (profile.cipher,))
        _require("protocol", self.alpn, self._setting.alpn)
        self.check_group(profile)


def _require(what: str, got: str, allowed: tuple[str, ...]) -> None:
    if got not in allowed:
        raise Untrusted.because(
            "tls.negotiated",
            _OWNER,
            expected=f"{what} {' or '.join(map(repr, allowed))}",
            got=repr(got),
            remedy="Use the suite of this room at both ends.",
        )


def _asked(setting: Setting) -> int:
    if setting.is_server and not setting.ask:
        return SSL.VERIFY_NONE
    if setting.is_server and setting.optional:
        return SSL.VERIFY_PEER
    return SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


def _capture(
    connection: SSL.Connection,
    certificate: crypto.X509,
    error: int,
    depth: int,
    ok: int,
) -> bool:
    """Let a certificate without an issuer pass: it is looked at after the handshake."""
    del connection, certificate, error, ok
    return depth == 0


def _reason(error: SSL.Error) -> str:
    """Return OpenSSL's own words for a failure; they hold no secret."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(row[-1]) for row in queue)[:200] or "the path ended"


def _lacks(profile: Profile) -> Misconfigured:
    return Misconfigured(
        f"this OpenSSL cannot do {profile.cipher}, {' '.join(profile.groups)} and "
        f"{profile.signature}: install the locked cryptography and pyOpenSSL"
    )


def _failed(got: str) -> Refused:
    return Untrusted.because(
        "tls.handshake",
        _OWNER,
        expected="TLS 1.3 in this suite, and a peer that holds its certificate's key",
        got=got,
        remedy="Look who terminates TLS on the path, and which suite it speaks.",
    )


def _altered(got: str) -> Refused:
    return Tampered.because(
        "tls.record",
        _OWNER,
        expected="the next record of this connection",
        got=got,
        remedy="Open another connection; what was sent may be lost.",
    )
