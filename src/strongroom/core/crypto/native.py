# SPDX-License-Identifier: Apache-2.0
"""System libraries by ctypes: found once, typed from a table, absent with advice."""

import ctypes
import ctypes.util
from collections.abc import Mapping, Sequence

Prototype = tuple[object, tuple[object, ...]]
"""The result type and the argument types of a C function."""

POINTER, SIZE, INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


def find(names: Sequence[str], short: str) -> ctypes.CDLL | None:
    """Return the first library of `names` that loads, else what `short` finds.

    The names come first: `find_library` starts programs, which a locked-down
    process cannot do.
    """
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    found = ctypes.util.find_library(short)
    try:
        return ctypes.CDLL(found) if found else None
    except OSError:
        return None


def declare(library: ctypes.CDLL, prototypes: Mapping[str, Prototype]) -> bool:
    """Type the functions of `library`; False where one of them is missing."""
    for name, (result, arguments) in prototypes.items():
        function = getattr(library, name, None)
        if function is None:
            return False
        function.restype = result
        function.argtypes = arguments
    return True
