# SPDX-License-Identifier: Apache-2.0
"""SM4 in CBC and CTR (GB/T 17964, SP 800-38A): encryption without authentication.

Whoever changes such a ciphertext changes the plaintext, and nothing here notices. It
is for exchange with systems that speak nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.padding import PKCS7

from strongroom.core.crypto.aead import check_key
from strongroom.core.crypto.buffers import Buffer, size
from strongroom.errors import Malformed

KEY_BYTES = BLOCK_BYTES = 16


@dataclass(frozen=True)
class BlockMode:
    """One mode of SM4 with an initial block of 16 bytes, used once a key.

    Attributes:
        padded: whether PKCS #7 (RFC 5652 section 6.3) fills the last block.
    """

    mode: Callable[[bytes], modes.CBC | modes.CTR]
    padded: bool

    def encrypt(self, key: Buffer, iv: bytes, plaintext: Buffer) -> bytes:
        """Return the ciphertext of `plaintext`."""
        cipher = self._cipher(key, iv).encryptor()
        data = bytes(plaintext)
        if self.padded:
            padder = PKCS7(8 * BLOCK_BYTES).padder()
            data = padder.update(data) + padder.finalize()
        return cipher.update(data) + cipher.finalize()

    def decrypt(self, key: Buffer, iv: bytes, ciphertext: Buffer) -> bytes:
        """Return the plaintext; nothing says that it is the one encrypted.

        Raises:
            Malformed: not whole blocks, or a padding that is none. Never tell the
                sender which: that is a padding oracle.
        """
        cipher = self._cipher(key, iv).decryptor()
        try:
            data = cipher.update(ciphertext) + cipher.finalize()
            if not self.padded:
                return data
            padder = PKCS7(8 * BLOCK_BYTES).unpadder()
            return padder.update(data) + padder.finalize()
        except ValueError as error:
            message = "this is not a ciphertext under that key"
            raise Malformed(message) from error

    def _cipher(self, key: Buffer, iv: bytes) -> Cipher[modes.CBC | modes.CTR]:
        check_key(key, KEY_BYTES)
        if size(iv) != BLOCK_BYTES:
            message = f"the initial block is {size(iv)} bytes, not {BLOCK_BYTES}"
            raise Malformed(message)
        return Cipher(SM4(bytes(key)), self.mode(iv))


SM4_CBC = BlockMode(modes.CBC, padded=True)
SM4_CTR = BlockMode(modes.CTR, padded=False)
