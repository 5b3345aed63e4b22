# SPDX-License-Identifier: Apache-2.0
"""A trust remembers what holds, for as long as it holds, and never what does not."""

import pytest

from strongroom.core.rats import Endorsements, Trust, Verified, trust as module
from strongroom.errors import Untrusted

ENDORSEMENTS = Endorsements((b"root",), (), {"crl": (b"one", b"two")})


class Made:
    """Counts how often a value was made."""

    def __init__(self, not_before: int = 10, not_after: int = 20) -> None:
        self.times = 0
        self.window = not_before, not_after

    def __call__(self) -> Verified[int]:
        """Return how often this was called."""
        self.times += 1
        return Verified(self.times, *self.window)


def test_a_value_is_made_once_in_its_window_and_again_outside() -> None:
    trust, made = Trust(ENDORSEMENTS), Made()
    assert [trust.once("key", now, made) for now in (10, 15, 20)] == [1, 1, 1]
    assert [trust.once("key", now, made) for now in (9, 21, 15)] == [2, 3, 3]
    assert trust.once("other", 15, made) == 4


def test_a_failure_is_never_remembered() -> None:
    trust = Trust(ENDORSEMENTS)

    def fails() -> Verified[int]:
        raise Untrusted("no")

    for _ in range(2):
        with pytest.raises(Untrusted):
            trust.once("key", 15, fails)
    assert trust.once("key", 15, Made()) == 1


def test_without_memory_every_value_is_made_anew() -> None:
    trust, made = Trust(ENDORSEMENTS, remember=False), Made()
    assert [trust.once("key", 15, made) for _ in range(3)] == [1, 2, 3]


def test_memory_is_bounded_and_forgets_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MAX_REMEMBERED", 2)
    trust, made = Trust(ENDORSEMENTS), Made()
    for key in "abc":
        trust.once(key, 15, made)
    assert trust.once("c", 15, made) == 3
    assert trust.once("a", 15, made) == 4


def test_documents_by_role() -> None:
    trust = Trust(ENDORSEMENTS)
    assert trust.roots == (b"root",)
    assert trust.documents("crl") == (b"one", b"two")
    assert trust.documents("vcek") == ()
