# SPDX-License-Identifier: Apache-2.0
"""What passes between the crypto service and its callers; nothing here is secret."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

Purpose = Literal["encrypt", "sign", "mac", "derive", "wrap", "agree"]
"""The one thing that a key is for (KM-3)."""

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

Origin = Literal["generated", "derived", "imported"]

MAX_LABEL = 128


Handle: TypeAlias = bytes
"""The opaque name of a key, 16 bytes: all that a caller ever has of it."""

HANDLE_BYTES = 16
ROOT: Handle = b"root"
"""The app root key: a source of derivation, and nothing else can be done with it."""


def as_purpose(text: str) -> Purpose:
    """Return a purpose that somebody wrote.

    Raises:
        Malformed: there is none of that name.
    """
    for purpose in PURPOSES:
        if purpose == text:
            return purpose
    message = f"the purpose of a key is one of {', '.join(PURPOSES)}"
    raise Malformed(message)


@dataclass(frozen=True)
class KeySpec(Record):
    """What a key is for, fixed when it is made.

    Attributes:
        extractable: whether it may leave, wrapped under another key and only so.
    """

    purpose: Purpose
    algorithm: str
    label: str
    extractable: bool = False

    def __post_init__(self) -> None:
        """Refuse labels that no log could show."""
        if not 0 < len(self.label) <= MAX_LABEL or not self.label.isprintable():
            message = f"a key's label is 1 to {MAX_LABEL} printable letters"
            raise Malformed(message)


@dataclass(frozen=True)
class Source(Record):
    """What a version of a key was derived from: key, its version, and the salt."""

    key: Handle
    version: int
    salt: bytes


@dataclass(frozen=True)
class KeyVersion(Record):
    """One version of a key.

    Attributes:
        created: Unix seconds by the clock that the ring was given.
        public: the public half, empty where there is none.
        messages: how many messages it has encrypted.
        source: what it was derived from, None where it cannot be derived again.
        shredded: whether its bytes are gone.
    """

    number: int
    created: int
    origin: Origin
    public: bytes
    messages: int = 0
    source: Source | None = None
    shredded: bool = False


@dataclass(frozen=True)
class KeyInfo(Record):
    """Everything about a key but the key.

    Attributes:
        versions: oldest first; the last one serves new operations.
        shredded: whether every version is, for good.
    """

    id: Handle
    spec: KeySpec
    versions: tuple[KeyVersion, ...]
    shredded: bool = False

    def __post_init__(self) -> None:
        """Refuse a key without a version."""
        if not self.versions:
            message = "a key has at least one version"
            raise Malformed(message)

    @property
    def newest(self) -> KeyVersion:
        """The version that serves new operations."""
        return self.versions[-1]


@dataclass(frozen=True)
class PublicKey(Record):
    """A public key with the algorithm that fixes what it is for."""

    TYPE: ClassVar[str] = "strongroom/public-key/v1"

    algorithm: str
    raw: bytes


@dataclass(frozen=True)
class _ByKey(Record):
    """What names the key that made it."""

    key: Handle
    version: int
    algorithm: str


@dataclass(frozen=True)
class Ciphertext(_ByKey):
    """An authenticated ciphertext; everything before `body` is authenticated too.

    Of SM2 encryption, whose `body` is the DER of GB/T 35276, nobody knows the sender
    and only the data is bound.
    """

    TYPE: ClassVar[str] = "strongroom/ciphertext/v1"

    nonce: bytes
    body: bytes


@dataclass(frozen=True)
class UnauthenticatedCiphertext(_ByKey):
    """A ciphertext that anybody can change unnoticed: another type, on purpose."""

    TYPE: ClassVar[str] = "strongroom/unauthenticated-ciphertext/v1"

    iv: bytes
    body: bytes


@dataclass(frozen=True)
class Signature(_ByKey):
    """A signature; `value` is what the algorithm's own standard says it is."""

    TYPE: ClassVar[str] = "strongroom/signature/v1"

    value: bytes


@dataclass(frozen=True)
class Tag(_ByKey):
    """A message authentication code."""

    TYPE: ClassVar[str] = "strongroom/tag/v1"

    value: bytes


@dataclass(frozen=True)
class WrappedKey(_ByKey):
    """A key under another key, with what it is for; `key` is the wrapping one."""

    TYPE: ClassVar[str] = "strongroom/wrapped-key/v1"

    spec: KeySpec
    nonce: bytes
    body: bytes
