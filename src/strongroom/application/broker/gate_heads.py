# SPDX-License-Identifier: Apache-2.0
"""Heads of the nodes' own logs in the room's log: what a node cannot take back (LOG-3).

A node shows the signed head of its gate's log whenever it checks in. Once a period
the room's log takes it, so that whoever reads both finds a log that was cut or
rewritten since.
"""

from strongroom.application.broker.events import Noted
from strongroom.application.broker.ledger import Act, Ledger
from strongroom.application.broker.service_book import Head
from strongroom.core.codec.note import Note, NoteKey
from strongroom.core.codec.segment import log_of
from strongroom.core.codec.tlog import MAX_TREE_SIZE, Checkpoint, parse_number
from strongroom.core.rats import PlatformClaims
from strongroom.errors import Malformed, Stale
from strongroom.management.audit import HEAD_ACTION


def read_head(platform: PlatformClaims, note: bytes) -> Head:
    """Return the head that the monitor of `platform` signed.

    Raises:
        Malformed: no checkpoint of this device's log.
        Untrusted: signed by another key.
    """
    claimed = Checkpoint.parse(Note.parse(note).text)
    log, _, number = claimed.origin.rpartition("/")
    if log != log_of(platform.device_id):
        message = f"a head of the log {claimed.origin}, which is not this device's"
        raise Malformed(message)
    signed = Checkpoint.verify(note, NoteKey(claimed.origin, platform.monitor_key))
    return Head(parse_number(number, MAX_TREE_SIZE), signed.size, signed.root)


def check_growth(ledger: Ledger, device: bytes, head: Head) -> None:
    """Refuse a log that is shorter than it was.

    Raises:
        Stale: `node.log`.
    """
    _, known = ledger.nodes.heads.get(device, (0, head))
    if (head.segment, head.entries) < (known.segment, known.entries):
        raise Stale.because(
            rule="node.log",
            owner="administrator",
            expected=f"a log with {known.entries} entries in segment {known.segment}",
            got=f"{head.entries} in segment {head.segment}: it was rolled back",
            remedy="Find out who took the node's log back; keep what is there.",
        )


def log_head(ledger: Ledger, device: bytes, head: Head) -> None:
    """Put a head into the room's log, once a period."""
    now = ledger.now()
    at, _ = ledger.nodes.heads.get(device, (-ledger.node_rules.period_s, head))
    if now - at >= ledger.node_rules.period_s:
        at = now
        detail = {
            "origin": f"{log_of(device)}/{head.segment}",
            "entries": str(head.entries),
        }
        act = Act("system", HEAD_ACTION, device.hex(), head.root.hex(), detail)
        ledger.commit(Noted(), act)
    ledger.nodes.heads[device] = (at, head)
