# SPDX-License-Identifier: Apache-2.0
"""PE images as UEFI loads them: sections, and the digest that firmware measures.

Layout: Microsoft PE Format; the digest: Windows Authenticode Portable Executable
Signature Format, "Calculating the PE Image Hash". Only images are read, not objects.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from strongroom.errors import Malformed

_DOS, _PE = b"MZ", b"PE\0\0"
_PE_OFFSET, _COFF_BYTES, _SECTION_BYTES = 0x3C, 20, 40
_PE32, _PE32_PLUS = 0x10B, 0x20B
_DIRECTORIES = {_PE32: 96, _PE32_PLUS: 112}
"""Where the data directories begin in the optional header, by its magic."""
_SIZE_OF_HEADERS, _CHECKSUM, _CERTIFICATES = 60, 64, 4
_CHECKSUM_BYTES, _DIRECTORY_BYTES = 4, 8
_MAX_SECTIONS = 96

Hash = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Section:
    """One section: its name, where it is in the file, how long it is in memory."""

    name: str
    offset: int
    size: int
    virtual_size: int


@dataclass(frozen=True)
class PeImage:
    """An image whose headers hold together.

    Attributes:
        data: the whole file.
        sections: in the order of the section table.
        headers_end: SizeOfHeaders.
        checksum_at: offset of the CheckSum field.
        directory_at: offset of the certificate table's data directory entry.
        certificates: offset and size of the certificate table, or zeros.
    """

    data: bytes
    sections: tuple[Section, ...]
    headers_end: int
    checksum_at: int
    directory_at: int
    certificates: tuple[int, int]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the headers.

        Raises:
            Malformed: no PE image, or one that contradicts itself.
        """
        try:
            return cls._parse(data)
        except struct.error as error:
            message = "not a PE image: it ends in its headers"
            raise Malformed(message) from error

    @classmethod
    def _parse(cls, data: bytes) -> Self:
        (pe_at,) = struct.unpack_from("<I", data, _PE_OFFSET)
        if data[:2] != _DOS or data[pe_at : pe_at + 4] != _PE:
            message = "not a PE image: its signatures are missing"
            raise Malformed(message)
        count, optional_bytes = struct.unpack_from("<2xH12xH", data, pe_at + 4)
        optional_at = pe_at + 4 + _COFF_BYTES
        (magic,) = struct.unpack_from("<H", data, optional_at)
        directories = _DIRECTORIES.get(magic)
        if directories is None or count > _MAX_SECTIONS:
            message = "a PE image of an unknown form, or of too many sections"
            raise Malformed(message)
        (entries,) = struct.unpack_from("<I", data, optional_at + directories - 4)
        directory_at = optional_at + directories + _CERTIFICATES * _DIRECTORY_BYTES
        table_at = optional_at + optional_bytes
        if entries <= _CERTIFICATES or directory_at + _DIRECTORY_BYTES > table_at:
            message = "a PE image without a place for signatures"
            raise Malformed(message)
        (headers_end,) = struct.unpack_from("<I", data, optional_at + _SIZE_OF_HEADERS)
        image = cls(
            data=data,
            sections=tuple(
                _section(data, table_at + index * _SECTION_BYTES)
                for index in range(count)
            ),
            headers_end=headers_end,
            checksum_at=optional_at + _CHECKSUM,
            directory_at=directory_at,
            certificates=struct.unpack_from("<II", data, directory_at),
        )
        image._check(table_at + count * _SECTION_BYTES)
        return image

    def _check(self, table_end: int) -> None:
        size = len(self.data)
        at, length = self.certificates
        signed = length > 0
        if not table_end <= self.headers_end <= size:
            message = "a PE image whose headers end where they cannot"
            raise Malformed(message)
        if signed and (at < self.headers_end or at + length != size):
            message = "a PE image whose signatures are not at its end"
            raise Malformed(message)
        end = self.headers_end
        for each in sorted(self._stored, key=lambda each: each.offset):
            if each.offset < end or each.offset + each.size > size - length:
                message = f"a PE image whose section {each.name} lies over others"
                raise Malformed(message)
            end = each.offset + each.size

    @property
    def _stored(self) -> list[Section]:
        return [each for each in self.sections if each.size]

    def section(self, name: str) -> bytes | None:
        """Return a section's data as it is in memory, zeros after what is stored.

        Raises:
            Malformed: two sections have this name.
        """
        found = [each for each in self.sections if each.name == name]
        if len(found) > 1:
            message = f"a PE image with two sections {name}"
            raise Malformed(message)
        for each in found:
            stored = self.data[each.offset : each.offset + each.size]
            return stored[: each.virtual_size].ljust(each.virtual_size, b"\0")
        return None

    def authenticode(self, digest: Hash) -> bytes:
        """Return the image's digest, the same signed or not.

        1. The headers, without the checksum and the entry of the certificate table.
        2. Every section that is stored, by its offset.
        3. What follows the sections, up to the certificate table.
        """
        data, length = self.data, self.certificates[1]
        # 1
        parts = [
            data[: self.checksum_at],
            data[self.checksum_at + _CHECKSUM_BYTES : self.directory_at],
            data[self.directory_at + _DIRECTORY_BYTES : self.headers_end],
        ]
        # 2
        hashed = self.headers_end
        for each in sorted(self._stored, key=lambda each: each.offset):
            parts.append(data[each.offset : each.offset + each.size])
            hashed += each.size
        # 3
        if len(data) > hashed + length:
            parts.append(data[hashed : len(data) - length])
        return digest(b"".join(parts))


def _section(data: bytes, at: int) -> Section:
    name, virtual, size, offset = struct.unpack_from("<8sI4xII16x", data, at)
    if virtual > max(len(data), size) + _MAX_SLACK:
        message = "a PE image with a section far longer than the file"
        raise Malformed(message)
    text = name.rstrip(b"\0").decode("ascii", "backslashreplace")
    return Section(text, offset, size, virtual)


_MAX_SLACK = 64 << 20
"""How much memory beyond the file a section may ask for (.bss), bytes."""
