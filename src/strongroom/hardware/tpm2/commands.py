# SPDX-License-Identifier: Apache-2.0
"""The commands of TPM 2.0 that this project uses (TPM 2.0 Library, Part 3)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.core.codec.cursor import Cursor
from strongroom.core.crypto import SecretBuffer
from strongroom.errors import Malformed
from strongroom.hardware.tpm2.client import PASSWORD, Answer, Tpm

OWNER, NULL, ENDORSEMENT = 0x40000001, 0x40000007, 0x4000000B
SHA256 = 0x000B
SHA256_BYTES = 32
_NULL_ALGORITHM = 0x0010
_POLICY_SESSION = 1
_NONCE_BYTES = 16
_PCRS_A_READ = 8
_PCR_BYTES = 3

_CREATE_PRIMARY, _CREATE, _LOAD, _FLUSH = 0x131, 0x153, 0x157, 0x165
_QUOTE, _HMAC, _GET_RANDOM, _READ_CLOCK = 0x158, 0x155, 0x17B, 0x181
_PCR_EXTEND, _PCR_READ = 0x182, 0x17E
_START_SESSION, _POLICY_PCR = 0x176, 0x17F
_NV_DEFINE, _NV_INCREMENT, _NV_READ = 0x12A, 0x134, 0x14E
_GET_CAPABILITY, _SHUTDOWN = 0x17A, 0x145

_TPM_PROPERTIES = 6
_MANUFACTURER, _VENDOR_STRING = 0x105, 0x106
_VENDOR_STRINGS = 4

_COUNTER = 1 << 4 | 1 << 1 | 1 << 2 | 1 << 17 | 1 << 18 | 1 << 25
"""TPMA_NV: TPM_NT_COUNTER, owner and auth may write and read, no dictionary attack."""


@dataclass(frozen=True)
class Clock:
    """How often the TPM was reset, and restarted since."""

    reset_count: int
    restart_count: int


def sized(data: bytes) -> bytes:
    """Return a TPM2B structure: a length of two bytes and the bytes."""
    return len(data).to_bytes(2, "big") + data


def take_sized(cursor: Cursor) -> bytes:
    """Take a TPM2B structure."""
    return cursor.take(cursor.big(2))


def selection(pcrs: Sequence[int]) -> bytes:
    """Return a TPML_PCR_SELECTION of the SHA-256 bank."""
    bits = sum(1 << each for each in set(pcrs))
    return struct.pack(">IHB", 1, SHA256, _PCR_BYTES) + bits.to_bytes(
        _PCR_BYTES, "little"
    )


def create_primary(tpm: Tpm, hierarchy: int, template: bytes) -> tuple[int, bytes]:
    """Return handle and public area (TPMT_PUBLIC) of a hierarchy's key."""
    parameters = _creation(template)
    answer = tpm.run(
        _CREATE_PRIMARY,
        [hierarchy],
        parameters,
        sessions=[PASSWORD],
        makes_handle=True,
    )
    return answer.handle, take_sized(answer.cursor())


def create(tpm: Tpm, parent: int, template: bytes) -> tuple[bytes, bytes]:
    """Return a new key under `parent`: its wrapped private part, its public area."""
    cursor = tpm.run(
        _CREATE, [parent], _creation(template), sessions=[PASSWORD]
    ).cursor()
    return take_sized(cursor), take_sized(cursor)


def load(tpm: Tpm, parent: int, private: bytes, public: bytes) -> int:
    """Return the handle of a key that `create` made."""
    parameters = sized(private) + sized(public)
    answer = tpm.run(
        _LOAD, [parent], parameters, sessions=[PASSWORD], makes_handle=True
    )
    return answer.handle


def flush(tpm: Tpm, handle: int) -> None:
    """Let go of a loaded key or a session."""
    tpm.run(_FLUSH, [handle])


def quote(
    tpm: Tpm, key: int, extra_data: bytes, pcrs: Sequence[int]
) -> tuple[bytes, bytes]:
    """Return TPMS_ATTEST and TPMT_SIGNATURE over PCRs and `extra_data`."""
    parameters = (
        sized(extra_data) + _NULL_ALGORITHM.to_bytes(2, "big") + selection(pcrs)
    )
    cursor = tpm.run(_QUOTE, [key], parameters, sessions=[PASSWORD]).cursor()
    return take_sized(cursor), cursor.rest()


def hmac(
    tpm: Tpm, key: int, message: bytes, session: int, secret: SecretBuffer
) -> None:
    """Put HMAC-SHA-256 of `message` under a key in the TPM into `secret`."""
    parameters = sized(message) + SHA256.to_bytes(2, "big")
    tpm.run_secret(_HMAC, [key], parameters, session, secret)


