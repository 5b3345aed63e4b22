# SPDX-License-Identifier: Apache-2.0
"""Party identities: a signing key and a key-agreement key, purposes fixed (KM-3).

At rest the seeds are encrypted under a key stretched from a passphrase; the file
form is a record, so a wrong passphrase and a damaged file are told apart.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.crypto import KemKey, KemPublic, SigningKey, VerifyingKey, suite
from strongroom.errors import Malformed, Refused, Tampered

SALT_BYTES = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

Random = Callable[[int], bytes]


@dataclass(frozen=True)
class PublicIdentity(Record):
    """What others know of a party; `id` names it in every statement."""

    TYPE = "strongroom/identity/v1"

    name: str
    suite: str
    sign: PublicKey
    kem: PublicKey

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            message = "a party's name is lower-case-with-dashes, at most 64 long"
            raise Malformed(message)
        suite(self.suite)
        if (self.sign.use, self.kem.use) != ("sign", "kem"):
            message = "an identity has a signing key and a key-agreement key"
            raise Malformed(message)
        if {self.sign.suite, self.kem.suite} != {self.suite}:
            message = "an identity's keys are of its own suite"
            raise Malformed(message)

    @property
    def id(self) -> str:
        """Sixty-four hex digits over name, suite and both keys."""
        return suite(self.suite).digest(self.to_bytes())[:32].hex()

    @property
    def verifying(self) -> VerifyingKey:
        """The key that the party's statements are verified with."""
        return self.sign.verifying()

    @property
    def recipient(self) -> KemPublic:
        """The key that secrets for the party are sealed to."""
        return self.kem.kem()


@dataclass(frozen=True)
class Keystore(Record):
    """An identity at rest: the seeds sealed under a stretched passphrase."""

    TYPE = "strongroom/keystore/v1"

    public: PublicIdentity
    salt: bytes
    nonce: bytes
    sealed_seeds: bytes


@dataclass(frozen=True, repr=False)
class Identity:
    """A party's private identity, in memory only while it is used."""

    public: PublicIdentity
    signing: SigningKey
    kem: KemKey
    _seeds: bytes

    @classmethod
    def generate(cls, name: str, suite_id: str, random: Random) -> "Identity":
        """Make a new identity from `random` bytes.

        Raises:
            Malformed: a bad name or an unknown suite.
        """
        row = suite(suite_id)
        return cls._from_seeds(
            name, suite_id, random(row.sign_seed_bytes + row.kem_seed_bytes)
        )

    @classmethod
    def _from_seeds(cls, name: str, suite_id: str, seeds: bytes) -> "Identity":
        row = suite(suite_id)
        signing = row.signing_key(seeds[: row.sign_seed_bytes])
        kem = row.kem_key(seeds[row.sign_seed_bytes :])
        public = PublicIdentity(
            name=name,
            suite=suite_id,
            sign=PublicKey(suite=suite_id, use="sign", raw=signing.public.raw),
            kem=PublicKey(suite=suite_id, use="kem", raw=kem.public.raw),
        )
        return cls(public, signing, kem, seeds)

    def lock(self, passphrase: bytes, random: Random) -> bytes:
        """Return the keystore file; `unlock` is the inverse."""
        row = suite(self.public.suite)
        salt, nonce = random(SALT_BYTES), random(row.nonce_bytes)
        aead = row.aead(row.passphrase_key(passphrase, salt))
        sealed = aead.encrypt(nonce, self._seeds, self.public.to_bytes())
        return Keystore(self.public, salt, nonce, sealed).to_bytes()

    @classmethod
    def unlock(cls, data: bytes, passphrase: bytes) -> "Identity":
        """Open a keystore file.

        Raises:
            Malformed: not a keystore.
            Refused: a wrong passphrase or an altered file.
        """
        store = Keystore.from_bytes(data)
        row = suite(store.public.suite)
        aead = row.aead(row.passphrase_key(passphrase, store.salt))
        try:
            seeds = aead.decrypt(
                store.nonce, store.sealed_seeds, store.public.to_bytes()
            )
        except Tampered as error:
            raise Refused.because(
                "keystore.passphrase",
                store.public.name,
                expected="the passphrase of this keystore",
                got="another one, or an altered file",
                remedy="Try again, or restore the keystore from a copy.",
            ) from error
        return cls._from_seeds(store.public.name, store.public.suite, seeds)
