# SPDX-License-Identifier: Apache-2.0
"""How an attempt becomes an outcome: only what a route names counts as a defence."""

import errno
from collections.abc import Callable

import pytest

from strongroom.attack.route import PAGES, Known, NotTried, Route, attack
from strongroom.attack.target import Target
from strongroom.errors import (
    LimitReached,
    Malformed,
    Refused,
    StrongroomError,
    Unavailable,
)

TARGET = Target(
    folder="/nowhere/room",
    monitor=0,
    processes=(),
    enclave=0,
    heap=0,
    secret=0,
    scratch=0,
    ordinary=b"o" * 32,
    hidden=b"h" * 32,
    filed=b"f" * 32,
    device=b"d" * 32,
    spare=0,
    spare_secret=0,
    spare_scratch=0,
    spare_hidden=b"s" * 32,
    handle=b"",
    bundle=b"",
    brief=b"",
    policy=b"",
)


def end(attempt: Callable[[Target], bool], **changes: object) -> tuple[str, str]:
    route = Route(
        name="a route",
        family="of tests",
        attempt=attempt,
        known={"root": Known("denied")},
        grade="OS",
        **changes,  # type: ignore[arg-type]
    )
    result = attack(route, "root", TARGET)
    assert (result.route, result.actor) == ("a route", "root")
    return result.outcome, result.note


def raising(error: Exception) -> Callable[[Target], bool]:
    def attempt(_: Target) -> bool:
        raise error

    return attempt


def test_getting_there_and_not_have_the_words_of_the_route() -> None:
    assert end(lambda _: True) == ("read", "")
    assert end(lambda _: True, gain="done") == ("done", "")
    assert end(lambda _: False) == ("nothing found", "")
    assert end(lambda _: False, miss="no effect") == ("no effect", "")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES])
def test_the_kernel_denies_by_two_numbers(number: int) -> None:
    denial = OSError(number, "no")
    assert end(raising(denial)) == ("denied", errno.errorcode[number])


@pytest.mark.parametrize(
    "number",
    [errno.ESRCH, errno.ENOENT, errno.ENOSYS, errno.EIO, errno.EFAULT, errno.EINVAL],
)
def test_every_other_number_is_an_error(number: int) -> None:
    assert end(raising(OSError(number, "?"))) == ("error", errno.errorcode[number])


@pytest.mark.parametrize("number", [errno.EIO, errno.EFAULT])
def test_a_route_names_the_numbers_that_deny_it(number: int) -> None:
    assert end(raising(OSError(number, "no")), denials=PAGES)[0] == "denied"


def test_an_error_without_a_number_is_no_denial() -> None:
    assert end(raising(OSError("cut short")))[0] == "error"
    assert end(raising(TimeoutError()))[0] == "error"


def test_a_refusal_shows_its_rule() -> None:
    refusal = Refused.because("a.rule", "me", expected="x", got="y", remedy="Z.")
    assert end(raising(refusal)) == ("refused", "a.rule")
    assert end(raising(Malformed("not a frame"))) == ("refused", "not a frame")
    assert end(raising(LimitReached("too much")), stop="stopped")[0] == "stopped"


@pytest.mark.parametrize(
    "error", [Unavailable("gone"), StrongroomError("something else")]
)
def test_an_error_of_ours_that_refuses_nothing_is_an_error(
    error: StrongroomError,
) -> None:
    assert end(raising(error))[0] == "error"


def test_what_cannot_be_tried_says_why() -> None:
    assert end(raising(NotTried("no swap is on"))) == ("not tried", "no swap is on")


def test_places_of_the_room_are_not_in_a_note() -> None:
    error = Malformed("/nowhere/room/node is open")
    assert end(raising(error)) == ("refused", "ROOM/node is open")
