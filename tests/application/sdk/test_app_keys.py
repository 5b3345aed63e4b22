# SPDX-License-Identifier: Apache-2.0
"""When the key ring of an app asks what is far away."""

import time
from itertools import count

import pytest

from strongroom.application.sdk.app_keys import within_a_second


def test_a_clock_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([7.0, 7.5, 7.99, 8.0, 8.5, 3600.0])
    monkeypatch.setattr(time, "clock_gettime", lambda _: next(moments))
    asked = count(1_750_000_000)
    now = within_a_second(lambda: next(asked))
    assert [now() - 1_750_000_000 for _ in range(6)] == [0, 0, 0, 1, 1, 2]
