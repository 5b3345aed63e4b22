# SPDX-License-Identifier: Apache-2.0
"""SM4-GCM (GB/T 32907, GB/T 36624, RFC 8998): libgcrypt where it is, else OpenSSL.

libgcrypt has vector code without tables in memory (five times the speed);
`cryptography` is everywhere. Both give the same bytes.
"""

import ctypes
from abc import abstractmethod
from collections import deque
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from strongroom.core.crypto.aead import (
    TAG_BYTES,
    Aead,
    check_key,
    check_sizes,
    tampered,
    wrong_room,
)
from strongroom.core.crypto.buffers import Buffer, pinned, size, wipe
from strongroom.core.crypto.native import INT, POINTER, SIZE, declare, find
from strongroom.errors import Misconfigured

KEY_BYTES = 16

_CIPHER_SM4, _MODE_GCM = 318, 9
_DISABLE_SECMEM, _INITIALIZED, _IS_INITIALIZED = 37, 38, 39
_PROTOTYPES = {
    "gcry_check_version": (ctypes.c_char_p, (ctypes.c_char_p,)),
    "gcry_control": (ctypes.c_uint, (INT,)),
    "gcry_cipher_open": (ctypes.c_uint, (POINTER, INT, INT, ctypes.c_uint)),
    "gcry_cipher_close": (None, (POINTER,)),
    "gcry_cipher_setkey": (ctypes.c_uint, (POINTER, POINTER, SIZE)),
    "gcry_cipher_setiv": (ctypes.c_uint, (POINTER, POINTER, SIZE)),
    "gcry_cipher_authenticate": (ctypes.c_uint, (POINTER, POINTER, SIZE)),
    "gcry_cipher_encrypt": (ctypes.c_uint, (POINTER, POINTER, SIZE, POINTER, SIZE)),
    "gcry_cipher_decrypt": (ctypes.c_uint, (POINTER, POINTER, SIZE, POINTER, SIZE)),
    "gcry_cipher_gettag": (ctypes.c_uint, (POINTER, POINTER, SIZE)),
    "gcry_cipher_checktag": (ctypes.c_uint, (POINTER, POINTER, SIZE)),
}


def sm4_gcm(key: Buffer) -> Aead:
    """Return SM4-GCM under `key` by the fastest library that is here."""
    return GcryptSm4Gcm(key) if libgcrypt() else PortableSm4Gcm(key)


@cache
def libgcrypt() -> ctypes.CDLL | None:
    """Return libgcrypt, ready for SM4-GCM, or None where that cannot be had."""
    library = find(("libgcrypt.so.20", "libgcrypt.20.dylib"), "gcrypt")
    if library is None or not declare(library, _PROTOTYPES):
        return None
    if not library.gcry_check_version(None):
        return None
    if not library.gcry_control(_IS_INITIALIZED, INT(0)):
        library.gcry_control(_DISABLE_SECMEM, INT(0))
        library.gcry_control(_INITIALIZED, INT(0))
    probe = POINTER()
    if library.gcry_cipher_open(ctypes.byref(probe), _CIPHER_SM4, _MODE_GCM, 0):
        return None  # older than 1.9, or in FIPS mode
    library.gcry_cipher_close(probe)
    return library


class _Handle:
    """One `gcry_cipher_hd_t` with its key set; closing it wipes the key schedule."""

    def __init__(self, library: ctypes.CDLL, key: Buffer) -> None:
        self.library, self.pointer = library, POINTER()
        opened = library.gcry_cipher_open(
            ctypes.byref(self.pointer), _CIPHER_SM4, _MODE_GCM, 0
        )
        with pinned(key) as address:
            if opened or library.gcry_cipher_setkey(self.pointer, address, KEY_BYTES):
                message = "libgcrypt refused an SM4 key: update libgcrypt20"
                raise Misconfigured(message)

    def start(self, nonce: Buffer, aad: Buffer) -> bool:
        with pinned(nonce) as address:
            failed = self.library.gcry_cipher_setiv(self.pointer, address, size(nonce))
        if size(aad) and not failed:
            with pinned(aad) as address:
                failed = self.library.gcry_cipher_authenticate(
                    self.pointer, address, size(aad)
                )
        return not failed

    def __del__(self) -> None:
        self.library.gcry_cipher_close(self.pointer)


