# SPDX-License-Identifier: Apache-2.0
"""What an app author imports: everything else an app needs is plain Python.

An app's function receives its declared parameters by name: a table as a
`pyarrow.Table`, bytes as `bytes`, values as themselves. It returns what its output
rule names. It runs in a process of its own inside the enclave that holds no key.
"""

from pathlib import Path

from strongroom.errors import NotFound

__all__ = ["bundle_file"]

_ROOT: list[Path] = []


def bundle_file(path: str) -> bytes:
    """Return a file of the app's own bundle, as measured (SYS-3).

    Args:
        path: relative path with forward slashes, as in the app's folder.

    Raises:
        NotFound: the bundle has no such file.
    """
    root = _ROOT[-1].resolve() if _ROOT else Path.cwd()
    file = (root / path).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        message = f"the bundle has no file {path}"
        raise NotFound(message)
    return file.read_bytes()


def open_bundle(root: Path) -> None:
    """Say where the bundle's files are; the runtime calls this before the app."""
    _ROOT.append(root)
