# SPDX-License-Identifier: Apache-2.0
"""Reads lists of maps in the broker's answers."""

from collections.abc import Mapping

from strongroom.errors import Malformed

Row = dict[str, object]


def maps(answer: Mapping[str, object], name: str) -> list[Row]:
    """Return the list of maps under `name`.

    Raises:
        Malformed: it is not one.
    """
    rows = answer.get(name)
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return list(rows)
    message = f"the broker's {name} are not a list"
    raise Malformed(message)
