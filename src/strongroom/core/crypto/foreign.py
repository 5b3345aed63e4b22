# SPDX-License-Identifier: Apache-2.0
"""Public keys and signatures of other people's formats: ECDSA, RSA, SM2.

Nothing is signed with these here; evidence of real hardware is verified with them.
Every function is total: what is not a key or a signature is refused, never raised as
a foreign exception.
"""

import hashlib
from functools import cached_property
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    encode_dss_signature,
)

from strongroom.core.crypto import points, sm2, sm2key
from strongroom.core.crypto.buffers import Buffer
from strongroom.core.crypto.hashing import SM3
from strongroom.errors import Malformed

Curve = Literal["P-256", "P-384", "P-521"]
Digest = Literal["sha256", "sha384", "sha512"]

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_ECDSA = {
    name: (getattr(hashlib, name), ec.ECDSA(Prehashed(algorithm)))
    for name, algorithm in _HASHES.items()
}
"""By name what makes the digest and what verifies it: in less time than one of both."""
_PKCS1 = padding.PKCS1v15()
_SM2_HALF = 32
_UNCOMPRESSED = b"\x04"
_SM2_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""SEQUENCE { SEQUENCE { ecPublicKey, sm2p256v1 }, BIT STRING } before 65 bytes."""
_SPKI_HEADS: dict[Curve, bytes] = {
    "P-256": bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
    "P-384": bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"),
}
"""As `_SM2_SPKI`; a key made of its point is checked in less time than one of DER."""
_POINT_BYTES = {"P-256": 64, "P-384": 96}
_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 8192


_AS_SPKI = (
    serialization.Encoding.DER,
    serialization.PublicFormat.SubjectPublicKeyInfo,
)


class ForeignKey:
    """A public key of an ECDSA curve or of RSA, as certificates carry it.

    Attributes:
        curve: the curve ("P-256", ...), or "RSA".
    """

    __slots__ = ("_ec", "_rsa", "_spki", "curve")

    def __init__(
        self,
        curve: str,
        *,
        ec_key: ec.EllipticCurvePublicKey | None = None,
        rsa_key: rsa.RSAPublicKey | None = None,
        spki: bytes = b"",
    ) -> None:
        """Take one key of `cryptography`'s, and its encoding where that is known.

        Which it is, is told: isinstance() is slow for the classes of its keys.
        """
        self.curve, self._ec, self._rsa, self._spki = curve, ec_key, rsa_key, spki

    @classmethod
    def from_spki(cls, der: bytes) -> "ForeignKey":
        """Read a SubjectPublicKeyInfo (RFC 5280), in DER.

        Raises:
            Malformed: it is not one, or of a kind that evidence does not use.
        """
        for curve, head in _SPKI_HEADS.items():
            if der.startswith(head) and len(der) == len(head) + _POINT_BYTES[curve]:
                return cls.from_point(curve, der[len(head) :])
        try:
            key = serialization.load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Malformed(_NO_KEY) from error
        return cls.of(key)

    @classmethod
    def from_pem(cls, pem: bytes) -> "ForeignKey":
        """Read one PEM public key.

        Raises:
            Malformed: as `from_spki`.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Malformed(_NO_KEY) from error
        return cls.of(key)

    @classmethod
    def from_point(cls, curve: Curve, x_y: bytes) -> "ForeignKey":
        """Read the two coordinates of a point, big-endian and of full width.

        Raises:
            Malformed: it is not a point of `curve`.
        """
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(
                _CURVES[curve], b"\x04" + x_y
            )
        except ValueError as error:
            raise Malformed(_NO_KEY) from error
        head = _SPKI_HEADS.get(curve)
        return cls(curve, ec_key=key, spki=head + x_y if head else b"")

    @classmethod
    def from_rsa(cls, modulus: int, exponent: int) -> "ForeignKey":
        """Make an RSA key of its numbers.

        Raises:
            Malformed: they are not those of a key of 2048 to 8192 bits.
        """
        try:
            key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        except ValueError as error:
            raise Malformed(_NO_KEY) from error
        return cls.of(key)

    @classmethod
    def of(cls, key: object) -> "ForeignKey":
        """Take a key of `cryptography`'s; for this package's own use."""
        if isinstance(key, rsa.RSAPublicKey):
            if _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS:
                return cls("RSA", rsa_key=key)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            for name, curve in _CURVES.items():
                if isinstance(key.curve, type(curve)):
                    return cls(name, ec_key=key)
        raise Malformed(_NO_KEY)

    @property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, in DER."""
        if not self._spki:
            key = self._ec or self._rsa
            self._spki = b"" if key is None else key.public_bytes(*_AS_SPKI)
        return self._spki

    @property
    def point(self) -> bytes:
        """The coordinates of an elliptic key as `from_point` reads them.

        Raises:
            Malformed: this is an RSA key.
        """
        if self._ec is None:
            raise Malformed(_NO_POINT)
        return self._ec.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )[1:]

    def signed(self, signature: bytes, data: bytes, digest: Digest) -> bool:
        """Whether `signature` is this key's over `data`.

        ECDSA signatures are DER; RSA ones RSASSA-PKCS1-v1_5.
        """
        try:
            if self._ec is not None:
                hashed, scheme = _ECDSA[digest]
                self._ec.verify(signature, hashed(data).digest(), scheme)
                return True
            if self._rsa is not None:
                self._rsa.verify(signature, data, _PKCS1, _HASHES[digest])
                return True
        except (InvalidSignature, ValueError):
            pass
        return False

    def signed_raw(self, r_s: bytes, data: bytes, digest: Digest) -> bool:
        """Whether `r_s`, two big-endian halves, is this key's ECDSA over `data`."""
        half = len(r_s) // 2
        if len(r_s) % 2 or not half or self._ec is None:
            return False
        der = encode_dss_signature(
            int.from_bytes(r_s[:half], "big"), int.from_bytes(r_s[half:], "big")
        )
        return self.signed(der, data, digest)

    def signed_pss(self, signature: bytes, data: bytes, digest: Digest) -> bool:
        """Whether `signature` is this key's RSASSA-PSS over `data`.

        The mask generation is MGF1 with the same digest; any length of salt.
        """
        if self._rsa is None:
            return False
        algorithm = _HASHES[digest]
        scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
        try:
            self._rsa.verify(signature, data, scheme, algorithm)
        except (InvalidSignature, ValueError):
            return False
        return True


