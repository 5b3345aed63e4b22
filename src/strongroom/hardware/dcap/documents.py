# SPDX-License-Identifier: Apache-2.0
"""TCB info and QE identity as Intel's service signs them (PCS API versions 3 and 4).

The signature is over the very bytes of the inner object, so those are cut out of the
document, not written again.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple, TypeVar, cast

from strongroom.errors import Malformed

T = TypeVar("T")
Json = dict[str, object]
_MAX_BYTES = 1 << 20
_STATUSES = frozenset(
    (
        "UpToDate",
        "SWHardeningNeeded",
        "ConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded",
        "OutOfDate",
        "OutOfDateConfigurationNeeded",
        "Revoked",
    )
)
_COMPACT = re.compile(
    r'\{"(\w+)":(\{.*\}),"signature":"([0-9A-Fa-f]{128})"\}\s*', re.DOTALL
)


@dataclass(frozen=True)
class Signed:
    """The inner object, its exact bytes, and the signature over them (r and s)."""

    value: Json
    raw: bytes
    signature: bytes


class Level(NamedTuple):
    """One TCB level: what it takes, and what it is called."""

    sgx: tuple[int, ...]
    tdx: tuple[int, ...]
    svn: int
    status: str
    date: int
    advisories: tuple[str, ...]


@dataclass(frozen=True)
class ModuleIdentity:
    """A TDX module that Intel knows, with its own levels."""

    mr_signer: bytes
    attributes: bytes
    mask: bytes
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class TcbInfo:
    """What Intel says of a family of processors (FMSPC)."""

    tee: str
    issued_at: int
    next_update: int
    fmspc: bytes
    pce_id: bytes
    levels: tuple[Level, ...]
    modules: dict[str, ModuleIdentity]

    @classmethod
    def parse(cls, value: Json) -> "TcbInfo":
        """Read the inner object of a TCB info of version 2 or 3.

        Raises:
            Malformed: it is none.
        """
        return _total(lambda: _tcb_info(value), "TCB info")


@dataclass(frozen=True)
class QeIdentity:
    """What a quoting enclave looks like, and its levels."""

    tee: str
    issued_at: int
    next_update: int
    misc_select: bytes
    misc_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mr_signer: bytes
    isv_prod_id: int
    levels: tuple[Level, ...]

    @classmethod
    def parse(cls, value: Json) -> "QeIdentity":
        """Read the inner object of a QE identity of version 2.

        Raises:
            Malformed: it is none.
        """
        return _total(lambda: _qe_identity(value), "QE identity")


def read_signed(data: bytes, name: str) -> Signed:
    """Read `{"name": {...}, "signature": "..."}`.

    Raises:
        Malformed: it is none, or is too large.
    """
    return _total(lambda: _read_signed(data, name), name)


def _read_signed(data: bytes, name: str) -> Signed:
    if len(data) > _MAX_BYTES:
        raise ValueError(name)
    text = data.decode("ascii")
    # Intel's service writes compactly; others may have laid the document out anew.
    compact = _COMPACT.fullmatch(text)
    if compact is None or compact[1] != name:
        return _read_loose(text, name)
    return Signed(
        _map(json.loads(compact[2])), compact[2].encode(), bytes.fromhex(compact[3])
    )


def _read_loose(text: str, name: str) -> Signed:
    """Cut the inner object out of a document, in which no member is named twice."""
    document = json.loads(text, object_pairs_hook=_once)
    if set(document) != {name, "signature"}:
        raise ValueError(name)
    begin = text.index("{", text.index(f'"{name}"'))
    value, end = json.JSONDecoder().raw_decode(text, begin)
    if value != document[name]:
        raise ValueError(name)
    return Signed(value, text[begin:end].encode(), bytes.fromhex(document["signature"]))


def _once(pairs: Sequence[tuple[str, object]]) -> Json:
    if len({name for name, _ in pairs}) != len(pairs):
        message = "a member is named twice"
        raise ValueError(message)
    return dict(pairs)


def _tcb_info(value: Json) -> TcbInfo:
    version = value["version"]
    if version not in (2, 3) or _int(value["tcbType"]) != 0:
        raise ValueError(version)
    modules = {
        _text(each["id"]).upper(): _module(each, _module_levels(each["tcbLevels"]))
        for each in _maps(value.get("tdxModuleIdentities", []))
    }
    if "tdxModule" in value:
        modules["TDX"] = _module(_map(value["tdxModule"]), ())
    read = _platform_levels if version == 3 else _old_platform_levels  # noqa: PLR2004
    return TcbInfo(
        _text(value["id"]) if version == 3 else "SGX",  # noqa: PLR2004
        _time(value["issueDate"]),
        _time(value["nextUpdate"]),
        _hex(value["fmspc"]),
        _hex(value["pceId"]),
        _descending(read(value["tcbLevels"])),
        modules,
    )


def _qe_identity(value: Json) -> QeIdentity:
    if value["version"] != 2:  # noqa: PLR2004 - the version this is written for
        raise ValueError(value["version"])
    return QeIdentity(
        {"QE": "SGX", "TD_QE": "TDX"}[_text(value["id"])],
        _time(value["issueDate"]),
        _time(value["nextUpdate"]),
        _hex(value["miscselect"]),
        _hex(value["miscselectMask"]),
        _hex(value["attributes"]),
        _hex(value["attributesMask"]),
        _hex(value["mrsigner"]),
        _int(value["isvprodid"]),
        _module_levels(value["tcbLevels"]),
    )


def _module(value: Json, levels: tuple[Level, ...]) -> ModuleIdentity:
    return ModuleIdentity(
        _hex(value["mrsigner"]),
        _hex(value["attributes"]),
        _hex(value["attributesMask"]),
        levels,
    )


def _descending(levels: list[Level]) -> tuple[Level, ...]:
    """Order platform levels as Intel's library does, whatever a document's order."""
    return tuple(sorted(levels, key=attrgetter("sgx", "svn", "tdx"), reverse=True))


def _status(value: object) -> str:
    status = _text(value)
    if status not in _STATUSES:
        raise ValueError(status)
    return status


def _level(
    value: Json,
    sgx: tuple[int, ...],
    tdx: tuple[int, ...],
    svn: int,
    times: dict[object, int],
) -> Level:
    """Read what all levels have; `times` are those that have been read already."""
    status, date = _status(value["tcbStatus"]), value["tcbDate"]
    if date not in times:
        times[date] = _time(date)
    advisories = tuple(_list(value.get("advisoryIDs", [])))
    if not set(map(type, advisories)) <= {str}:
        raise TypeError(advisories)
    texts = cast("tuple[str, ...]", advisories)
    return Level(sgx, tdx, svn, status, times[date], texts)


def _platform_levels(rows: object) -> list[Level]:
    """Read levels of version 3."""
    levels: list[Level] = []
    times: dict[object, int] = {}
    for value in _maps(rows):
        tcb = _map(value["tcb"])
        sgx = _svns(tcb["sgxtcbcomponents"])
        tdx = _svns(tcb["tdxtcbcomponents"]) if "tdxtcbcomponents" in tcb else ()
        levels.append(_level(value, sgx, tdx, _int(tcb["pcesvn"]), times))
    return levels


def _svns(components: object) -> tuple[int, ...]:
    """Read 16 numbers; a document has hundreds, so they are looked at together."""
    rows = cast("list[dict[str, int]]", _list(components))
    svns = tuple([each["svn"] for each in rows])
    if len(svns) == 16 and set(map(type, svns)) == {int} and min(svns) >= 0:  # noqa: PLR2004 - components
        return svns
    raise ValueError([_int(each) for each in svns])


def _old_platform_levels(rows: object) -> list[Level]:
    """Read levels of version 2."""
    times: dict[object, int] = {}
    return [_old_platform_level(each, times) for each in _maps(rows)]


def _old_platform_level(value: Json, times: dict[object, int]) -> Level:
    tcb = _map(value["tcb"])
    sgx = tuple(_int(tcb[f"sgxtcbcomp{n:02}svn"]) for n in range(1, 17))
    return _level(value, sgx, (), _int(tcb["pcesvn"]), times)


def _module_levels(rows: object) -> tuple[Level, ...]:
    """Read levels of a module or an enclave, whose order counts as it is."""
    times: dict[object, int] = {}
    return tuple([_module_level(each, times) for each in _maps(rows)])


def _module_level(value: Json, times: dict[object, int]) -> Level:
    return _level(value, (), (), _int(_map(value["tcb"])["isvsvn"]), times)


def _map(value: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _maps(value: object) -> list[Json]:
    return [_map(each) for each in _list(value)]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _int(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value


def _hex(value: object) -> bytes:
    return bytes.fromhex(_text(value))


def _time(value: object) -> int:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError(value)
    return int(moment.timestamp())


def _total(read: Callable[[], T], what: str) -> T:
    """Return what `read` gives; whatever a wrong document raises is Malformed."""
    try:
        return read()
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        message = f"this is not a {what} document of Intel's: {type(error).__name__}"
        raise Malformed(message) from error
