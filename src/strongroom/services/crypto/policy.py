# SPDX-License-Identifier: Apache-2.0
"""Which algorithms and which keys a ring takes: one suite, and what is said besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from strongroom.core.crypto import suite
from strongroom.errors import Malformed
from strongroom.services.crypto import refusals
from strongroom.services.crypto.algorithms import ALGORITHMS, algorithm
from strongroom.services.crypto.kinds import Algorithm
from strongroom.services.crypto.records import KeySpec


@dataclass(frozen=True)
class Policy:
    """What is allowed; everything else is refused (SYS-4, KM-2).

    Attributes:
        suite: `sm` or `intl`; its algorithms are allowed, but for the legacy ones.
        also: algorithms besides, each with the reason why.
        imports: the reason why keys may come from outside; empty, they may not.
    """

    suite: str
    also: Mapping[str, str] = field(default_factory=dict)
    imports: str = ""

    def __post_init__(self) -> None:
        """Refuse unknown names and exceptions without a reason."""
        suite(self.suite)
        object.__setattr__(self, "also", MappingProxyType(dict(self.also)))
        for name, reason in self.also.items():
            algorithm(name)
            if not reason.strip():
                message = f"policy: say why {name} is allowed besides the suite"
                raise Malformed(message)

    def allows(self, row: Algorithm) -> bool:
        """Return whether keys of that algorithm may be made and used."""
        return row.name in self.also or (row.by_default and row.suite == self.suite)

    @property
    def allowed(self) -> tuple[str, ...]:
        """The names of all allowed algorithms, in the order of the table."""
        return tuple(row.name for row in ALGORITHMS.values() if self.allows(row))

    def require(self, spec: KeySpec) -> Algorithm:
        """Return the algorithm of a key that may be.

        Raises:
            Malformed: there is no such algorithm.
            Refused: it is not allowed, or does not serve the purpose.
        """
        row = self.require_algorithm(spec.algorithm)
        if spec.purpose not in row.purposes:
            has = " or ".join(row.purposes)
            raise refusals.wrong_use_of_algorithm(row.name, spec.purpose, has)
        return row

    def require_algorithm(self, name: str) -> Algorithm:
        """Return an algorithm that is allowed.

        Raises:
            Malformed: there is no such algorithm.
            Refused: it is not allowed.
        """
        row = algorithm(name)
        if not self.allows(row):
            raise refusals.not_allowed(name, self.suite)
        return row

    def require_imports(self, label: str) -> None:
        """Return if keys may come from outside.

        Raises:
            Refused: they may not.
        """
        if not self.imports.strip():
            raise refusals.no_import(label)
