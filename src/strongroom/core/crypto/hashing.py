# SPDX-License-Identifier: Apache-2.0
"""Hash, HMAC (RFC 2104) and HKDF (RFC 5869) over one digest.

`SM3` is GB/T 32905 (ISO/IEC 10118-3), the `SHA` ones are FIPS 180-4.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from strongroom.core.crypto.buffers import Buffer
from strongroom.errors import Malformed


class Hasher:
    """A digest, keyed or not, that is fed piece by piece."""

    def __init__(self, state: hashes.Hash | HMAC) -> None:
        self._state = state

    def update(self, data: Buffer) -> None:
        """Feed `data`."""
        self._state.update(data)

    def digest(self) -> bytes:
        """Return the digest of all that was fed so far; feeding may go on."""
        return self._state.copy().finalize()


@dataclass(frozen=True)
class Hashing:
    """The functions that one hash algorithm gives."""

    algorithm: hashes.HashAlgorithm

    @property
    def digest_bytes(self) -> int:
        """The length of a digest."""
        return self.algorithm.digest_size

    def hasher(self) -> Hasher:
        """Return an empty digest."""
        return Hasher(hashes.Hash(self.algorithm))

    def keyed(self, key: Buffer) -> Hasher:
        """Return an empty HMAC under `key`, which is not needed any more then."""
        return Hasher(HMAC(key, self.algorithm))

    def digest(self, *parts: Buffer) -> bytes:
        """Return the digest of `parts` one after another, with no lengths between."""
        state = hashes.Hash(self.algorithm)
        for part in parts:
            state.update(part)
        return state.finalize()

    def mac(self, key: Buffer, *parts: Buffer) -> bytes:
        """Return the HMAC of `parts` one after another."""
        state = HMAC(key, self.algorithm)
        for part in parts:
            state.update(part)
        return state.finalize()

    def extract(self, salt: bytes, key: Buffer) -> bytes:
        """HKDF-Extract (RFC 5869 section 2.2)."""
        return HKDF.extract(self.algorithm, salt or None, key)

    def expand(self, key: Buffer, info: bytes, length: int) -> bytes:
        """HKDF-Expand (RFC 5869 section 2.3).

        Raises:
            Malformed: a length that RFC 5869 does not allow.
        """
        self._check_length(length)
        return HKDFExpand(self.algorithm, length, info).derive(key)

    def hkdf(self, key: Buffer, *, salt: bytes, info: bytes, length: int) -> bytes:
        """HKDF, extract then expand.

        Raises:
            Malformed: a length that RFC 5869 does not allow.
        """
        self._check_length(length)
        return HKDF(self.algorithm, length, salt or None, info).derive(key)

    def hkdf_into(
        self, key: Buffer, *, salt: bytes, info: bytes, out: bytearray | memoryview
    ) -> None:
        """HKDF straight into `out`, which may be secret memory.

        Raises:
            Malformed: a length that RFC 5869 does not allow.
        """
        self._check_length(len(out))
        HKDF(self.algorithm, len(out), salt or None, info).derive_into(key, out)

    def _check_length(self, length: int) -> None:
        limit = 255 * self.digest_bytes
        if not 0 < length <= limit:
            message = f"HKDF gives 1 to {limit} bytes, not {length}"
            raise Malformed(message)


SM3 = Hashing(hashes.SM3())
SHA256 = Hashing(hashes.SHA256())
"""For structures of other people, of no suite: TPM 2.0."""
SHA384 = Hashing(hashes.SHA384())
SHA512 = Hashing(hashes.SHA512())
