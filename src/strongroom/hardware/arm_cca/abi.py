# SPDX-License-Identifier: Apache-2.0
"""The CCA token: a platform token and a realm token, side by side.

    399({44234: << platform token >>, 44241: << realm token >>})
    907({44234: [263, << platform token >>], 44241: [263, << realm token >>]})

The first is the collection of RMM 1.0, the second the CMW collection of later tools
(draft-ietf-rats-msg-wrap). Each token is a COSE_Sign1 with tag 18.
Source of keys and ranges: draft-ffm-rats-cca-token, sections 4 and 5.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from strongroom.core.codec import foreign_cbor
from strongroom.core.codec.foreign_cbor import Key, Tag, Value
from strongroom.core.codec.foreign_cose import (
    SIGN1,
    ForeignSign1,
    elliptic_key,
    point_key,
)
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.errors import Malformed

WHAT: Final = "CCA token"
COLLECTION_TAGS: Final = (399, 907)
PLATFORM, REALM = 44234, 44241
_CWT = 61
"""The CBOR tag that a CWT may have around its COSE_Sign1 (RFC 8392 section 6)."""

PROFILE, NONCE, INSTANCE_ID = 265, 10, 256
LIFECYCLE, IMPLEMENTATION_ID, SOFTWARE, CONFIG = 2395, 2396, 2399, 2401
PLATFORM_HASH = 2402
PERSONALIZATION, REALM_HASH, REALM_KEY = 44235, 44236, 44237
INITIAL, EXTENSIBLE, KEY_HASH = 44238, 44239, 44240

_COMPONENT_TYPE, _COMPONENT_MEASUREMENT, _COMPONENT_SIGNER = 1, 2, 5
_HASH_BYTES = (32, 48, 64)
_REALM_NONCE_BYTES, _PERSONALIZATION_BYTES, _REMS = 64, 64, 4
_IMPLEMENTATION_BYTES, _INSTANCE_BYTES, _RAND = 32, 33, 1
_UNCOMPRESSED = 4

_PLATFORM_PROFILES = re.compile(
    r"http://arm\.com/CCA-SSD/1\.0\.0|tag:arm\.com,\d{4}:cca_platform#1\.\d+\.\d+",
    re.ASCII,
)
_REALM_PROFILES = re.compile(r"tag:arm\.com,\d{4}:realm#1\.\d+\.\d+", re.ASCII)

LIFECYCLES: Final[Mapping[int, str]] = {
    0x00: "unknown",
    0x10: "assembly-and-test",
    0x20: "cca-platform-rot-provisioning",
    0x30: "secured",
    0x40: "non-cca-platform-rot-debug",
    0x50: "recoverable-cca-platform-rot-debug",
    0x60: "decommissioned",
}
"""States by bits 15 to 8 of the claim; bits 7 to 0 are the implementation's own."""

T = TypeVar("T")


