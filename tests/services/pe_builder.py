# SPDX-License-Identifier: Apache-2.0
"""PE images in the real layout, small and by hand."""

from dataclasses import dataclass, field
from struct import pack

PE_AT, ALIGN = 0x80, 512
OPTIONAL_AT = PE_AT + 4 + 20


@dataclass(frozen=True)
class Pe:
    """What an image is made of; `table_order` may differ from the order in the file."""

    sections: dict[str, bytes] = field(default_factory=dict)
    plus: bool = True
    directories: int = 16
    trailing: bytes = b""
    certificate: bytes = b""
    checksum: int = 0
    reverse_table: bool = False

    @property
    def certificate_entry(self) -> int:
        """Offset of the certificate table's data directory entry."""
        return OPTIONAL_AT + (112 if self.plus else 96) + 4 * 8

    @property
    def headers(self) -> int:
        return 1024

    def build(self) -> bytes:
        offset, rows, body = self.headers, [], b""
        for name, data in self.sections.items():
            stored = data.ljust(-(-len(data) // ALIGN) * ALIGN, b"\0")
            at = offset if stored else 0
            row = pack("<8sIIII", name.encode(), len(data), 0x1000, len(stored), at)
            rows.append(row + bytes(16))
            offset, body = offset + len(stored), body + stored
        rows = rows[::-1] if self.reverse_table else rows
        end = offset + len(self.trailing)
        image = bytearray(
            self._headers(len(rows), end) + b"".join(rows).ljust(self.headers, b"\0")
        )[: self.headers]
        return bytes(image) + body + self.trailing + self.certificate

    def _headers(self, count: int, end: int) -> bytes:
        base = 112 if self.plus else 96
        optional = bytearray(base + 8 * self.directories)
        optional[:2] = pack("<H", 0x20B if self.plus else 0x10B)
        optional[60:68] = pack("<II", self.headers, self.checksum)
        optional[base - 4 : base] = pack("<I", self.directories)
        if self.certificate:
            optional[base + 32 : base + 40] = pack("<II", end, len(self.certificate))
        dos = b"MZ".ljust(0x3C, b"\0") + pack("<I", PE_AT)
        coff = pack("<HHIIIHH", 0x8664, count, 0, 0, 0, len(optional), 0x22)
        return dos.ljust(PE_AT, b"\0") + b"PE\0\0" + coff + bytes(optional)
