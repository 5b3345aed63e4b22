# SPDX-License-Identifier: Apache-2.0
"""An untrusted store as a protocol: it may lose, mix up and turn back everything."""

from typing import Protocol


class ObjectStore(Protocol):
    """Objects by name, somewhere on the ordinary side. Names are plain file names."""

    def get(self, name: str) -> bytes | None:
        """Return an object, or None if it has none of that name."""

    def put(self, name: str, data: bytes) -> None:
        """Keep an object; it is durable once this returns."""

    def delete(self, name: str) -> None:
        """Forget an object; harmless if there is none."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all objects."""


class Counter(Protocol):
    """Monotonic counters of an app on its device."""

    def counter(self, label: str) -> int:
        """Return the counter called `label`; one never incremented is 0."""

    def increment(self, label: str) -> int:
        """Add one durably and return the new value."""