def get_random(tpm: Tpm, n: int) -> bytes:
    """Return `n` bytes of the TPM's generator, which gives a few at a time.

    Raises:
        Malformed: it gave none, or more than it was asked for.
    """
    parts, left = [], n
    while left:
        wanted = min(left, SHA256_BYTES)
        parameters = wanted.to_bytes(2, "big")
        part = take_sized(tpm.run(_GET_RANDOM, parameters=parameters).cursor())
        if not 0 < len(part) <= wanted:
            message = f"{tpm.name} gave {len(part)} random bytes for {wanted}"
            raise Malformed(message)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_clock(tpm: Tpm) -> Clock:
    """Return the TPM's counts of resets and restarts."""
    cursor = tpm.run(_READ_CLOCK).cursor()
    cursor.take(16)  # time and clock
    return Clock(cursor.big(4), cursor.big(4))


def pcr_extend(tpm: Tpm, pcr: int, digest: bytes) -> None:
    """Extend a PCR of the SHA-256 bank; there is no way back but a reset."""
    values = struct.pack(">IH", 1, SHA256) + digest
    tpm.run(_PCR_EXTEND, [pcr], values, sessions=[PASSWORD])


def pcr_read(tpm: Tpm, pcrs: Sequence[int]) -> dict[int, bytes]:
    """Return the values of PCRs of the SHA-256 bank; a TPM without it gives none."""
    values: dict[int, bytes] = {}
    wanted = sorted(set(pcrs))
    for begin in range(0, len(wanted), _PCRS_A_READ):
        some = wanted[begin : begin + _PCRS_A_READ]
        cursor = tpm.run(_PCR_READ, parameters=selection(some)).cursor()
        cursor.take(4 + len(selection(some)))
        digests = [take_sized(cursor) for _ in range(cursor.big(4))]
        values.update(zip(some, digests, strict=False))
    return values


def start_pcr_policy(tpm: Tpm, nonce: bytes, pcrs: Sequence[int]) -> int:
    """Return a policy session that holds as long as these PCRs do not change."""
    parameters = (
        sized(nonce[:_NONCE_BYTES])
        + sized(b"")
        + struct.pack(">BHH", _POLICY_SESSION, _NULL_ALGORITHM, SHA256)
    )
    session = tpm.run(
        _START_SESSION, [NULL, NULL], parameters, makes_handle=True
    ).handle
    tpm.run(_POLICY_PCR, [session], sized(b"") + selection(pcrs))
    return session


def pcr_policy_bytes(pcrs: Sequence[int], pcr_digest: bytes) -> bytes:
    """Return what a TPM hashes for the policy PolicyPCR (Part 3, section 23.7)."""
    zero = bytes(SHA256_BYTES)
    return zero + _POLICY_PCR.to_bytes(4, "big") + selection(pcrs) + pcr_digest


def nv_define_counter(tpm: Tpm, index: int) -> None:
    """Make a counter that only counts up."""
    public = struct.pack(">IHIHH", index, SHA256, _COUNTER, 0, 8)
    tpm.run(_NV_DEFINE, [OWNER], sized(b"") + sized(public), sessions=[PASSWORD])


def nv_increment(tpm: Tpm, index: int) -> None:
    """Add one to a counter."""
    tpm.run(_NV_INCREMENT, [index, index], sessions=[PASSWORD])


def nv_counter(tpm: Tpm, index: int) -> int:
    """Return the value of a counter."""
    parameters = struct.pack(">HH", 8, 0)
    answer = tpm.run(_NV_READ, [index, index], parameters, sessions=[PASSWORD])
    return int.from_bytes(take_sized(answer.cursor()), "big")


def model(tpm: Tpm) -> str:
    """Return what the TPM calls itself: manufacturer and vendor strings."""
    maker = _properties(tpm, _MANUFACTURER, 1)
    strings = _properties(tpm, _VENDOR_STRING, _VENDOR_STRINGS)
    words = (
        part.replace(b"\0", b" ").decode("ascii", "replace").split()
        for part in (maker, strings)
    )
    return " ".join(word for part in words for word in part)


def shutdown(tpm: Tpm) -> None:
    """Tell the TPM that its power goes (TPM2_Shutdown(CLEAR))."""
    tpm.run(_SHUTDOWN, parameters=b"\0\0")


def _properties(tpm: Tpm, first: int, count: int) -> bytes:
    parameters = struct.pack(">III", _TPM_PROPERTIES, first, count)
    cursor = _capability(tpm.run(_GET_CAPABILITY, parameters=parameters))
    pairs = [(cursor.big(4), cursor.take(4)) for _ in range(cursor.big(4))]
    return b"".join(value for name, value in pairs if first <= name < first + count)


def _capability(answer: Answer) -> Cursor:
    cursor = answer.cursor()
    cursor.take(1 + 4)  # whether there is more; which capability
    return cursor


def _creation(template: bytes) -> bytes:
    """Return the parameters of a creation: no password, no data, no PCRs noted."""
    sensitive = sized(b"") + sized(b"")
    return sized(sensitive) + sized(template) + sized(b"") + bytes(4)
