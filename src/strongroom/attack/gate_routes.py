# SPDX-License-Identifier: Apache-2.0
"""The routes through the gate, and those of an app from within (HW-4, SYS-1, RES-1)."""

import errno
from collections.abc import Mapping
from typing import Final

from strongroom.attack import abuse, bombs
from strongroom.attack.route import OWNER, REFUSALS, Actor, Known, Route
from strongroom.errors import Conflict

_GATE, _BOMB, _INSIDE = "gate", "limits of an enclave", "out of an enclave"
_DENIED = Known("denied")
_UNHARMED, _NOTHING = Known("no effect"), Known("nothing found")
_NONE: frozenset[int] = frozenset()
_FULL, _ABSENT = frozenset({errno.ENOSPC}), frozenset({errno.ENOENT})
_HANDLE = "an enclave is its user's: whoever runs as that user and has the handle"


def _by(rule: str) -> Known:
    """Return the end of an attack that the gate refuses, with words that it says."""
    return Known("refused", by=rule)


def _callers(ends: Known) -> Mapping[Actor, Known]:
    """Return how it ends for the two who can open the gate's folder."""
    return {"same user": ends, "another user": _DENIED, "root": ends}


GATE: Final[tuple[Route, ...]] = (
    Route(
        name="another's enclave by its handle",
        family=_GATE,
        attempt=abuse.stolen_handle,
        known={
            "same user": Known("done", _HANDLE),
            "another user": _DENIED,
            "root": _by("gate.owner"),
        },
        grade="OS",
        gain="done",
    ),
    Route(
        name="an enclave by a guessed handle",
        family=_GATE,
        attempt=abuse.guessed_handle,
        known=_callers(_by("gate.owner")),
        grade="SIM",
        gain="done",
    ),
    Route(
        name="a method that was not allowed",
        family=_GATE,
        attempt=abuse.unlisted_method,
        known=_callers(_by("gate.permission")),
        grade="SIM",
        gain="done",
    ),
    Route(
        name="unknown commands",
        family=_GATE,
        attempt=abuse.unknown_commands,
        known=_callers(_by("gate: no command")),
        grade="SIM",
        gain="done",
    ),
    Route(
        name="mistyped, missing and surplus fields",
        family=_GATE,
        attempt=abuse.mistyped_fields,
        known=_callers(_by("gate:")),
        grade="SIM",
        gain="done",
    ),
    Route(
        name="oversized fields",
        family=_GATE,
        attempt=abuse.oversized_fields,
        known=_callers(_by("gate:")),
        grade="SIM",
        gain="done",
    ),
    Route(
        name="bytes that are no frame",
        family=_GATE,
        attempt=abuse.no_frames,
        known=_callers(_by("")),
        grade="SIM",
        gain="done",
    ),
    Route(
        name="commands out of order",
        family=_GATE,
        attempt=abuse.reordered_commands,
        known=_callers(_by("gate:")),
        grade="SIM",
        gain="done",
        refusals=(*REFUSALS, Conflict),
    ),
    Route(
        name="concurrent calls mixed up",
        family=_GATE,
        attempt=abuse.concurrent_calls,
        known=_callers(_UNHARMED),
        grade="SIM",
        gain="done",
        miss="no effect",
    ),
    Route(
        name="half frames held open",
        family=_GATE,
        attempt=abuse.half_frames,
        known=_callers(_UNHARMED),
        grade="SIM",
        gain="done",
        miss="no effect",
    ),
    Route(
        name="descriptors of sockets, folders and devices",
        family=_GATE,
        attempt=abuse.other_descriptors,
        known=_callers(_by("gate:")),
        grade="SIM",
        gain="done",
    ),
    Route(
        name="too many descriptors",
        family=_GATE,
        attempt=abuse.too_many_descriptors,
        known=_callers(_by("gate: more than")),
        grade="SIM",
        gain="done",
    ),
    *(
        Route(
            name=name,
            family=_BOMB,
            attempt=bombs.bursting(kind),
            known={"app": Known("stopped", by=limit)},
            grade="OS",
            gain="done",
            stop="stopped",
        )
        for name, kind, limit in (
            ("fork bomb", "processes", "resource.processes"),
            ("thread bomb", "threads", "resource.threads"),
            ("memory bomb", "memory", "memory_bytes"),
            ("endless computing", "processor", "resource.cpu_seconds"),
        )
    ),
    *(
        Route(
            name=name,
            family=_INSIDE,
            attempt=bombs.escaping(way, aim),
            known={"app": ends},
            grade="OS",
            gain="done",
            denials=OWNER | more,
        )
        for name, way, aim, ends, more in (
            ("a network connection", "network", "127.0.0.1", _DENIED, _NONE),
            ("a program started", "program", "/usr/bin/env", _DENIED, _NONE),
            ("a namespace of its own", "namespace", "", _DENIED, _NONE),
            ("shared memory that no limit counts", "shared", "x", _DENIED, _NONE),
            ("files beyond its memory", "full", "/scratch/full", _DENIED, _FULL),
            ("the host's accounts by path", "file", "/etc/shadow", _DENIED, _ABSENT),
            ("processes of others", "process", "", _NOTHING, _NONE),
            (
                "descriptors left open by its starter",
                "descriptors",
                "",
                _NOTHING,
                _NONE,
            ),
        )
    ),
)