@dataclass(frozen=True)
class PlatformClaims:
    """What the platform's root of trust says; `claims` is all of it, by key."""

    claims: dict[Key, Value]
    profile: str
    challenge: bytes
    implementation_id: bytes
    instance_id: bytes
    lifecycle: int
    components: tuple[tuple[str, bytes], ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse the payload of a platform token.

        Raises:
            Malformed: a claim is missing or not as the profile has it.
        """
        claims = _claims(data)
        profile = _claim(claims, PROFILE, str)
        if not _PLATFORM_PROFILES.fullmatch(profile):
            message = f"{WHAT}: no platform profile that is known: {profile[:64]!r}"
            raise Malformed(message)
        instance = _sized(claims, INSTANCE_ID, (_INSTANCE_BYTES,))
        if instance[0] != _RAND:
            message = f"{WHAT}: claim {INSTANCE_ID} is no UEID of type RAND"
            raise Malformed(message)
        _claim(claims, CONFIG, bytes)
        _claim(claims, PLATFORM_HASH, str)
        lifecycle = _claim(claims, LIFECYCLE, int)
        if lifecycle < 0 or lifecycle >> 8 not in LIFECYCLES:
            message = f"{WHAT}: {lifecycle:#x} is no state of a lifecycle"
            raise Malformed(message)
        return cls(
            claims=claims,
            profile=profile,
            challenge=_sized(claims, NONCE, _HASH_BYTES),
            implementation_id=_sized(
                claims, IMPLEMENTATION_ID, (_IMPLEMENTATION_BYTES,)
            ),
            instance_id=instance,
            lifecycle=lifecycle,
            components=_components(_claim(claims, SOFTWARE, list)),
        )

    @property
    def secured(self) -> bool:
        """Whether the platform is in the one state in which nobody may look inside."""
        return LIFECYCLES[self.lifecycle >> 8] == "secured"


@dataclass(frozen=True)
class RealmClaims:
    """What the realm management monitor says; `claims` is all of it, by key."""

    claims: dict[Key, Value]
    challenge: bytes
    public_key: bytes
    public_key_hash: str
    initial: bytes
    extensible: tuple[bytes, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse the payload of a realm token.

        Raises:
            Malformed: a claim is missing or not as the profile has it.
        """
        claims = _claims(data)
        if PROFILE in claims and not _REALM_PROFILES.fullmatch(
            _claim(claims, PROFILE, str)
        ):
            message = f"{WHAT}: no realm profile that is known"
            raise Malformed(message)
        _sized(claims, PERSONALIZATION, (_PERSONALIZATION_BYTES,))
        _claim(claims, REALM_HASH, str)
        rems = _claim(claims, EXTENSIBLE, list)
        if len(rems) != _REMS:
            message = f"{WHAT}: claim {EXTENSIBLE} has {_REMS} measurements"
            raise Malformed(message)
        return cls(
            claims=claims,
            challenge=_sized(claims, NONCE, (_REALM_NONCE_BYTES,)),
            public_key=_claim(claims, REALM_KEY, bytes),
            public_key_hash=_claim(claims, KEY_HASH, str),
            initial=_sized(claims, INITIAL, _HASH_BYTES),
            extensible=tuple(_hash(each, EXTENSIBLE) for each in rems),
        )

    def key(self) -> ForeignKey:
        """Return the realm attestation key: a point (RMM 1.0) or a COSE_Key.

        Raises:
            Malformed: neither.
        """
        if self.public_key[:1] == bytes([_UNCOMPRESSED]):
            return point_key(self.public_key, WHAT)
        return elliptic_key(foreign_cbor.decode(self.public_key, WHAT), WHAT)


@dataclass(frozen=True)
class Token:
    """A CCA token as it was read: nothing of it is verified.

    `cbor_tag` is that of the collection, or None where it has none.
    """

    cbor_tag: int | None
    platform: ForeignSign1
    realm: ForeignSign1

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse a token.

        Raises:
            Malformed: it is not one.
        """
        value, tag = foreign_cbor.decode(data, WHAT), None
        if isinstance(value, Tag) and value.number in COLLECTION_TAGS:
            tag, value = value
        if not isinstance(value, dict):
            message = f"{WHAT}: not a collection of tokens"
            raise Malformed(message)
        return cls(tag, _token(value, PLATFORM), _token(value, REALM))


def _token(collection: dict[Key, Value], label: int) -> ForeignSign1:
    entry = collection.get(label)
    if isinstance(entry, list) and len(entry) in (2, 3):
        # a record of draft-ietf-rats-msg-wrap: [type, value, ? indicator]
        entry = entry[1]
    if not isinstance(entry, bytes):
        message = f"{WHAT}: no token {label}"
        raise Malformed(message)
    value = foreign_cbor.decode(entry, WHAT)
    if isinstance(value, Tag) and value.number == _CWT:
        value = value.value
    if not isinstance(value, Tag) or value.number != SIGN1:
        message = f"{WHAT}: token {label} is not a tagged COSE_Sign1"
        raise Malformed(message)
    return ForeignSign1.of(value, WHAT)


def _claims(data: bytes) -> dict[Key, Value]:
    claims = foreign_cbor.decode(data, WHAT)
    if not isinstance(claims, dict):
        message = f"{WHAT}: claims are a map"
        raise Malformed(message)
    return claims


def _claim(claims: dict[Key, Value], key: int, kind: type[T]) -> T:
    value = claims.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        message = f"{WHAT}: claim {key} is missing or no {kind.__name__}"
        raise Malformed(message)
    return value


def _sized(claims: dict[Key, Value], key: int, sizes: tuple[int, ...]) -> bytes:
    value = _claim(claims, key, bytes)
    if len(value) not in sizes:
        message = f"{WHAT}: claim {key} has {len(value)} bytes"
        raise Malformed(message)
    return value


def _hash(value: Value, key: int) -> bytes:
    if not isinstance(value, bytes) or len(value) not in _HASH_BYTES:
        message = f"{WHAT}: claim {key} holds something that is no digest"
        raise Malformed(message)
    return value


def _components(values: list[Value]) -> tuple[tuple[str, bytes], ...]:
    """Return type and measurement of each component, in the platform's order."""
    found = []
    for value in values:
        if not isinstance(value, dict):
            message = f"{WHAT}: claim {SOFTWARE} is a list of maps"
            raise Malformed(message)
        name = value.get(_COMPONENT_TYPE, "")
        if not isinstance(name, str):
            message = f"{WHAT}: the type of a component is text"
            raise Malformed(message)
        _hash(value.get(_COMPONENT_SIGNER), SOFTWARE)
        found.append((name, _hash(value.get(_COMPONENT_MEASUREMENT), SOFTWARE)))
    if not found:
        message = f"{WHAT}: claim {SOFTWARE} names no component"
        raise Malformed(message)
    return tuple(found)
