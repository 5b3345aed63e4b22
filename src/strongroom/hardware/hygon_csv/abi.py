# SPDX-License-Identifier: Apache-2.0
"""The attestation report of a CSV guest, versions 1 (legacy) and 2 (extended).

Version 1, which CSV, CSV2 and CSV3 firmware gives: 180 bytes are signed as they were
sent; each word, and the PEK certificate and the chip's serial number after it, is
XORed with `anonce`. Version 2, of CSV3 firmware from build 2337 on: 1024 bytes are
signed, nothing is XORed, and five RTMRs are in it. Either may be padded to a page.
Source: openanolis/csv-rs, api/guest/types.rs; Hygon's csv devkit (attestation).
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

from strongroom.core.crypto import constant_time_equal
from strongroom.core.crypto.hashing import SM3
from strongroom.errors import Malformed
from strongroom.hardware.hygon_csv.certificate import (
    CHIP_BYTES,
    PEK,
    SM2_SIGNING,
    looks_like_pek,
    signature,
)

WHAT: Final = "CSV report"
PAGE_BYTES: Final = 4096
RTMRS: Final = 5

_FIELDS = struct.Struct("<32s16s16s64s16s32sI")
_ALGORITHM = struct.Struct("<II")
_EXTENSION = struct.Struct("<IH14s32s32s32s32s32s656s")
_SIGNATURE = struct.Struct("<72s72s")
_SIGNER = struct.Struct(f"<{CHIP_BYTES}s64s32s32s")

_SIGNED_1 = _FIELDS.size
_SIGNED_2 = _FIELDS.size + _ALGORITHM.size + _EXTENSION.size
_ANONCE_AT, _ANONCE_BYTES = _FIELDS.size + _ALGORITHM.size, 4
_INFO_1 = _ANONCE_AT + _ANONCE_BYTES + _SIGNATURE.size
_INFO_2 = _SIGNED_2 + _SIGNATURE.size
REPORT_1_BYTES: Final = _INFO_1 + _SIGNER.size
REPORT_2_BYTES: Final = _INFO_2 + _SIGNER.size

_NODBG = 1


@dataclass(frozen=True)
class Policy:
    """What the guest's owner lets the host do (GuestPolicy of the CSV API)."""

    value: int

    @property
    def debug(self) -> bool:
        """Whether the host may debug the guest: NODBG is not set."""
        return not self.value & _NODBG

    def bits(self) -> dict[str, int]:
        """Return the parts of the policy by their names."""
        names = ("nodbg", "noks", "es", "nosend", "domain", "csv", "csv3", "asid_reuse")
        found = {name: self.value >> i & 1 for i, name in enumerate(names)}
        return found | {
            "hsk_version": self.value >> 8 & 0xF,
            "cek_version": self.value >> 12 & 0xF,
            "api_major": self.value >> 16 & 0xFF,
            "api_minor": self.value >> 24 & 0xFF,
        }


@dataclass(frozen=True)
class Extension:
    """What version 2 adds: the firmware's build and the runtime registers."""

    build: int
    rtmr_version: int
    reserved0: bytes
    rtmrs: tuple[bytes, ...]
    reserved1: bytes


