# SPDX-License-Identifier: Apache-2.0
"""The envelope of Intel's quotes, versions 3, 4 and 5 (Intel SGX and TDX DCAP API).

header 48 | [v5: body type 2, size 4] | body | length 4 | signature data

Whoever hands a quote out in a buffer of fixed size (Linux's configfs-tsm, Google's and
Azure's quote services) leaves zeros after it; Intel's library does not look at them.
"""

from typing import Literal, NamedTuple

from strongroom.core.codec.cursor import Cursor
from strongroom.core.rats.hardware import Field
from strongroom.errors import Malformed

ECDSA_P256 = 2
SGX_TEE, TDX_TEE = 0x00000000, 0x00000081
REPORT_BYTES = 384
_PCK_CHAIN, _QE_REPORT_DATA = 5, 6
_INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_BODIES: dict[int, int] = {1: REPORT_BYTES, 2: 584, 3: 648, 4: 885}
"""Size of a body by its type in version 5; versions 3 and 4 imply 1 and 1 or 2."""

Version = Literal[3, 4, 5]


class QuoteSignature(NamedTuple):
    """The signature data of an ECDSA quote; `chain` is empty unless it has a PCK's."""

    signature: bytes
    attestation_key: bytes
    qe_report: bytes
    qe_report_signature: bytes
    qe_authentication_data: bytes
    certification_type: int
    chain: bytes


class Quote(NamedTuple):
    """A quote in parts; `signed` is what its signature covers."""

    version: int
    tee_type: int
    header: bytes
    body_type: int
    body: bytes
    signed: bytes
    signature: QuoteSignature

    @classmethod
    def parse(cls, data: bytes, what: str) -> "Quote":
        """Read a whole quote, and zeros after it.

        Raises:
            Malformed: an unknown version or key type, cut, or with anything after it
                that is not zero.
        """
        cursor = Cursor(data, what)
        header = cursor.take(48)
        version = int.from_bytes(header[:2], "little")
        key_type = int.from_bytes(header[2:4], "little")
        tee_type = int.from_bytes(header[4:8], "little")
        if version not in (3, 4, 5) or key_type != ECDSA_P256:
            message = f"{what}: version {version} with key type {key_type} is unknown"
            raise Malformed(message)
        if header[12:28] != _INTEL_QE:
            message = f"{what}: made by a quoting enclave of another vendor than Intel"
            raise Malformed(message)
        body_type = _body_type(cursor, version, tee_type, what)
        body = cursor.take(_BODIES[body_type])
        signed = data[: cursor.position]
        signature = _signature(cursor.take(cursor.little(4)), version, what)
        after = cursor.rest()
        if after.strip(b"\0"):
            message = f"{what}: {len(after)} bytes after it, which are not all zero"
            raise Malformed(message)
        return cls(version, tee_type, header, body_type, body, signed, signature)

    def header_fields(self) -> dict[str, Field]:
        """Return the header's fields by Intel's names."""
        header = self.header
        return {
            "quote_version": self.version,
            "att_key_type": ECDSA_P256,
            "tee_type": header[4:8].hex(),
            "qe_vendor_id": header[12:28].hex(),
            "user_data": header[28:48].hex(),
        }


def _body_type(cursor: Cursor, version: int, tee_type: int, what: str) -> int:
    """Return the type of the body, which must be one of the TEE that is named."""
    implied = {SGX_TEE: 1, TDX_TEE: 2}.get(tee_type, 0)
    if version < 5:  # noqa: PLR2004 - the first version that names it
        found = implied if version > 3 or tee_type == SGX_TEE else 0  # noqa: PLR2004
    else:
        found, size = cursor.little(2), cursor.little(4)
        if _BODIES.get(found) != size or (found == 1) != (implied == 1) or not implied:
            found = 0
    if not found:
        message = f"{what}: version {version} has no such body for TEE {tee_type:#x}"
        raise Malformed(message)
    return found


def _signature(data: bytes, version: int, what: str) -> QuoteSignature:
    cursor = Cursor(data, f"{what}: signature data")
    signature, key = cursor.take(64), cursor.take(64)
    inner = cursor
    if version > 3:  # noqa: PLR2004 - from version 4 on the QE's report is wrapped
        if cursor.little(2) != _QE_REPORT_DATA:
            message = f"{what}: the QE's report is not certification data of type 6"
            raise Malformed(message)
        inner = Cursor(cursor.take(cursor.little(4)), f"{what}: QE report data")
        cursor.end()
    report, report_signature = inner.take(REPORT_BYTES), inner.take(64)
    authentication = inner.take(inner.little(2))
    kind = inner.little(2)
    certificates = inner.take(inner.little(4))
    inner.end()
    return QuoteSignature(
        signature,
        key,
        report,
        report_signature,
        authentication,
        kind,
        certificates if kind == _PCK_CHAIN else b"",
    )