class ForeignSm2Key:
    """An SM2 public key with the ID of whoever signs (GB/T 32918.2)."""

    def __init__(self, x_y: bytes, identity: bytes = sm2.SIGNER_ID) -> None:
        """Take the two coordinates, 64 bytes big-endian.

        Raises:
            Malformed: not a point of the curve.
        """
        self.raw = b"\x04" + x_y
        self.identity = identity
        points.check_sm2(self.raw)

    @classmethod
    def from_spki(cls, der: bytes) -> "ForeignSm2Key":
        """Read a SubjectPublicKeyInfo (GB/T 35276), in DER.

        Raises:
            Malformed: it is not one of an SM2 key.
        """
        if not der.startswith(_SM2_SPKI + _UNCOMPRESSED):
            raise Malformed(_NO_KEY)
        return cls(der[len(_SM2_SPKI) + 1 :])

    @cached_property
    def _key(self) -> sm2key.Key:
        return sm2key.public_key(self.raw)

    def signed(self, signature: bytes, data: Buffer) -> bool:
        """Whether `signature`, in DER (GB/T 35276), is this key's over `data`."""
        return sm2.verify(self._key, signature, data, self.identity)

    def signed_raw(self, r_s: bytes, data: Buffer) -> bool:
        """Whether `r_s`, two big-endian halves of 32 bytes, is this key's."""
        der = _sm2_der(r_s)
        return bool(der) and sm2.verify(self._key, der, data, self.identity)

    def signed_plain(self, r_s: bytes, data: Buffer) -> bool:
        """Whether `r_s` is this key's over SM3 of `data` alone, as TPMs sign.

        GB/T 32918.2 has a digest of ID and key before it (ZA); a TPM has no ID.
        """
        der = _sm2_der(r_s)
        return bool(der) and sm2.verify_digest(self._key, der, SM3.digest(data))

    @cached_property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo (GB/T 35276), in DER."""
        return _SM2_SPKI + self.raw


def _sm2_der(r_s: bytes) -> bytes:
    if len(r_s) != 2 * _SM2_HALF:
        return b""
    r, s = (int.from_bytes(part, "big") for part in (r_s[:_SM2_HALF], r_s[_SM2_HALF:]))
    return encode_dss_signature(r, s)


_NO_KEY = "this is not a public key that evidence is verified with"
_NO_POINT = "an RSA key has no point"
