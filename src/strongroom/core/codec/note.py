# SPDX-License-Identifier: Apache-2.0
"""Signed notes (c2sp.org/signed-note): a text and the signatures under it.

    <text, ends in a newline>
    <empty line>
    — <key name> base64(key id, 4 bytes || signature)

Ed25519 keys have the type byte 0x01. SM2 has none, so its type is 0xff and a long
identifier, as the specification advises, and its key id is cut from SM3.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Self

from strongroom.core.codec.merkle import tree_hash
from strongroom.core.crypto import SigningKey, VerifyingKey, suite
from strongroom.errors import Malformed, Untrusted

MAX_NOTE_BYTES = 1 << 18
MAX_SIGNATURES = 64
KEY_ID_BYTES = 4
_DASH = "\N{EM DASH} "
_TYPES = {"intl": b"\x01", "sm": b"\xffstrongroom/sm2-sm3/v1\x00"}


@dataclass(frozen=True)
class NoteKey:
    """A verification key under the name that its signature lines carry."""

    name: str
    key: VerifyingKey

    def __post_init__(self) -> None:
        """Refuse a name that could not stand in a signature line."""
        _check_name(self.name)

    @property
    def key_id(self) -> bytes:
        """The first four bytes of H(name || newline || type || public key)."""
        encoded = _TYPES[self.key.suite_id] + self.key.raw
        hashed = tree_hash(self.key.suite_id).digest
        return hashed(self.name.encode() + b"\n" + encoded)[:KEY_ID_BYTES]

    def to_text(self) -> str:
        """Return the key in one line: name+key id in hex+base64(type || key)."""
        encoded = _TYPES[self.key.suite_id] + self.key.raw
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(encoded).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `to_text` wrote.

        Raises:
            Malformed: anything else.
        """
        name, _, rest = text.partition("+")
        encoded = decode_base64(rest.partition("+")[2], "a note key")
        for suite_id, kind in _TYPES.items():
            if encoded.startswith(kind):
                raw = encoded[len(kind) :]
                key = cls(name, suite(suite_id).verifying_key(raw))
                if key.to_text() == text:
                    return key
        message = "this line is not a note key of a known type"
        raise Malformed(message)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line; says nothing until its note is verified."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note, not yet trusted: read `text` through `verify`."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse a note (section "Format").

        Raises:
            Malformed: bytes that are not a signed note.
        """
        text, _, tail = _decode(data).rpartition("\n\n")
        lines = tail.split("\n")
        if not text or not tail.endswith("\n") or len(lines) > MAX_SIGNATURES + 1:
            message = "a signed note is a text, an empty line and signature lines"
            raise Malformed(message)
        return cls(text + "\n", tuple(map(_parse_signature, lines[:-1])))

    def verify(self, key: NoteKey) -> str:
        """Return the text, if `key` signed it.

        Signatures of other keys are passed over, as the specification asks.

        Raises:
            Untrusted: no signature of this key, or one that does not hold.
        """
        mine = [
            line
            for line in self.signatures
            if (line.name, line.key_id) == (key.name, key.key_id)
        ]
        if not mine:
            refusal = Untrusted.because(
                "note.signature",
                "c2sp.org/signed-note",
                expected=f"a signature of {key.name} ({key.key_id.hex()})",
                got=", ".join(line.name for line in self.signatures)[:200],
                remedy="Check that the note and the key belong to the same log.",
            )
            raise Untrusted(refusal.message, refusal.findings)
        for line in mine:
            key.key.verify(line.signature, self.text.encode())
        return self.text


def sign_note(text: str, name: str, key: SigningKey) -> bytes:
    """Return a note with one signature, under the key name `name`.

    Raises:
        Malformed: a text or a name that no note can hold.
    """
    if not text.endswith("\n") or _has_control(text):
        message = "a note's text ends in a newline and has no control characters"
        raise Malformed(message)
    signer = NoteKey(name, key.public)
    line = signer.key_id + key.sign(text.encode())
    return f"{text}\n{_DASH}{name} {base64.b64encode(line).decode()}\n".encode()


def decode_base64(text: str, what: str) -> bytes:
    """Return the bytes of canonical standard base64 (RFC 4648 section 4).

    Raises:
        Malformed: any other text.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        message = f"{what} is not base64"
        raise Malformed(message) from error
    if base64.b64encode(data).decode() != text:
        message = f"{what} is not canonical base64"
        raise Malformed(message)
    return data


def _decode(data: bytes) -> str:
    if len(data) > MAX_NOTE_BYTES:
        message = f"a note of {len(data)} bytes is over the limit of {MAX_NOTE_BYTES}"
        raise Malformed(message)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        message = "a note is UTF-8"
        raise Malformed(message) from error
    if _has_control(text):
        message = "a note has no control characters"
        raise Malformed(message)
    return text


def _has_control(text: str) -> bool:
    return any(letter < " " and letter != "\n" for letter in text)


def _check_name(name: str) -> None:
    if not name or "+" in name or not name.isprintable() or name.split() != [name]:
        message = "a note key name is printable, without spaces and plus signs"
        raise Malformed(message)


def _parse_signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        message = "a note ends with signature lines"
        raise Malformed(message)
    _check_name(name)
    data = decode_base64(encoded, "a note signature")
    if len(data) <= KEY_ID_BYTES:
        message = "a note signature is a key id and a signature"
        raise Malformed(message)
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])
