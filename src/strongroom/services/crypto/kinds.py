# SPDX-License-Identifier: Apache-2.0
"""The kinds of algorithms: what a row of the table is, and what a key of it can do."""

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from strongroom.core.crypto import Aead, Buffer, KemKey, Suite, points, sm2key, x25519
from strongroom.core.crypto.blockmodes import BlockMode
from strongroom.core.crypto.hashing import Hashing
from strongroom.core.crypto.schemes import Scheme
from strongroom.services.crypto.records import Purpose

SuiteId = Literal["sm", "intl"]


@dataclass(frozen=True, kw_only=True)
class Algorithm(ABC):
    """One row of the table.

    Attributes:
        name: as keys and ciphertexts carry it.
        suite: whose it is.
        purposes: what a key of it may be made for: one of these (KM-3).
        key_bytes: length of the secret key as it is kept.
        standard: what defines it.
        by_default: whether its suite allows it without being told (SYS-4).
    """

    name: str
    suite: SuiteId
    purposes: tuple[Purpose, ...]
    key_bytes: int
    standard: str
    by_default: bool = True

    @property
    def draw_bytes(self) -> int:
        """How many uniform bytes a key is made of."""
        return self.key_bytes

    @property
    def public_bytes(self) -> int:
        """Length of the public half, 0 where there is none."""
        return 0

    def make(self, drawn: memoryview, key: memoryview) -> None:
        """Make a key of `draw_bytes` uniform bytes."""
        key[:] = drawn

    def public(self, key: Buffer) -> bytes:  # noqa: ARG002 - most kinds have none
        """Return the public half, empty where there is none.

        Raises:
            Malformed: `key` is not a key of this algorithm.
        """
        return b""


@dataclass(frozen=True, kw_only=True)
class Cipher(Algorithm):
    """Authenticated encryption; with the purpose `wrap`, of keys."""

    cipher: Callable[[Buffer], Aead]


@dataclass(frozen=True, kw_only=True)
class LegacyCipher(Algorithm):
    """Encryption without authentication, for old peers, by explicit configuration."""

    mode: BlockMode


@dataclass(frozen=True, kw_only=True)
class Sm2Encryption(Algorithm):
    """Public-key encryption of short data (GB/T 32918.4) in the DER of GB/T 35276."""

    key_bytes: int = field(default=sm2key.SEED_BYTES, init=False)

    @property
    def public_bytes(self) -> int:
        """An uncompressed point."""
        return points.SM2_BYTES

    def public(self, key: Buffer) -> bytes:
        """Return the point of `key`."""
        return sm2key.public_from_seed(key)


@dataclass(frozen=True, kw_only=True)
class Signing(Algorithm):
    """Signatures."""

    scheme: Scheme

    @property
    def draw_bytes(self) -> int:
        """How many uniform bytes a key is made of."""
        return self.scheme.draw_bytes

    @property
    def public_bytes(self) -> int:
        """Length of the public key."""
        return self.scheme.public_bytes

    def make(self, drawn: memoryview, key: memoryview) -> None:
        """Make a key of `draw_bytes` uniform bytes."""
        self.scheme.make(drawn, key)

    def public(self, key: Buffer) -> bytes:
        """Return the public half of `key`."""
        return self.scheme.public(key)


@dataclass(frozen=True, kw_only=True)
class Mac(Algorithm):
    """HMAC (RFC 2104) over one digest."""

    hashing: Hashing


@dataclass(frozen=True, kw_only=True)
class Kdf(Algorithm):
    """HKDF (RFC 5869) over one digest: makes other keys and nothing else."""

    hashing: Hashing


@dataclass(frozen=True, kw_only=True)
class Agreement(Algorithm):
    """Key agreement; what it gives is a key to derive others from.

    Attributes:
        gives: the algorithm of the agreed key.
    """

    gives: str


@dataclass(frozen=True, kw_only=True)
class X25519(Agreement):
    """X25519 (RFC 7748): one key pair on each side."""

    key_bytes: int = field(default=x25519.KEY_BYTES, init=False)

    @property
    def public_bytes(self) -> int:
        """A u-coordinate."""
        return x25519.KEY_BYTES

    def public(self, key: Buffer) -> bytes:
        """Return the u-coordinate of `key`."""
        return x25519.public_from_seed(key)


@dataclass(frozen=True, kw_only=True)
class Sm2Exchange(Agreement):
    """SM2 key exchange (GB/T 32918.3): a lasting and a passing key on each side."""

    key_bytes: int = field(default=sm2key.SEED_BYTES, init=False)

    @property
    def public_bytes(self) -> int:
        """An uncompressed point."""
        return points.SM2_BYTES

    def public(self, key: Buffer) -> bytes:
        """Return the point of `key`."""
        return sm2key.public_from_seed(key)


@dataclass(frozen=True, kw_only=True)
class Envelope(Agreement):
    """Encryption to a public key in the form of RFC 9180: of data, or of a key."""

    row: Suite
    public_length: int

    @property
    def public_bytes(self) -> int:
        """Length of the public key."""
        return self.public_length

    def public(self, key: Buffer) -> bytes:
        """Return the public half of `key`."""
        return self.load(key).public.raw

    def load(self, key: Buffer) -> KemKey:
        """Return what opens envelopes; `key`'s memory is not needed any more."""
        return self.row.kem_key(key)
