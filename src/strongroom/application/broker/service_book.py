# SPDX-License-Identifier: Apache-2.0
"""Which devices are in service now: remembered, never written.

After a restart nobody is; each node attests anew, for which it has one period.
"""

from dataclasses import dataclass, field

from strongroom.core.rats import Evidence, PlatformClaims


@dataclass(frozen=True)
class Seen:
    """The last accepted evidence of a device: when that was, and until when it counts.

    Both are Unix seconds.
    """

    evidence: Evidence
    at: int
    until: int


@dataclass(frozen=True)
class Head:
    """How far the log of a node's gate has grown: segment, entries in it, its root."""

    segment: int
    entries: int
    root: bytes


@dataclass
class Nodes:
    """Who is in service.

    `nonces` maps open challenges to when they were made; `heads` a device to when the
    room's log took a head of its own log last, and to the newest head; `judged` is the
    version of the rules that everyone in service was last held against.
    """

    opened_at: int
    seen: dict[bytes, Seen] = field(default_factory=dict)
    nonces: dict[bytes, int] = field(default_factory=dict)
    heads: dict[bytes, tuple[int, Head]] = field(default_factory=dict)
    judged: int = 0

    def note(
        self, platform: PlatformClaims, evidence: Evidence, now: int, period_s: int
    ) -> None:
        """Take a device into service for another period."""
        alone = Evidence(evidence.kind, evidence.platform, b"")
        self.seen[platform.device_id] = Seen(alone, now, now + period_s)
