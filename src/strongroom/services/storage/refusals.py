# SPDX-License-Identifier: Apache-2.0
"""Every refusal of protected storage, each with a rule id of its own."""

from typing import TypeVar

from strongroom.errors import Conflict, Finding, Refused, Stale, Tampered, Untrusted

MISSING = "storage.missing"
TRUNCATED = "storage.truncated"
SWAPPED = "storage.swapped"
STALE_BLOCK = "storage.stale-block"
ALTERED = "storage.altered"
HEAD = "storage.head"
ROLLBACK = "storage.rollback"
COUNTER = "storage.counter"
KEY = "storage.key"
OWNER = "storage.owner"
SUPERSEDED = "storage.superseded"
CHANGED = "storage.changed"
BOOT = "storage.boot"

_OWNER = "storage protection"
_RESTORE = "Restore the newest copy of the whole store, or give its newest data anew."

R = TypeVar("R", bound=Refused)


def _refusal(kind: type[R], rule: str, expected: str, got: str, remedy: str) -> R:
    finding = Finding(rule, _OWNER, expected, got, remedy)
    return kind(str(finding), [finding])


def missing(what: str) -> Tampered:
    """Something that was written is not in the store."""
    return _refusal(Tampered, MISSING, what, "nothing under its name", _RESTORE)


def truncated(what: str, expected: int, got: int) -> Tampered:
    """An object is shorter or longer than it was written."""
    return _refusal(
        Tampered, TRUNCATED, f"{what} of {expected} bytes", f"{got} bytes", _RESTORE
    )


def swapped(what: str) -> Tampered:
    """Another object lies under this name."""
    got = "another object, put in its place"
    return _refusal(Tampered, SWAPPED, what, got, _RESTORE)


def stale_block(what: str, expected: int, got: int) -> Stale:
    """An older object lies under this name."""
    return _refusal(
        Stale,
        STALE_BLOCK,
        f"{what} of version {expected}",
        f"one that says it is of version {got}: an old copy was put back",
        _RESTORE,
    )


def altered(what: str) -> Tampered:
    """The authentication of an object does not hold."""
    return _refusal(
        Tampered, ALTERED, f"{what} as it was written", "altered bytes", _RESTORE
    )


def bad_head(got: str) -> Tampered:
    """The head record is not one that this storage wrote."""
    return _refusal(
        Tampered, HEAD, "a head record as this storage wrote it", got, _RESTORE
    )


def rolled_back(expected: int, got: int | None) -> Stale:
    """The store is older than the device's counter says it must be."""
    found = "no state at all" if got is None else f"the state of counter {got}"
    return _refusal(
        Stale,
        ROLLBACK,
        f"the state of counter {expected}, which the device has reached",
        f"{found}: the store was set back to an older copy, or its newest part is lost",
        "Restore the copy that was made last; an older one is never opened, "
        "since whoever keeps the store could choose which data counts.",
    )


def counter_behind(counter: int, got: int) -> Stale:
    """The device's counter is older than the store."""
    return _refusal(
        Stale,
        COUNTER,
        f"a device whose counter is {got} or more",
        f"counter {counter}: another device, or one that was reset",
        "Use the device that wrote this store; a counter is never set from a store.",
    )


def other_key(suite_id: str) -> Untrusted:
    """The store was written under another sealing key."""
    return _refusal(
        Untrusted,
        KEY,
        f"a store written under this app's key on this device, suite {suite_id}",
        "one of another app, another version of it, another device or suite",
        "Open it with the application and on the device that wrote it.",
    )


def other_owner(owner: str, namespace: str) -> Untrusted:
    """The store belongs to another owner or namespace of the same app."""
    return _refusal(
        Untrusted,
        OWNER,
        f"the storage {namespace!r} of {owner!r}",
        "that of another owner or namespace, put in its place",
        _RESTORE,
    )


def other_boot(namespace: str) -> Refused:
    """The app has a storage of that name, and it is not of this boot's keys."""
    return _refusal(
        Refused,
        BOOT,
        f"the software under the app that wrote {namespace!r}",
        "other software: what lies there does not open, and an empty one would hide it",
        "Boot the software that wrote it; after an update, give the data to a new "
        "version of the app, whose storage begins empty.",
    )


def superseded() -> Conflict:
    """Someone opened the same storage after this one; nothing was acknowledged."""
    return _conflict(
        SUPERSEDED,
        "to be the one who has this storage open",
        "a newer opening of it",
        "Use the newer one, or open the storage again and look what is there.",
    )


def changed(what: str) -> Conflict:
    """A transaction writes what another has written since it began."""
    return _conflict(
        CHANGED,
        f"{what} as it was when the transaction began",
        "one that another transaction has changed",
        "Begin again: read what is there now, then write.",
    )


def broken() -> Conflict:
    """A commit ended in an error, so nobody can say which state counts."""
    return _conflict(
        "storage.unknown",
        "a storage whose last commit succeeded or was refused",
        "one whose last commit ended in an error of the store or the device",
        "Open the storage again: it then has either the old state or the new one.",
    )


def closed() -> Conflict:
    """The storage was closed."""
    return Conflict("this storage is closed")


def _conflict(rule: str, expected: str, got: str, remedy: str) -> Conflict:
    finding = Finding(rule, _OWNER, expected, got, remedy)
    return Conflict(str(finding), [finding])
