# SPDX-License-Identifier: Apache-2.0
"""Authenticated encryption: one shape for every cipher, fail closed.

Nonces are 12 bytes and tags 16, always whole. A ciphertext is data then tag. The
`_into` forms write into memory the caller owns, which must not overlap the input;
what a failed decryption left there is wiped before the error is raised.
"""

from abc import ABC, abstractmethod

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from strongroom.core.crypto.buffers import Buffer, filled, size, wipe
from strongroom.errors import LimitReached, Malformed, Tampered

NONCE_BYTES = 12
TAG_BYTES = 16
MAX_DATA_BYTES = 2**31 - 1 - TAG_BYTES


class Aead(ABC):
    """A cipher with its key; safe to share between threads."""

    def encrypt(self, nonce: Buffer, data: Buffer, aad: Buffer) -> bytes:
        """Return the ciphertext and tag of `data`; a nonce serves once a key."""
        return filled(
            size(data) + TAG_BYTES,
            lambda out: self.encrypt_into(nonce, data, aad, out),
        )

    def decrypt(self, nonce: Buffer, data: Buffer, aad: Buffer) -> bytes:
        """Return the plaintext of `data`.

        Raises:
            Tampered: the key, the nonce, `data` or `aad` is not the one sealed.
        """
        if size(data) < TAG_BYTES:
            raise tampered()
        return filled(
            size(data) - TAG_BYTES,
            lambda out: self.decrypt_into(nonce, data, aad, out),
        )

    @abstractmethod
    def encrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        """Write ciphertext and tag into `out`, exactly 16 bytes longer than `data`.

        Raises:
            Malformed: `nonce` or `out` has the wrong length.
            LimitReached: too much at once.
        """

    @abstractmethod
    def decrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        """Write the plaintext into `out`, exactly 16 bytes shorter than `data`.

        Raises:
            Malformed: `nonce` or `out` has the wrong length.
            LimitReached: too much at once.
            Tampered: the key, the nonce, `data` or `aad` is not the one sealed.
        """


class _Library(Aead):
    """A cipher of `cryptography`'s.

    It takes buffers of bytes only and compares their lengths itself, all but the
    nonce's, so each is looked at twice only to say what was wrong. After a megabyte
    no line of Python is in the processor's cache any more, and each one tells.
    """

    KEY_BYTES = 32

    def __init__(self, key: Buffer, cipher: type[AESGCM | ChaCha20Poly1305]) -> None:
        check_key(key, self.KEY_BYTES)
        self._cipher = cipher(key)
        self._seal, self._open = self._cipher.encrypt_into, self._cipher.decrypt_into

    def encrypt(self, nonce: Buffer, data: Buffer, aad: Buffer) -> bytes:
        """Return the ciphertext and tag of `data`, in memory that is written once."""
        check_sizes(nonce, data, aad)
        return self._cipher.encrypt(nonce, data, aad)

    def decrypt(self, nonce: Buffer, data: Buffer, aad: Buffer) -> bytes:
        """Return the plaintext of `data`, in memory that is written once."""
        check_sizes(nonce, data, aad)
        try:
            return self._cipher.decrypt(nonce, data, aad)
        except InvalidTag as error:
            raise tampered() from error

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        """Write ciphertext and tag into `out`."""
        if len(nonce) != NONCE_BYTES or not len(data) <= MAX_DATA_BYTES >= len(aad):
            check_sizes(nonce, data, aad)
        try:
            self._seal(nonce, data, aad, out)
        except ValueError as error:
            raise wrong_room(out, size(data) + TAG_BYTES) from error

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        """Write the plaintext into `out`."""
        if len(nonce) != NONCE_BYTES or not len(data) <= MAX_DATA_BYTES >= len(aad):
            check_sizes(nonce, data, aad)
        try:
            self._open(nonce, data, aad, out)
        except InvalidTag as error:
            wipe(out)
            raise tampered() from error
        except ValueError as error:
            raise wrong_room(out, size(data) - TAG_BYTES) from error


class AesGcm(_Library):
    """AES-256-GCM (SP 800-38D)."""

    def __init__(self, key: Buffer) -> None:
        super().__init__(key, AESGCM)


class ChaCha20(_Library):
    """ChaCha20-Poly1305 (RFC 8439)."""

    def __init__(self, key: Buffer) -> None:
        super().__init__(key, ChaCha20Poly1305)


def tampered() -> Tampered:
    """Return the one answer to every failed decryption."""
    refusal = Tampered.because(
        rule="aead.tag",
        owner="core",
        expected="data, associated data, nonce and key as they were sealed",
        got="a tag that does not match",
        remedy="Get the original again, or the key it was sealed with.",
    )
    return Tampered(refusal.message, refusal.findings)


def check_key(key: Buffer, length: int) -> None:
    """Refuse a key of the wrong length.

    Raises:
        Malformed: `key` is not `length` bytes.
    """
    if size(key) != length:
        message = f"the key is {size(key)} bytes, not {length}"
        raise Malformed(message)


def check_sizes(nonce: Buffer, data: Buffer, aad: Buffer) -> None:
    """Refuse what no AEAD takes.

    Raises:
        Malformed: a nonce of the wrong length.
        LimitReached: too much at once.
    """
    if size(nonce) != NONCE_BYTES:
        message = f"the nonce is {size(nonce)} bytes, not {NONCE_BYTES}"
        raise Malformed(message)
    if max(size(data), size(aad)) > MAX_DATA_BYTES:
        message = f"one message of AEAD is at most {MAX_DATA_BYTES} bytes"
        raise LimitReached(message)


def wrong_room(out: Buffer, out_bytes: int) -> Malformed:
    """Return the refusal of an output of another length than `out_bytes`."""
    message = f"the output has room for {size(out)} bytes, not {out_bytes}"
    return Malformed(message)
