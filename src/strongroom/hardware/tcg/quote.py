# SPDX-License-Identifier: Apache-2.0
"""Quotes: a TPMS_ATTEST of a TPM2_Quote (TPM 2.0 Library 1.59, Part 2, 10.12).

Numbers are big-endian throughout. What was parsed is the word of nobody yet: see
`signature.verify_quote_signature`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Self

from strongroom.core.codec.cursor import Cursor
from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats.hardware import Field
from strongroom.errors import Malformed
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tcg.algorithms import (
    ALGORITHMS,
    SIZES,
    WEAK,
    Algorithm,
    hasher,
)

Pcrs = Mapping[Algorithm, Mapping[int, bytes]]
"""Values of registers by bank and index."""

_GENERATED, _QUOTE = 0xFF544347, 0x8018
"""TPM_GENERATED_VALUE, which no key of a TPM signs in data from outside."""
_MAX_DATA_BYTES, _MAX_BANKS, _MAX_SELECT_BYTES = 132, 16, 4
_KNOWN: dict[str, Algorithm] = {each: each for each in SIZES}
_CLOCK = Struct(">QIIBQ")


@dataclass(frozen=True, slots=True)
class Attest:
    """A quote as it was read; names are the specification's.

    `clock` is milliseconds, `reset_count` and `restart_count` count since the TPM was
    made or cleared. In `pcr_selections` a bank of a hash that nobody here knows is
    called by the hex of its TPM_ALG_ID.
    """

    qualified_signer: bytes
    extra_data: bytes
    clock: int
    reset_count: int
    restart_count: int
    safe: bool
    firmware_version: int
    pcr_selections: tuple[tuple[str, tuple[int, ...]], ...]
    pcr_digest: bytes
    raw: bytes
    _banks: tuple[int, ...]

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Read a TPMS_ATTEST.

        Raises:
            Malformed: not a quote made by a TPM, or bytes left over.
        """
        cursor = Cursor(data, what)
        if (cursor.big(4), cursor.big(2)) != (_GENERATED, _QUOTE):
            message = f"{what}: not a TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE"
            raise Malformed(message)
        signer, extra = sized(cursor, what), sized(cursor, what)
        clock, resets, restarts, safe, firmware = _CLOCK.unpack(
            cursor.take(_CLOCK.size)
        )
        selections = _selections(cursor, what)
        digest = sized(cursor, what)
        cursor.end()
        if safe > 1:
            message = f"{what}: {safe} is neither yes nor no"
            raise Malformed(message)
        return cls(
            qualified_signer=signer,
            extra_data=extra,
            clock=clock,
            reset_count=resets,
            restart_count=restarts,
            safe=bool(safe),
            firmware_version=firmware,
            pcr_selections=tuple(
                (ALGORITHMS.get(bank) or f"{bank:04x}", pcrs)
                for bank, pcrs in selections
            ),
            pcr_digest=digest,
            raw=data,
            _banks=tuple(bank for bank, _ in selections),
        )

    def fields(self) -> dict[str, Field]:
        """Return every field; an algorithm is the hex of its TPM_ALG_ID."""
        return {
            "qualified_signer": self.qualified_signer.hex(),
            "extra_data": self.extra_data.hex(),
            "clock": self.clock,
            "reset_count": self.reset_count,
            "restart_count": self.restart_count,
            "safe": int(self.safe),
            "firmware_version": f"{self.firmware_version:016x}",
            "pcr_selection": [
                {"alg": f"{bank:04x}", "pcrs": list(pcrs)}
                for bank, (_, pcrs) in zip(
                    self._banks, self.pcr_selections, strict=True
                )
            ],
            "pcr_digest": self.pcr_digest.hex(),
        }


def sized(cursor: Cursor, what: str) -> bytes:
    """Return the contents of a TPM2B: two bytes of length, then so many.

    Raises:
        Malformed: there are fewer, or more than any structure in a quote has.
    """
    size = cursor.big(2)
    if size > _MAX_DATA_BYTES:
        message = f"{what}: {size} bytes where at most {_MAX_DATA_BYTES} may be"
        raise Malformed(message)
    return cursor.take(size)


