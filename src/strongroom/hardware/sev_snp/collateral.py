# SPDX-License-Identifier: Apache-2.0
"""Endorsement keys of AMD's: VCEK and VLEK certificates, and how they travel.

"Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface" (AMD 57230),
section 3: what a certificate is for stands in private extensions. A host hands its
certificates to guests as a table (GHCB specification, AMD 56421, section 4.1.8.1).
"""

from dataclasses import dataclass
from typing import Literal, Self
from uuid import UUID

from strongroom.core.codec.cursor import Cursor
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed
from strongroom.hardware.sev_snp.tcb import (
    Product,
    TcbVersion,
    product_of_name,
)

Role = Literal["vcek", "vlek"]

_ARC = "1.3.6.1.4.1.3704.1"
_PRODUCT, _HWID, _CSP_ID = f"{_ARC}.2", f"{_ARC}.4", f"{_ARC}.5"
_SPLS = {"bl": 1, "tee": 2, "snp": 3, "ucode": 8, "fmc": 9}
_INTEGER, _OCTETS, _IA5 = 0x02, 0x04, 0x16
_MAX_SVN = 255
_LONG_FORM = 0x80

_CHIP_ID_BYTES = 64
_TURIN_HWID_BYTES = 8

MAX_TABLE_BYTES = 64 << 10
_ROLES = {
    UUID("63da758d-e664-4564-adc5-f4b93be8accd"): "vcek",
    UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"): "vlek",
    UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"): "intermediate",
}
_MAX_ENTRIES = 16


@dataclass(frozen=True)
class EndorsementKey:
    """What a VCEK or VLEK certificate says that its key is for: UNVERIFIED.

    A VCEK is of one chip (`hwid`) at one TCB, a VLEK of one cloud (`csp_id`) at one
    TCB: the other of the two is None.
    """

    certificate: Certificate
    product: Product
    tcb: TcbVersion
    hwid: bytes | None
    csp_id: str | None

    @classmethod
    def parse(cls, certificate: Certificate, role: Role) -> Self:
        """Read the extensions of a certificate that is to be of `role`.

        Raises:
            Malformed: one is missing, ill-formed, or of the other role.
        """
        product = product_of_name(_text(certificate, _PRODUCT))
        hwid = certificate.extension(_HWID)
        csp_id = certificate.extension(_CSP_ID)
        if (role == "vcek") != (hwid is not None) or (role == "vlek") != (
            csp_id is not None
        ):
            message = f"SNP certificate: not the extensions of a {role}"
            raise Malformed(message)
        return cls(
            certificate,
            product,
            _tcb(certificate, product),
            None if hwid is None else _hwid(hwid, product),
            None if csp_id is None else _text(certificate, _CSP_ID),
        )

    def is_valid(self, now: int) -> bool:
        """Whether the certificate itself is in its time; its chain is another thing."""
        return self.certificate.not_before <= now <= self.certificate.not_after

    def is_of_chip(self, chip_id: bytes) -> bool:
        """Whether this is a key of that chip, as far as `chip_id` names one.

        A report has zeros where the host masks the chip's id, and a VLEK is of no
        chip: then there is nothing to compare, and the signature alone tells.
        """
        if self.hwid is None or not any(chip_id):
            return True
        return self.hwid.ljust(_CHIP_ID_BYTES, b"\0") == chip_id


def read_table(table: bytes) -> dict[str, tuple[bytes, ...]]:
    """Read the certificates that a host gave with a report, by role.

    What they are worth their chains say. Entries of other kinds are left out: a
    root comes from the verifier's own configuration.

    Raises:
        Malformed: not a table, or an entry that points outside of it.
    """
    found: dict[str, tuple[bytes, ...]] = {}
    if len(table) > MAX_TABLE_BYTES:
        message = f"SNP certificate table: more than {MAX_TABLE_BYTES} bytes"
        raise Malformed(message)
    cursor = Cursor(table, "SNP certificate table")
    for _ in range(_MAX_ENTRIES):
        guid = cursor.take(16)
        offset, size = cursor.little(4), cursor.little(4)
        if not any(guid):
            return found
        if offset + size > len(table):
            message = "SNP certificate table: an entry points outside of it"
            raise Malformed(message)
        # the specification gives the GUIDs as text; both orders of bytes are met
        role = _ROLES.get(UUID(bytes=guid)) or _ROLES.get(UUID(bytes_le=guid))
        if role:
            found[role] = (*found.get(role, ()), table[offset : offset + size])
    message = f"SNP certificate table: more than {_MAX_ENTRIES} entries"
    raise Malformed(message)


def _tcb(certificate: Certificate, product: Product) -> TcbVersion:
    names = tuple(_SPLS) if product == "turin" else tuple(_SPLS)[:-1]
    return TcbVersion(**{name: _svn(certificate, _SPLS[name]) for name in names})


def _svn(certificate: Certificate, spl: int) -> int:
    svn = int.from_bytes(_value(certificate, f"{_ARC}.3.{spl}", _INTEGER), "big")
    if svn > _MAX_SVN:
        message = f"SNP certificate: a security version of {svn}"
        raise Malformed(message)
    return svn


def _text(certificate: Certificate, oid: str) -> str:
    try:
        return _value(certificate, oid, _IA5).decode("ascii")
    except UnicodeDecodeError as error:
        message = f"SNP certificate: extension {oid} is not ASCII"
        raise Malformed(message) from error


def _hwid(value: bytes, product: Product) -> bytes:
    """Read the hwID: the bytes alone, or an OCTET STRING of them."""
    size = _TURIN_HWID_BYTES if product == "turin" else _CHIP_ID_BYTES
    if value[:2] == bytes((_OCTETS, size)) and len(value) == size + 2:
        return value[2:]
    if len(value) != size:
        message = f"SNP certificate: a hwID of {len(value)} bytes in place of {size}"
        raise Malformed(message)
    return value


def _value(certificate: Certificate, oid: str, tag: int) -> bytes:
    """Return the content of the one short DER value that an extension is."""
    value = certificate.extension(oid)
    if value is None:
        message = f"SNP certificate: no extension {oid}"
        raise Malformed(message)
    cursor = Cursor(value, f"SNP certificate: extension {oid}")
    found, size = cursor.take(2)
    if found != tag or not 0 < size < _LONG_FORM:
        message = f"SNP certificate: extension {oid} is not as the KDS writes it"
        raise Malformed(message)
    content = cursor.take(size)
    cursor.end()
    return content
