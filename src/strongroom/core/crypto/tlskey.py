# SPDX-License-Identifier: Apache-2.0
"""Keys and self-signed certificates for TLS: ECDSA on P-256 (intl), SM2 (sm).

`cryptography` has no SM2 keys, so certificates of both kinds are written here by hand
(RFC 5280 section 4.1; GB/T 20518 has the same form): version 3, one name, at most one
extension.
"""

import secrets
from abc import ABC, abstractmethod
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from strongroom.core.crypto.signing import Sm2SigningKey
from strongroom.errors import Malformed

_INTEGER, _BITS, _OCTETS, _OID, _UTF8 = 0x02, 0x03, 0x04, 0x06, 0x0C
_UTC, _GENERALIZED, _SEQUENCE, _SET = 0x17, 0x18, 0x30, 0x31
_VERSION_3 = bytes.fromhex("a003020102")
_CURVE, _PUBLIC, _EXTENSIONS = 0xA0, 0xA1, 0xA3
_SHORT_FORM, _FIRST_LONG_YEAR = 0x80, 2050
_SERIAL_BYTES = 16

_SM2_CURVE = "1.2.156.10197.1.301"
_SM2_SCALAR_BYTES = 32
_SM2_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


class TlsKey(ABC):
    """A fresh private key for the certificates of one TLS end.

    Attributes:
        spki: the SubjectPublicKeyInfo in DER.
    """

    spki: bytes
    _algorithm: str

    @staticmethod
    def generate(suite_id: str) -> "TlsKey":
        """Return a new key of a suite.

        Raises:
            Malformed: there is no such suite.
        """
        kind = _KINDS.get(suite_id)
        if kind is None:
            message = f"there is no suite {suite_id!r} for TLS"
            raise Malformed(message)
        return kind()

    @abstractmethod
    def private_der(self) -> bytes:
        """Return the private key in DER, for the library that runs TLS."""

    @abstractmethod
    def _sign(self, body: bytes) -> bytes: ...

    def certify(
        self, name: str, validity: tuple[int, int], extension: tuple[str, bytes] | None
    ) -> bytes:
        """Return a self-signed certificate in DER.

        Args:
            name: the common name of subject and issuer.
            validity: first and last second, Unix time.
            extension: object id and value of one private extension, not critical.
        """
        algorithm = _seq(_oid(self._algorithm))
        common_name = _seq(_oid("2.5.4.3"), _tlv(_UTF8, name.encode()))
        subject = _seq(_tlv(_SET, common_name))
        first, last = validity
        fields = [
            _VERSION_3,
            _integer(secrets.randbits(8 * _SERIAL_BYTES - 1) | 1),
            algorithm,
            subject,
            _seq(_time(first), _time(last)),
            subject,
            self.spki,
        ]
        if extension is not None:
            dotted, value = extension
            fields.append(
                _tlv(_EXTENSIONS, _seq(_seq(_oid(dotted), _tlv(_OCTETS, value))))
            )
        body = _seq(*fields)
        return _seq(body, algorithm, _tlv(_BITS, b"\0" + self._sign(body)))


class P256Key(TlsKey):
    """A key of P-256; certificates are ecdsa-with-SHA256 (RFC 5758)."""

    _algorithm = "1.2.840.10045.4.3.2"

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.spki = self._key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    def private_der(self) -> bytes:
        """Return PKCS #8."""
        return self._key.private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        )

    def _sign(self, body: bytes) -> bytes:
        return self._key.sign(body, ec.ECDSA(hashes.SHA256()))


class Sm2Key(TlsKey):
    """A key of SM2; certificates are SM2-with-SM3 (GB/T 35276, GM/T 0006)."""

    _algorithm = "1.2.156.10197.1.501"

    def __init__(self) -> None:
        # A seed below the order less 2 is the scalar less 1 (sm2key), so that the
        # scalar is known here too, which OpenSSL is given in DER.
        drawn = secrets.randbelow(_SM2_ORDER - 2)
        self._scalar = (drawn + 1).to_bytes(_SM2_SCALAR_BYTES, "big")
        seed = drawn.to_bytes(Sm2SigningKey.SEED_BYTES, "big")
        self._key = Sm2SigningKey(seed, transient=False)
        head = _seq(_oid("1.2.840.10045.2.1"), _oid(_SM2_CURVE))
        self.spki = _seq(head, _tlv(_BITS, b"\0" + self._key.public.raw))

    def private_der(self) -> bytes:
        """Return ECPrivateKey (RFC 5915)."""
        point = _tlv(_BITS, b"\0" + self._key.public.raw)
        return _seq(
            _integer(1),
            _tlv(_OCTETS, self._scalar),
            _tlv(_CURVE, _oid(_SM2_CURVE)),
            _tlv(_PUBLIC, point),
        )

    def _sign(self, body: bytes) -> bytes:
        return self._key.sign(body)


_KINDS: dict[str, type[P256Key | Sm2Key]] = {"intl": P256Key, "sm": Sm2Key}


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < _SHORT_FORM:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT_FORM | len(size))) + size + content


def _seq(*parts: bytes) -> bytes:
    return _tlv(_SEQUENCE, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return _tlv(_OID, b"".join(map(_base128, (40 * first + second, *rest))))


def _base128(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def _time(seconds: int) -> bytes:
    moment = datetime.fromtimestamp(seconds, UTC)
    if moment.year < _FIRST_LONG_YEAR:
        return _tlv(_UTC, moment.strftime("%y%m%d%H%M%SZ").encode())
    return _tlv(_GENERALIZED, moment.strftime("%Y%m%d%H%M%SZ").encode())