@dataclass(frozen=True)
class Report:
    """A report as it was read: UNVERIFIED. Fields are without the XOR of `anonce`.

    Attributes:
        version: 1 or 2.
        signed: what the signature is over, as it was sent.
        r_s: the signature, two big-endian halves.
        anonce: what version 1 was XORed with; b"" in version 2.
        pek_certificate: in plain.
        chip_serial: what the chip calls itself, or None where its MAC is lost.
    """

    version: int
    user_pubkey_digest: bytes
    vm_id: bytes
    vm_version: bytes
    report_data: bytes
    mnonce: bytes
    measure: bytes
    policy: Policy
    anonce: bytes
    extension: Extension | None
    signed: bytes
    r_s: bytes
    pek_certificate: bytes
    chip_serial: bytes | None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse a report of either version, padded with zeros to a page or not.

        Raises:
            Malformed: it is of another length or version, its signature of another
                key or algorithm than the PEK's SM2, its padding not zero, or the MAC
                over the certificate and serial number not its own.
        """
        if len(data) == PAGE_BYTES:
            # what follows a legacy report is zeros; an extended one has its MAC there
            short = not any(data[REPORT_1_BYTES:])
            data = _unpadded(data, REPORT_1_BYTES if short else REPORT_2_BYTES)
        if len(data) == REPORT_1_BYTES:
            return cls._parse_1(data)
        if len(data) == REPORT_2_BYTES:
            return cls._parse_2(data)
        message = f"{WHAT}: {len(data)} bytes are of no version that is known"
        raise Malformed(message)

    @classmethod
    def _parse_1(cls, data: bytes) -> Self:
        anonce = data[_ANONCE_AT : _ANONCE_AT + _ANONCE_BYTES]
        fields = masked(data[:_ANONCE_AT], anonce)
        signer = data[_INFO_1:]
        return cls._of(
            data, fields, (1, anonce), None, _signer(signer, anonce, fields[128:144])
        )

    @classmethod
    def _parse_2(cls, data: bytes) -> Self:
        build, rtmr_version, reserved0, *rtmrs, reserved1 = _EXTENSION.unpack_from(
            data, _ANONCE_AT
        )
        extension = Extension(build, rtmr_version, reserved0, tuple(rtmrs), reserved1)
        signer = _signer(data[_INFO_2:], b"", data[128:144])
        return cls._of(data, data, (2, b""), extension, signer)

    @classmethod
    def _of(
        cls,
        data: bytes,
        fields: bytes,
        version: tuple[int, bytes],
        extension: Extension | None,
        signer: tuple[bytes, bytes | None],
    ) -> Self:
        if _ALGORITHM.unpack_from(fields, _FIELDS.size) != (PEK, SM2_SIGNING):
            message = f"{WHAT}: signed by another key or algorithm than the PEK's SM2"
            raise Malformed(message)
        digest, vm_id, vm_version, report_data, mnonce, measure, policy = (
            _FIELDS.unpack_from(fields)
        )
        ends = _SIGNED_1 if extension is None else _SIGNED_2
        at = (_INFO_1 if extension is None else _INFO_2) - _SIGNATURE.size
        return cls(
            version=version[0],
            user_pubkey_digest=digest,
            vm_id=vm_id,
            vm_version=vm_version,
            report_data=report_data,
            mnonce=mnonce,
            measure=measure,
            policy=Policy(policy),
            anonce=version[1],
            extension=extension,
            signed=data[:ends],
            r_s=signature(*_SIGNATURE.unpack_from(data, at)),
            pek_certificate=signer[0],
            chip_serial=signer[1],
        )


def masked(data: bytes, anonce: bytes) -> bytes:
    """Return `data`, whole words, XORed with `anonce`; it is its own inverse."""
    mask = anonce * (len(data) // _ANONCE_BYTES)
    number = int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")
    return number.to_bytes(len(data), "little")


def _unpadded(data: bytes, length: int) -> bytes:
    if any(data[length:]):
        message = f"{WHAT}: padded with something else than zeros"
        raise Malformed(message)
    return data[:length]


def _signer(data: bytes, anonce: bytes, mnonce: bytes) -> tuple[bytes, bytes | None]:
    """Return the PEK certificate and the serial number, in plain.

    They are sent XORed, with a MAC under `mnonce`. The guest library of csv-rs takes
    the XOR away and sets `reserved` to zeros; then the MAC cannot be recomputed, and
    the serial number, which nothing else covers, is not a claim.
    """
    plain = looks_like_pek(data) or not anonce
    body, mac = data[: -SM3.digest_bytes], data[-SM3.digest_bytes :]
    named = body[: CHIP_BYTES + 64]
    other = masked(named, anonce) if anonce else named
    reserved = body[CHIP_BYTES + 64 :]
    sent, certificate = (other, named) if plain else (named, other)
    if constant_time_equal(SM3.mac(mnonce, sent, reserved), mac):
        serial: bytes | None = certificate[CHIP_BYTES:]
    elif plain and not any(reserved):
        serial = None
    else:
        message = f"{WHAT}: the MAC of certificate and serial number is another's"
        raise Malformed(message)
    return certificate[:CHIP_BYTES], serial
