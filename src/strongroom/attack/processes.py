# SPDX-License-Identifier: Apache-2.0
"""Which processes a room has, as anybody on the machine can see."""

from pathlib import Path

_HERE = Path("/proc")


def below(pid: int) -> tuple[int, ...]:
    """Return a process and all below it that live."""
    parents = {each: _parent(each) for each in everyone()}
    found = [pid]
    for known in found:
        found += [each for each, parent in parents.items() if parent == known]
    return tuple(found)


def enclaves(monitor: int) -> frozenset[int]:
    """Return the first process of each enclave below a monitor."""
    return frozenset(each for each in below(monitor) if _is_first(each))


def everyone() -> list[int]:
    """Return every process of the machine."""
    return [int(each.name) for each in _HERE.iterdir() if each.name.isdigit()]


def uid_of(pid: int) -> int | None:
    """Return whose a process is; None if it is gone."""
    found = _status(pid).get("Uid", "").split()
    return int(found[0]) if found else None


def _is_first(pid: int) -> bool:
    """Return whether a process is locked, and the first of its pid namespace."""
    status = _status(pid)
    inside = status.get("NSpid", "").split()
    return status.get("Seccomp") == "2" and len(inside) > 1 and inside[-1] == "1"


def _parent(pid: int) -> int:
    return int(_status(pid).get("PPid", "0"))


def _status(pid: int) -> dict[str, str]:
    try:
        text = (_HERE / str(pid) / "status").read_text("utf-8", errors="replace")
    except OSError:
        return {}
    rows = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in rows}