class _Sm4Gcm(Aead):
    """What must hold before a library is given addresses, and after it refused."""

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        """Write ciphertext and tag into `out`."""
        check_sizes(nonce, data, aad)
        if size(out) != size(data) + TAG_BYTES:
            raise wrong_room(out, size(data) + TAG_BYTES)
        self._encrypt_into(nonce, data, aad, out)

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        """Write the plaintext into `out`."""
        check_sizes(nonce, data, aad)
        length = size(data) - TAG_BYTES
        if length >= 0 and size(out) != length:
            raise wrong_room(out, length)
        if length < 0 or not self._decrypt_into(nonce, data, aad, out):
            wipe(out)
            raise tampered()

    @abstractmethod
    def _encrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None: ...

    @abstractmethod
    def _decrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> bool: ...


class GcryptSm4Gcm(_Sm4Gcm):
    """SM4-GCM by libgcrypt; one cipher handle for each thread at work."""

    def __init__(self, key: Buffer) -> None:
        check_key(key, KEY_BYTES)
        library = libgcrypt()
        if library is None:
            message = "libgcrypt with SM4-GCM is missing: install libgcrypt20 >= 1.9"
            raise Misconfigured(message)
        self._library = library
        self._key = bytearray(key)
        self._idle = deque([_Handle(library, key)])

    def _encrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        call, length, handle = self._library, size(data), self._take()
        with pinned(data) as source, pinned(out, writable=True) as target:
            done = (
                handle.start(nonce, aad)
                and not call.gcry_cipher_encrypt(
                    handle.pointer, target, length, source, length
                )
                and not call.gcry_cipher_gettag(
                    handle.pointer, target + length, TAG_BYTES
                )
            )
        if not done:
            wipe(out)
            message = "libgcrypt could not encrypt with SM4-GCM: update libgcrypt20"
            raise Misconfigured(message)
        self._idle.append(handle)

    def _decrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> bool:
        call, length, handle = self._library, size(out), self._take()
        with pinned(data) as source, pinned(out, writable=True) as target:
            done = (
                handle.start(nonce, aad)
                and not call.gcry_cipher_decrypt(
                    handle.pointer, target, length, source, length
                )
                and not call.gcry_cipher_checktag(
                    handle.pointer, source + length, TAG_BYTES
                )
            )
        self._idle.append(handle)
        return done

    def _take(self) -> _Handle:
        try:
            return self._idle.pop()
        except IndexError:
            return _Handle(self._library, self._key)

    def __del__(self) -> None:
        if hasattr(self, "_key"):
            wipe(self._key)


class PortableSm4Gcm(_Sm4Gcm):
    """SM4-GCM by `cryptography`."""

    def __init__(self, key: Buffer) -> None:
        check_key(key, KEY_BYTES)
        self._algorithm = SM4(bytes(key))

    def _encrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        cipher = Cipher(self._algorithm, modes.GCM(bytes(nonce))).encryptor()
        cipher.authenticate_additional_data(aad)
        room = memoryview(out).cast("B")
        cipher.update_into(data, room[:-TAG_BYTES])
        cipher.finalize()
        room[-TAG_BYTES:] = cipher.tag

    def _decrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> bool:
        source = memoryview(data).cast("B")
        tag = bytes(source[-TAG_BYTES:])
        cipher = Cipher(self._algorithm, modes.GCM(bytes(nonce), tag)).decryptor()
        cipher.authenticate_additional_data(aad)
        cipher.update_into(source[:-TAG_BYTES], out)
        try:
            cipher.finalize()
        except InvalidTag:
            return False
        return True
