# SPDX-License-Identifier: Apache-2.0
"""English and Chinese: the English text in the code is the key of `chinese.txt`.

What other parties or the broker wrote (names, findings) is shown as they wrote it.
Machine output is always English.
"""

from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]

_CURRENT: list[Language] = ["en"]


def use(language: Language) -> None:
    """Speak this language from now on."""
    _CURRENT[0] = language


def say(english: str, **values: object) -> str:
    """Return a text in the language in use, with `values` in their places.

    A text that the catalogue does not have stays English.
    """
    text = chinese().get(english, english) if _CURRENT[0] == "zh" else english
    return text.format(**values) if values else text


@cache
def chinese() -> dict[str, str]:
    """Return the catalogue: blocks of two lines, English and Chinese."""
    text = Path(__file__).with_name("chinese.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(zip(lines[::2], lines[1::2], strict=True))
