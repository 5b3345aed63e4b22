# SPDX-License-Identifier: Apache-2.0
"""How a command line of a test ended."""

import json
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> dict[str, object]:
        """The one JSON document."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Run(Protocol):
    """Runs a command line in a test's own home."""

    def __call__(self, *arguments: object) -> Done:
        """Return how it ended."""
