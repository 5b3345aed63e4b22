# SPDX-License-Identifier: Apache-2.0
"""A route of attack: what is tried, by whom, and how it is known to end.

An attempt returns whether it got what it was after. It raises what stopped it: an
`OSError` of a number that the route names is the kernel's denial, a `StrongroomError`
of a kind that it names is a refusal of ours. Anything else is no defence: it is shown
as an error, and never counts as one.
"""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from strongroom.attack.target import Target
from strongroom.errors import LimitReached, Malformed, Refused, StrongroomError

Actor = Literal["same user", "another user", "root", "app", "host"]
Grade = Literal["HW", "OS", "SIM"]
Outcome = Literal[
    "read",
    "done",
    "denied",
    "refused",
    "stopped",
    "nothing found",
    "no effect",
    "not tried",
    "error",
]

ACTORS: Final[tuple[Actor, ...]] = ("same user", "another user", "root", "app", "host")
SUCCEEDED: Final = ("read", "done")
OWNER: Final = frozenset({errno.EPERM, errno.EACCES})
"""How the kernel says: this is not yours."""

PAGES: Final = OWNER | {errno.EIO, errno.EFAULT, errno.EINVAL}
"""How it says, of secret memory, that it has no such page in its own map."""

ONLY_ROOT: Final = "only root can be another user"
NO_SWAP: Final = "no swap is on"
NO_CAPABILITY: Final = "this root lacks CAP_SYS_RESOURCE"
NO_CORE_FILE: Final = "core files go to a program of this machine"
REASONS: Final = (ONLY_ROOT, NO_SWAP, NO_CAPABILITY, NO_CORE_FILE)
"""Why something is not tried; what a debugger says of itself is not among them."""

REFUSALS: Final[tuple[type[StrongroomError], ...]] = (Refused, Malformed, LimitReached)


class NotTried(Exception):
    """A route cannot be tried here; says why."""


@dataclass(frozen=True)
class Known:
    """How a route is known to end for one actor.

    Attributes:
        outcome: in a word.
        why: where it succeeds.
        by: the rule or limit that stops it, or words of its message.
    """

    outcome: Outcome
    why: str = ""
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One route of attack.

    Attributes:
        name: as tables show it.
        family: the heading it stands under.
        attempt: returns whether it got there, raises what stopped it.
        known: how it ends, by actor.
        grade: of what the outcome rests on.
        gain, miss, stop: what it is called if it gets there, if it does not, if one
            of ours stops it.
        denials: numbers of the errors by which the kernel stops it.
        refusals: errors of ours that stop it.
    """

    name: str
    family: str
    attempt: Callable[[Target], bool]
    known: Mapping[Actor, Known]
    grade: Grade
    gain: Outcome = "read"
    miss: Outcome = "nothing found"
    stop: Outcome = "refused"
    denials: frozenset[int] = OWNER
    refusals: tuple[type[StrongroomError], ...] = field(default=REFUSALS)


@dataclass(frozen=True)
class Result:
    """How a route ended for one actor; `note` says by which rule, or why not tried."""

    route: str
    actor: Actor
    outcome: Outcome
    note: str = ""


def attack(route: Route, actor: Actor, target: Target) -> Result:
    """Try a route and say how it ended."""
    try:
        outcome: Outcome = route.gain if route.attempt(target) else route.miss
        note = ""
    except NotTried as reason:
        outcome, note = "not tried", str(reason)
    except OSError as error:
        denied = error.errno in route.denials
        outcome = "denied" if denied else "error"
        note = errno.errorcode.get(error.errno or 0, type(error).__name__)
    except StrongroomError as error:
        outcome = route.stop if isinstance(error, route.refusals) else "error"
        said = error.findings[0].rule if error.findings else error.message
        note = said.replace(target.folder, "ROOM")
    return Result(route.name, actor, outcome, note)
