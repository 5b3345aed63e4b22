# SPDX-License-Identifier: Apache-2.0
"""Values of registers beside a quote, in the forms that software writes them.

json        {"sha256": {"0": "<hex>", ...}}
serialized  what tpm2-tools write: C structures as they lie in memory, little-endian:
            TPML_PCR_SELECTION, a count, and so many TPML_DIGEST
"""

import json
from struct import Struct

from strongroom.errors import Malformed
from strongroom.hardware.tcg.algorithms import ALGORITHMS, SIZES, Algorithm
from strongroom.hardware.tcg.quote import Pcrs, indices_of

_MAX_JSON_BYTES = 64 << 10
_MAX_INDEX = 31

_CALLED: dict[str, Algorithm] = {**{each: each for each in SIZES}, "sm3_256": "sm3"}

_COUNT = Struct("<I")
_SELECTION = Struct("<HB4sx")
_SELECTIONS, _DIGESTS = 16, 8
_DIGEST = Struct("<H64s")
_HEAD_BYTES = _COUNT.size + _SELECTIONS * _SELECTION.size
_LIST_BYTES = _COUNT.size + _DIGESTS * _DIGEST.size
_MAX_LISTS = 64


def read_json(data: bytes, what: str) -> Pcrs:
    """Read registers by bank and index, in hex.

    Raises:
        Malformed: another form, a bank that is not known, or a register twice.
    """
    if len(data) > _MAX_JSON_BYTES:
        message = f"{what}: more than {_MAX_JSON_BYTES} bytes"
        raise Malformed(message)
    try:
        banks = json.loads(data, object_pairs_hook=_once)
        return {
            _CALLED[bank]: {
                _index(index): bytes.fromhex(value) for index, value in values.items()
            }
            for bank, values in banks.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{what}: not registers by bank and index, in hex"
        raise Malformed(message) from error


def read_serialized(data: bytes, what: str) -> Pcrs:
    """Read the file that `tpm2_quote --pcrs_format=serialized` writes.

    What lies in the structures behind the counted elements is nobody's word.

    Raises:
        Malformed: sizes or counts that do not fit together.
    """
    lists, rest = divmod(len(data) - _HEAD_BYTES - _COUNT.size, _LIST_BYTES)
    if rest or not 0 <= lists <= _MAX_LISTS:
        message = f"{what}: {len(data)} bytes are no such structures"
        raise Malformed(message)
    (banks,) = _COUNT.unpack_from(data)
    (listed,) = _COUNT.unpack_from(data, _HEAD_BYTES)
    if banks > _SELECTIONS or listed != lists:
        message = f"{what}: {banks} banks, {listed} lists of digests"
        raise Malformed(message)
    start = _HEAD_BYTES + _COUNT.size
    values = [
        value
        for each in range(lists)
        for value in _digests(data, start + each * _LIST_BYTES, what)
    ]
    selected = [
        (bank, index)
        for each in range(banks)
        for bank, index in _selected(data, _COUNT.size + each * _SELECTION.size, what)
    ]
    if len(values) != len(selected) or len(set(selected)) != len(selected):
        message = f"{what}: {len(values)} values of {len(selected)} registers"
        raise Malformed(message)
    found: dict[Algorithm, dict[int, bytes]] = {}
    for (bank, index), value in zip(selected, values, strict=True):
        found.setdefault(bank, {})[index] = value
    return found


def _selected(data: bytes, at: int, what: str) -> list[tuple[Algorithm, int]]:
    number, size, bitmap = _SELECTION.unpack_from(data, at)
    bank = ALGORITHMS.get(number)
    if size > len(bitmap) or bank is None:
        message = f"{what}: a selection of {size} bytes of bank {number:#06x}"
        raise Malformed(message)
    return [(bank, index) for index in indices_of(bitmap[:size])]


def _digests(data: bytes, at: int, what: str) -> list[bytes]:
    (count,) = _COUNT.unpack_from(data, at)
    if count > _DIGESTS:
        message = f"{what}: a list of {count} digests"
        raise Malformed(message)
    found = []
    for each in range(count):
        size, value = _DIGEST.unpack_from(data, at + _COUNT.size + each * _DIGEST.size)
        if size > len(value):
            message = f"{what}: a digest of {size} bytes"
            raise Malformed(message)
        found.append(value[:size])
    return found


def _index(text: str) -> int:
    index = int(text)
    if str(index) != text or not 0 <= index <= _MAX_INDEX:
        message = f"{text!r} is not how the index of a register is written"
        raise ValueError(message)
    return index


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "the same name twice"
        raise ValueError(message)
    return found
