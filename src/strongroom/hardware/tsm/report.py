# SPDX-License-Identifier: Apache-2.0
"""One report through configfs-tsm (Linux, Documentation/ABI/testing/configfs-tsm).

Every request has an entry of its own, so that no two processes write to one. A write
to an entry moves its `generation`; what was read is of this request only if nobody
else moved it meanwhile.
"""

import errno
import secrets
from contextlib import suppress
from dataclasses import dataclass

from strongroom.errors import Misconfigured, Unavailable
from strongroom.hardware.machine import Machine, unusable, using

FOLDER = "/sys/kernel/config/tsm/report"
NEEDS = (
    "this needs a confidential guest of Linux 6.7 or later with configfs mounted and "
    "the driver of its TEE loaded (tdx_guest, sev_guest or arm_cca_guest)"
)
_ATTEMPTS, _MAX_DIGITS = 4, 20
_AGAIN = {errno.EBUSY, errno.EAGAIN, errno.EINTR}


@dataclass(frozen=True)
class TsmReport:
    """What the kernel gave: `outblob` is the evidence in the provider's own layout.

    `auxblob` is what the host adds to it and nobody vouches for, or b"".
    """

    provider: str
    outblob: bytes
    auxblob: bytes


def make_report(
    machine: Machine, inblob: bytes, privlevel: int | None = None
) -> TsmReport:
    """Return a report over `inblob`.

    1. Make an entry with a name of its own.
    2. Note its generation.
    3. Write the privilege level, where one is wanted, and `inblob`.
    4. Read the report, what comes with it, and the provider.
    5. The generation moved by exactly as many writes; else begin again.
    6. Remove the entry, whatever happened.

    Args:
        machine: the machine, or a fake of one.
        inblob: 64 bytes, which the report will say were given.
        privlevel: the VMPL that an SEV-SNP report is asked for.

    Raises:
        Misconfigured: there is no such interface, or this user may not use it.
        Unavailable: it was busy, or someone else wrote to the entry, each time.
    """
    interfered = f"{FOLDER}: someone else writes to the entries of others; try again"
    last = Unavailable(interfered)
    for _ in range(_ATTEMPTS):
        try:
            report = _attempt(machine, inblob, privlevel)
        except OSError as error:
            if error.errno not in _AGAIN:
                raise unusable(FOLDER, NEEDS, error) from error
            last = Unavailable(f"{FOLDER}: the TEE's driver is busy; try again")
        else:
            if report is not None:
                return report
    raise last


def provider(machine: Machine) -> str:
    """Return whose reports this machine's kernel gives: "tdx_guest", for example.

    Raises:
        Misconfigured: none, or this user may not ask.
        Unavailable: the interface did not answer.
    """
    entry = _entry()
    with using(FOLDER, NEEDS):
        machine.make_folder(entry)
        try:
            return _text(machine.read(f"{entry}/provider"))
        finally:
            _remove(machine, entry)


def _attempt(
    machine: Machine, inblob: bytes, privlevel: int | None
) -> TsmReport | None:
    # 1
    entry = _entry()
    machine.make_folder(entry)
    try:
        # 2
        before = _number(machine.read(f"{entry}/generation"))
        # 3
        writes = 1
        if privlevel is not None:
            machine.write(f"{entry}/privlevel", str(privlevel).encode())
            writes += 1
        machine.write(f"{entry}/inblob", inblob)
        # 4
        report = TsmReport(
            outblob=machine.read(f"{entry}/outblob"),
            auxblob=_optional(machine, f"{entry}/auxblob"),
            provider=_text(machine.read(f"{entry}/provider")),
        )
        # 5
        after = _number(machine.read(f"{entry}/generation"))
        return report if after == before + writes else None
    finally:
        # 6
        _remove(machine, entry)


def _entry() -> str:
    return f"{FOLDER}/strongroom-{secrets.token_hex(16)}"


def _remove(machine: Machine, entry: str) -> None:
    # An entry that stays costs the kernel a little memory; it spoils no report.
    with suppress(OSError):
        machine.remove_folder(entry)


def _optional(machine: Machine, path: str) -> bytes:
    try:
        return machine.read(path)
    except FileNotFoundError:
        return b""


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip()


def _number(value: bytes) -> int:
    text = _text(value)
    if not text.isdecimal() or len(text) > _MAX_DIGITS:
        message = f"{FOLDER}: a generation is a number, not {text[:32]!r}; {NEEDS}"
        raise Misconfigured(message)
    return int(text)
