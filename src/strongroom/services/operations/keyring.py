# SPDX-License-Identifier: Apache-2.0
"""An app's keys: made in here, used by handle, each for one purpose (KM-1 to KM-3).

No function gives a private or secret byte away but `export`, whose bytes an app seals
to itself. An older version of a key goes on decrypting and verifying; what is new is
under the newest. A shredded key is gone: its name remains, to say so.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from strongroom.core.codec import cbor
from strongroom.core.codec.record import Record
from strongroom.core.crypto import SecretBuffer
from strongroom.core.crypto.ciphers import CIPHERS, SealingKey
from strongroom.core.crypto.proving import MACS, SIGNATURES, ProvingKey
from strongroom.errors import LimitReached, Malformed, NotFound, Refused
from strongroom.services.operations.algorithms import ALGORITHMS, Purpose

HANDLE_BYTES = 16
MAX_KEYS = 4096
MAX_VERSIONS = 64
MAX_MESSAGES = 1 << 32
_MAX_LABEL = 128


@dataclass(frozen=True, kw_only=True)
class KeyInfo(Record):
    """What may be known of a key; `versions` counts them, the last is in use.

    `origin` says whether it was made in here; `state` whether it can still be used.
    """

    handle: bytes
    algorithm: str
    purpose: str
    label: str
    versions: int
    origin: Literal["generated", "imported"]
    state: Literal["active", "shredded"]


@dataclass(frozen=True)
class Encrypted(Record):
    """What `encrypt` gives: it names key, version and algorithm (SYS-4)."""

    TYPE = "strongroom/encrypted/v1"

    key: bytes
    version: int
    algorithm: str
    sealing: bytes


@dataclass
class _Key:
    info: KeyInfo
    seeds: list[SecretBuffer]
    messages: int = 0


class KeyRing:
    """The keys of one app.

    Args:
        suite_id: whose algorithms need no permission.
        random: gives random bytes; an enclave has the device's.
        allowed: further algorithms, by name; each is an explicit choice (SYS-4).
        imports: whether keys from elsewhere are taken at all (KM-2).
    """

    def __init__(
        self,
        suite_id: str,
        random: Callable[[int], bytes],
        *,
        allowed: Collection[str] = (),
        imports: bool = False,
    ) -> None:
        self._suite_id, self._random = suite_id, random
        self._allowed, self._imports = frozenset(allowed), imports
        self._keys: dict[bytes, _Key] = {}

    def generate(self, algorithm: str, purpose: Purpose | str, label: str) -> bytes:
        """Make a key and return its handle (IF-9).

        Raises:
            Malformed: no such algorithm, or a label that is none.
            Refused: `key.algorithm`, `key.purpose`.
            LimitReached: as many keys as there may be.
        """
        size = self._checked(algorithm, purpose, label)
        return self._keep(algorithm, label, self._random(size), "generated")

    def import_key(
        self, algorithm: str, purpose: str, label: str, seed: bytes
    ) -> bytes:
        """Take a key that was made elsewhere, marked as such (KM-2).

        Raises:
            Refused: `key.import`, unless the ring was made to take them.
        """
        size = self._checked(algorithm, purpose, label)
        if not self._imports:
            raise Refused.because(
                "key.import",
                "key management",
                expected="keys that were made inside",
                got="a key from elsewhere",
                remedy="Generate it here, or allow imports where the ring is made.",
            )
        if len(seed) != size:
            message = f"a key of {algorithm} is made of {size} bytes"
            raise Malformed(message)
        return self._keep(algorithm, label, seed, "imported")

    def info(self, handle: bytes) -> KeyInfo:
        """Return what may be known of a key.

        Raises:
            NotFound: no such key.
        """
        return self._find(handle).info

    def public(self, handle: bytes) -> bytes:
        """Return the public half of the newest version of a key that signs."""
        return self._prover(self._usable(handle, "sign"), -1).public

    def rotate(self, handle: bytes) -> int:
        """Make a new version of a key and return its number; old ones stay readable.

        Raises:
            LimitReached: it has as many versions as it may have.
        """
        key = self._usable(handle)
        if len(key.seeds) >= MAX_VERSIONS:
            message = f"a key has at most {MAX_VERSIONS} versions"
            raise LimitReached(message)
        size = ALGORITHMS[key.info.algorithm].seed_bytes
        key.seeds.append(_secret(self._random(size)))
        key.messages = 0
        key.info = replace(key.info, versions=len(key.seeds))
        return key.info.versions

    def shred(self, handle: bytes) -> None:
        """Wipe every version of a key; what was encrypted under it is lost."""
        key = self._usable(handle)
        for seed in key.seeds:
            seed.close()
        key.seeds.clear()
        key.info = replace(key.info, state="shredded")

    def encrypt(self, handle: bytes, data: bytes, aad: bytes = b"") -> bytes:
        """Encrypt under the newest version (IF-10).

        Raises:
            LimitReached: 2^32 messages under one version: rotate it.
            Refused: `key.purpose`, `key.shredded`.
        """
        key = self._usable(handle, "encrypt")
        if key.messages >= MAX_MESSAGES:
            message = "this version has encrypted 2^32 messages: rotate the key"
            raise LimitReached(message)
        key.messages += 1
        version, algorithm = key.info.versions, key.info.algorithm
        bound = _bound(handle, version, algorithm, aad)
        sealing = self._cipher(key, -1).encrypt(
            data, bound if _binds(algorithm) else aad, self._random
        )
        return Encrypted(handle, version, algorithm, sealing).to_bytes()

    def decrypt(self, handle: bytes, data: bytes, aad: bytes = b"") -> bytes:
        """Return what `encrypt` was given, under whichever version (IF-11).

        Raises:
            Malformed: nothing that `encrypt` gave.
            Refused: `key.other`, `key.purpose`, `key.shredded`.
            Tampered: altered, or other associated data.
        """
        given = Encrypted.from_bytes(data)
        key = self._usable(handle, "encrypt")
        whole = (given.key, given.algorithm) == (handle, key.info.algorithm)
        if not whole or not 1 <= given.version <= key.info.versions:
            raise Refused.because(
                "key.other",
                "key management",
                expected=f"what key {handle.hex()[:8]} of {key.info.algorithm} made",
                got=f"version {given.version} of key {given.key.hex()[:8]}",
                remedy="Use the handle of the key that encrypted it.",
            )
        bound = _bound(handle, given.version, given.algorithm, aad)
        return self._cipher(key, given.version - 1).decrypt(
            given.sealing, bound if _binds(given.algorithm) else aad
        )

    def sign(self, handle: bytes, message: bytes) -> bytes:
        """Sign, or make a MAC, with the newest version (IF-12)."""
        return self._prover(self._usable(handle, "sign", "mac"), -1).sign(message)

    def holds(self, handle: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature or MAC is that of any version of a key (IF-13)."""
        key = self._usable(handle, "sign", "mac")
        return any(
            self._prover(key, at).holds(message, signature)
            for at in range(len(key.seeds))
        )

    def export(self) -> bytes:
        """Return the ring with its secrets: seal it at once, never let it leave."""
        return cbor.encode(
            [
                [key.info.to_value(), [bytes(seed.view) for seed in key.seeds]]
                for key in self._keys.values()
            ]
        )

    def restore(self, data: bytes) -> None:
        """Take back what `export` gave, into an empty ring.

        Raises:
            Malformed: something else.
        """
        rows = cbor.decode(data)
        if self._keys or not isinstance(rows, list):
            raise Malformed(_NO_RING)
        for row in rows:
            match row:
                case [dict() as info, list() as seeds] if all(
                    isinstance(seed, bytes) for seed in seeds
                ):
                    known = KeyInfo.from_value(info)
                    self._keys[known.handle] = _Key(known, [_secret(s) for s in seeds])
                case _:
                    raise Malformed(_NO_RING)

    def close(self) -> None:
        """Wipe every key."""
        for key in self._keys.values():
            for seed in key.seeds:
                seed.close()
        self._keys.clear()

    def _checked(self, algorithm: str, purpose: str, label: str) -> int:
        row = ALGORITHMS.get(algorithm)
        if row is None or not 0 < len(label) <= _MAX_LABEL:
            message = f"{algorithm!r} with a label of {len(label)}: no key is made so"
            raise Malformed(message)
        if self._suite_id not in row.suites and algorithm not in self._allowed:
            mine = [r.name for r in ALGORITHMS.values() if self._suite_id in r.suites]
            raise Refused.because(
                "key.algorithm",
                f"suite {self._suite_id}",
                expected=f"one of {', '.join(mine)}",
                got=algorithm,
                remedy="Take one of the suite, or allow this one for the ring.",
            )
        if purpose != row.purpose:
            raise _purpose(row.purpose, purpose)
        if len(self._keys) >= MAX_KEYS:
            message = f"an app has at most {MAX_KEYS} keys"
            raise LimitReached(message)
        return row.seed_bytes

    def _keep(
        self,
        algorithm: str,
        label: str,
        seed: bytes,
        origin: Literal["generated", "imported"],
    ) -> bytes:
        handle = self._random(HANDLE_BYTES)
        info = KeyInfo(
            handle=handle,
            algorithm=algorithm,
            purpose=ALGORITHMS[algorithm].purpose,
            label=label,
            versions=1,
            origin=origin,
            state="active",
        )
        self._keys[handle] = _Key(info, [_secret(seed)])
        return handle

    def _find(self, handle: bytes) -> _Key:
        key = self._keys.get(handle)
        if key is None:
            message = f"there is no key {handle.hex()[:8]} here"
            raise NotFound(message)
        return key

    def _usable(self, handle: bytes, *purposes: str) -> _Key:
        key = self._find(handle)
        if key.info.state == "shredded":
            raise Refused.because(
                "key.shredded",
                "key management",
                expected="a key that can be used",
                got=f"key {handle.hex()[:8]} ({key.info.label}), which was shredded",
                remedy="Make another key; what this one encrypted is lost for good.",
            )
        if purposes and key.info.purpose not in purposes:
            raise _purpose(" or ".join(purposes), key.info.purpose)
        return key

    def _cipher(self, key: _Key, at: int) -> SealingKey:
        return CIPHERS[key.info.algorithm][1](key.seeds[at].view)

    def _prover(self, key: _Key, at: int) -> ProvingKey:
        return {**SIGNATURES, **MACS}[key.info.algorithm][1](key.seeds[at].view)


def _secret(seed: bytes) -> SecretBuffer:
    held = SecretBuffer(len(seed))
    held.view[:] = seed
    return held


def _binds(algorithm: str) -> bool:
    """Whether an algorithm authenticates associated data."""
    return algorithm not in ("sm2-encrypt", "sm4-cbc", "sm4-ctr")


def _bound(handle: bytes, version: int, algorithm: str, aad: bytes) -> bytes:
    """Return what an encryption is bound to: the key it is of, and the caller's."""
    return cbor.encode([handle, version, algorithm, aad])


def _purpose(expected: str, got: str) -> Refused:
    return Refused.because(
        "key.purpose",
        "key management",
        expected=f"a key to {expected}",
        got=f"one to {got}",
        remedy="Make a key for this purpose: each has one (KM-3).",
    )


_NO_RING = "these are not the keys of an app, or the ring has keys already"
