# SPDX-License-Identifier: Apache-2.0
"""What every room's tests may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of vectors and probes that lies beside the repository."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        message = f"no vectors: {folder} is absent, check it out beside the repository"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return folder
