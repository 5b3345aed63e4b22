# SPDX-License-Identifier: Apache-2.0
"""The one table of algorithms that keys are made for (docs/reference/crypto.md)."""

from types import MappingProxyType

from strongroom.core.crypto import SUITES, schemes
from strongroom.core.crypto.aead import AesGcm, ChaCha20
from strongroom.core.crypto.blockmodes import SM4_CBC, SM4_CTR
from strongroom.core.crypto.hashing import SHA256, SHA384, SHA512, SM3
from strongroom.core.crypto.sm4gcm import sm4_gcm
from strongroom.errors import Malformed
from strongroom.services.crypto.kinds import (
    X25519,
    Algorithm,
    Cipher,
    Envelope,
    Kdf,
    LegacyCipher,
    Mac,
    Signing,
    Sm2Encryption,
    Sm2Exchange,
)

_ROWS: tuple[Algorithm, ...] = (
    Cipher(
        name="sm4-gcm",
        suite="sm",
        purposes=("encrypt", "wrap"),
        key_bytes=16,
        cipher=sm4_gcm,
        standard="GB/T 32907, GB/T 36624",
    ),
    LegacyCipher(
        name="sm4-cbc",
        suite="sm",
        purposes=("encrypt",),
        key_bytes=16,
        mode=SM4_CBC,
        standard="GB/T 32907, GB/T 17964",
        by_default=False,
    ),
    LegacyCipher(
        name="sm4-ctr",
        suite="sm",
        purposes=("encrypt",),
        key_bytes=16,
        mode=SM4_CTR,
        standard="GB/T 32907, GB/T 17964",
        by_default=False,
    ),
    Sm2Encryption(
        name="sm2-encrypt",
        suite="sm",
        purposes=("encrypt",),
        standard="GB/T 32918.4, GB/T 35276",
    ),
    Signing(
        name="sm2-sm3",
        suite="sm",
        purposes=("sign",),
        key_bytes=schemes.SM2_SM3.key_bytes,
        scheme=schemes.SM2_SM3,
        standard="GB/T 32918.2, GB/T 35276",
    ),
    Mac(
        name="hmac-sm3",
        suite="sm",
        purposes=("mac",),
        key_bytes=32,
        hashing=SM3,
        standard="GB/T 32905, RFC 2104",
    ),
    Kdf(
        name="hkdf-sm3",
        suite="sm",
        purposes=("derive",),
        key_bytes=32,
        hashing=SM3,
        standard="GB/T 32905, RFC 5869",
    ),
    Sm2Exchange(
        name="sm2-exchange",
        suite="sm",
        purposes=("agree",),
        gives="hkdf-sm3",
        standard="GB/T 32918.3",
    ),
    Envelope(
        name="hpke-sm2",
        suite="sm",
        purposes=("encrypt", "wrap", "agree"),
        gives="hkdf-sm3",
        key_bytes=SUITES["sm"].kem_seed_bytes,
        row=SUITES["sm"],
        public_length=65,
        standard="RFC 9180 over GB/T 32918.4",
    ),
    Cipher(
        name="aes-256-gcm",
        suite="intl",
        purposes=("encrypt", "wrap"),
        key_bytes=32,
        cipher=AesGcm,
        standard="FIPS 197, SP 800-38D",
    ),
    Cipher(
        name="chacha20-poly1305",
        suite="intl",
        purposes=("encrypt", "wrap"),
        key_bytes=32,
        cipher=ChaCha20,
        standard="RFC 8439",
    ),
    Signing(
        name="ed25519",
        suite="intl",
        purposes=("sign",),
        key_bytes=schemes.ED25519.key_bytes,
        scheme=schemes.ED25519,
        standard="RFC 8032",
    ),
    Signing(
        name="ecdsa-p256",
        suite="intl",
        purposes=("sign",),
        key_bytes=schemes.ECDSA_P256.key_bytes,
        scheme=schemes.ECDSA_P256,
        standard="FIPS 186-5, RFC 6979, SHA-256",
    ),
    Signing(
        name="ecdsa-p384",
        suite="intl",
        purposes=("sign",),
        key_bytes=schemes.ECDSA_P384.key_bytes,
        scheme=schemes.ECDSA_P384,
        standard="FIPS 186-5, RFC 6979, SHA-384",
    ),
    Signing(
        name="ml-dsa-65",
        suite="intl",
        purposes=("sign",),
        key_bytes=schemes.ML_DSA_65.key_bytes,
        scheme=schemes.ML_DSA_65,
        standard="FIPS 204",
    ),
    Mac(
        name="hmac-sha256",
        suite="intl",
        purposes=("mac",),
        key_bytes=32,
        hashing=SHA256,
        standard="FIPS 180-4, RFC 2104",
    ),
    Mac(
        name="hmac-sha384",
        suite="intl",
        purposes=("mac",),
        key_bytes=48,
        hashing=SHA384,
        standard="FIPS 180-4, RFC 2104",
    ),
    Mac(
        name="hmac-sha512",
        suite="intl",
        purposes=("mac",),
        key_bytes=64,
        hashing=SHA512,
        standard="FIPS 180-4, RFC 2104",
    ),
    Kdf(
        name="hkdf-sha256",
        suite="intl",
        purposes=("derive",),
        key_bytes=32,
        hashing=SHA256,
        standard="FIPS 180-4, RFC 5869",
    ),
    Kdf(
        name="hkdf-sha384",
        suite="intl",
        purposes=("derive",),
        key_bytes=48,
        hashing=SHA384,
        standard="FIPS 180-4, RFC 5869",
    ),
    Kdf(
        name="hkdf-sha512",
        suite="intl",
        purposes=("derive",),
        key_bytes=64,
        hashing=SHA512,
        standard="FIPS 180-4, RFC 5869",
    ),
    X25519(
        name="x25519",
        suite="intl",
        purposes=("agree",),
        gives="hkdf-sha384",
        standard="RFC 7748",
    ),
    Envelope(
        name="hpke-mlkem768-x25519",
        suite="intl",
        purposes=("encrypt", "wrap", "agree"),
        gives="hkdf-sha384",
        key_bytes=SUITES["intl"].kem_seed_bytes,
        row=SUITES["intl"],
        public_length=1216,
        standard="RFC 9180, FIPS 203, RFC 7748",
    ),
)

ALGORITHMS = MappingProxyType({row.name: row for row in _ROWS})


def algorithm(name: str) -> Algorithm:
    """Return the row of that name.

    Raises:
        Malformed: there is none.
    """
    row = ALGORITHMS.get(name)
    if row is None:
        message = f"there is no algorithm {name[:64]!r}: see docs/reference/crypto.md"
        raise Malformed(message)
    return row
