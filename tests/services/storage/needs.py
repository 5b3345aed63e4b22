# SPDX-License-Identifier: Apache-2.0
"""What a test needs from outside: absent, it is skipped, but never in CI."""

import importlib.util
import os

import pytest


def needed(module: str) -> None:
    """Skip the calling module where `module` is not installed; in CI, fail."""
    if importlib.util.find_spec(module) is None:
        absent(f"{module} is not installed: make setup")


def absent(reason: str) -> None:
    """Skip with a reason; in CI, fail."""
    if "CI" in os.environ:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
