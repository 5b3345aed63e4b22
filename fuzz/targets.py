# SPDX-License-Identifier: Apache-2.0
"""Every parser of foreign bytes, each with where its corpus comes from.

A target takes bytes and returns anything or raises a `StrongroomError`. Whatever else
it raises is a finding, and so is taking longer or more memory than `one.py` allows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import cast

SHARED = Path(__file__).resolve().parents[2] / "shared" / "evidence"
MAX_LEN = 64 << 10

Parser = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """A parser as `module:name[.name]`, and file patterns of its corpus in SHARED.

    `what` is passed as a second argument by parsers that name their format in errors.
    """

    parser: str
    corpus: tuple[str, ...]
    what: str = ""
    max_len: int = MAX_LEN

    def load(self) -> Parser:
        """Import the parser and return it as a function of bytes alone."""
        module, _, path = self.parser.partition(":")
        found: object = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
        if self.what:
            return partial(
                _named, cast("Callable[[bytes, str], object]", found), self.what
            )
        return cast("Parser", found)

    def seeds(self) -> list[Path]:
        """Return the files of the corpus that lie in SHARED."""
        return sorted({file for each in self.corpus for file in SHARED.glob(each)})


def _named(parse: Callable[[bytes, str], object], what: str, data: bytes) -> object:
    return parse(data, what)