def check_banks(kind: str, attest: Attest) -> tuple[Algorithm, ...]:
    """Return the banks that a quote selects registers of, without SHA-1.

    Raises:
        Untrusted: `weak_algorithm`, where there is SHA-1 alone.
        Malformed: a bank of a hash that is not known.
    """
    banks = [bank for bank, pcrs in attest.pcr_selections if pcrs]
    unknown = [bank for bank in banks if bank not in SIZES]
    if unknown:
        raise refuse(
            kind,
            "format",
            "pcr_selection",
            expected=f"banks of {', '.join(SIZES)}",
            got=", ".join(unknown),
        )
    strong = tuple(each for each in SIZES if each in banks and each != WEAK)
    if banks and not strong:
        raise refuse(
            kind,
            "weak_algorithm",
            "pcr_bank",
            expected="registers of a bank of SHA-256 or better",
            got=", ".join(banks),
            remedy="Have the attester quote the SHA-256 bank.",
        )
    return strong


def check_pcrs(
    kind: str,
    attest: Attest,
    algorithm: Algorithm,
    pcrs: Pcrs,
    what: str = "pcr_digest",
) -> dict[Algorithm, dict[int, bytes]]:
    """Return the values of the registers that a quote selects, and of no others.

    1. Every selected register has a value of its bank's size.
    2. All of them, in the order of the selection, hash to the quoted digest.

    Args:
        kind: of the evidence, for rule ids.
        attest: the quote.
        algorithm: of its signature, with which a TPM digests registers (Part 3, 18.4).
        pcrs: the values that came beside it.
        what: names the quoted digest in rule ids.

    Raises:
        Untrusted: `measurement`.
    """
    # 1
    values: dict[Algorithm, dict[int, bytes]] = {}
    for name, indices in attest.pcr_selections:
        bank = _KNOWN.get(name)
        if bank is not None:
            given = pcrs.get(bank, {})
            values[bank] = {index: given.get(index, b"") for index in indices}
            _require_values(kind, bank, values[bank])
    # 2
    joined = b"".join(value for each in values.values() for value in each.values())
    digest = hasher(algorithm)(joined)
    if not constant_time_equal(digest, attest.pcr_digest):
        raise refuse(
            kind,
            "measurement",
            what,
            expected=f"registers that hash to {attest.pcr_digest.hex()[:16]}",
            got=f"some that hash to {digest.hex()[:16]}",
        )
    return values


def _require_values(kind: str, bank: Algorithm, values: Mapping[int, bytes]) -> None:
    size = SIZES[bank]
    wrong = [str(index) for index, value in values.items() if len(value) != size]
    if wrong:
        raise refuse(
            kind,
            "measurement",
            "pcrs",
            expected=f"a value of {size} bytes for every quoted register of {bank}",
            got=f"none or another for {', '.join(wrong)}",
        )


def _selections(cursor: Cursor, what: str) -> list[tuple[int, tuple[int, ...]]]:
    """Read a TPML_PCR_SELECTION (10.9.7)."""
    count = cursor.big(4)
    if count > _MAX_BANKS:
        message = f"{what}: {count} banks"
        raise Malformed(message)
    found = [selection(cursor, what) for _ in range(count)]
    if len({bank for bank, _ in found}) != count:
        message = f"{what}: the same bank twice"
        raise Malformed(message)
    return found


def selection(cursor: Cursor, what: str) -> tuple[int, tuple[int, ...]]:
    """Read a TPMS_PCR_SELECTION (10.6.2): the bank and the indices of registers.

    Raises:
        Malformed: more registers than a TPM has.
    """
    bank, size = cursor.big(2), cursor.big(1)
    if size > _MAX_SELECT_BYTES:
        message = f"{what}: a selection of {size} bytes"
        raise Malformed(message)
    return bank, indices_of(cursor.take(size))


def indices_of(bitmap: bytes) -> tuple[int, ...]:
    """Return which registers a bitmap selects: bit 0 of byte 0 is register 0."""
    bits = int.from_bytes(bitmap, "little")
    return tuple(index for index in range(8 * len(bitmap)) if bits >> index & 1)
