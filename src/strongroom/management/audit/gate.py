# SPDX-License-Identifier: Apache-2.0
"""Offline check of a monitor's own log: segment after segment of one device (LOG-3).

It trusts endorsements, and nothing that lies in the folder: platform evidence binds
the monitor's key, which signed the head of a segment, and each segment begins by
naming the head before it. What a monitor that was killed had not signed yet is signed
when it starts again. Whether the newest head is there only somebody else can say: a
room's public log, which has the heads that a node showed when it checked in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.merkle import Tree, tree_hash
from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.segment import (
    CHECKPOINT,
    EVIDENCE,
    numbers_in,
    origin_of,
    place,
)
from strongroom.core.rats import Evidence, Trust
from strongroom.errors import Finding, NotFound, Tampered, Untrusted
from strongroom.management.audit.folder import read_bounded
from strongroom.management.audit.report import AuditReport
from strongroom.management.audit.verify import verify_folder
from strongroom.services.attestation import verify_evidence

HEAD_ACTION = "gate.head"
"""What a room's log calls the head of a gate's log."""

_MAX_EVIDENCE_BYTES = 1 << 20
_COUNT = re.compile(r"[0-9]{1,18}")
_REMEDY = "Keep this copy as evidence, and ask whoever runs the machine."


@dataclass(frozen=True)
class GateLog:
    """A log that passed `verify_gate_log`.

    Attributes:
        device_id: whose monitor wrote it.
        segments: in order.
        unsigned: whether a last segment was left out, since no head of it is signed.
    """

    device_id: bytes
    segments: tuple[AuditReport, ...]
    unsigned: bool

    @property
    def entries(self) -> int:
        """How many records there are."""
        return sum(each.checkpoint.size for each in self.segments)

    def query(
        self,
        *,
        task: str | None = None,
        app: str | None = None,
        party: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[tuple[int, LogEntry]]:
        """Yield place and record of the entries about all that is given.

        A task is named by the id of its enclave, which its receipt holds.
        """
        before = 0
        for segment in self.segments:
            found = segment.query(
                task=task, app=app, party=party, since=since, until=until
            )
            yield from ((before + index, entry) for index, entry in found)
            before += segment.checkpoint.size


def verify_gate_log(
    folder: Path, trust: Trust, now: int, room: AuditReport | None = None
) -> GateLog:
    """Check a folder of segments.

    1. They are numbered from 0, without a gap.
    2. The platform evidence of each verifies, all of one device.
    3. Each holds, as `verify_folder` has it, under the monitor's key.
    4. Each begins by naming the head of the one before, which was whole.
    5. Every head of this device that `room`, a verified log of a room, names is one
       of this log.

    Raises:
        NotFound: no segment, or none that is signed.
        Untrusted, Stale: 2.
        Tampered: 1, 3, 4 or 5 do not hold.
        Malformed: evidence or a checkpoint is none.
    """
    numbers = numbers_in(folder)
    if not numbers:
        message = f"{folder} holds no log of a gate"
        raise NotFound(message)
    _require(
        numbers == list(range(len(numbers))),
        "audit.segment",
        f"segments 0 to {numbers[-1]}",
        f"{len(numbers)} of them: some were deleted",
    )
    unsigned = not (place(folder, numbers[-1]) / CHECKPOINT).exists()
    devices: set[bytes] = set()
    segments: list[AuditReport] = []
    for number in numbers[: len(numbers) - unsigned]:
        device_id, report = _segment(place(folder, number), number, trust, now)
        devices.add(device_id)
        _check_begin(report, segments[-1] if segments else None)
        segments.append(report)
    if not segments:
        message = f"{folder} holds no signed head"
        raise NotFound(message)
    if len(devices) > 1:
        raise Untrusted.because(
            "audit.device",
            "LOG-3",
            expected="segments of one device",
            got=f"segments of {len(devices)}",
            remedy=_REMEDY,
        )
    log = GateLog(devices.pop(), tuple(segments), unsigned)
    if room is not None:
        _check_heads(log, room)
    return log


def _segment(
    folder: Path, number: int, trust: Trust, now: int
) -> tuple[bytes, AuditReport]:
    shown = read_bounded(folder / EVIDENCE, _MAX_EVIDENCE_BYTES)
    if shown is None:
        finding = Finding(
            "audit.missing",
            "LOG-3",
            f"{EVIDENCE} of a segment",
            "no such file",
            _REMEDY,
        )
        raise Tampered(str(finding), [finding])
    platform, _ = verify_evidence(Evidence.from_bytes(shown), trust, now=now)
    key = NoteKey(origin_of(platform.device_id, number), platform.monitor_key)
    return platform.device_id, verify_folder(folder, key)


def _check_begin(report: AuditReport, before: AuditReport | None) -> None:
    origin = report.checkpoint.origin
    _require(
        bool(report.entries),
        "audit.journal",
        f"the first record of {origin}",
        "none: its journal was altered from there on",
    )
    first = LogEntry.from_bytes(report.entries[0])
    if before is not None:
        head = before.checkpoint
        named = (first.detail.get("previous"), first.detail.get("entries"))
        _require(
            named == (head.root.hex(), str(head.size)),
            "audit.chain",
            f"a segment that follows {head.size} entries with root {head.root.hex()}",
            f"one that follows {named[1]} with root {named[0]}",
        )
    _require(
        first.outcome == "ok",
        "audit.journal",
        "a journal that only its device wrote, when the monitor started again",
        f"one that was altered: {origin} begins after what held",
    )


def _check_heads(log: GateLog, room: AuditReport) -> None:
    """Find every head that the room was shown (step 5)."""
    by_origin = {each.checkpoint.origin: each for each in log.segments}
    for _, entry in room.query(party=log.device_id.hex()):
        if entry.action != HEAD_ACTION:
            continue
        origin, count = (entry.detail.get(name, "") for name in ("origin", "entries"))
        size = int(count) if _COUNT.fullmatch(count) else -1
        found = by_origin.get(origin)
        _require(
            found is not None
            and 0 <= size <= found.checkpoint.size
            and _root(found, size).hex() == entry.object,
            "audit.head",
            f"{count} entries of {origin} with root {entry.object}, as the room saw",
            "none such: the log was cut or rewritten",
        )


def _root(report: AuditReport, size: int) -> bytes:
    hashing = tree_hash(report.suite_id)
    tree = Tree(hashing)
    for entry in report.entries[:size]:
        tree.append(hashing.leaf(entry))
    return tree.root()


def _require(holds: bool, rule: str, expected: str, got: str) -> None:  # noqa: FBT001
    if not holds:
        finding = Finding(rule, "LOG-3", expected, got, _REMEDY)
        raise Tampered(str(finding), [finding])
