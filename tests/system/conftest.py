# SPDX-License-Identifier: Apache-2.0
"""Monitors for the tests of this room: one of each suite, and one a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.deployment import SUITES, Deployment, make_deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A deployment of one test, whose monitor the test starts itself."""
    return make_deployment(tmp_path / "d", "intl")


@pytest.fixture(scope="session", params=SUITES)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment whose monitor runs for the whole session, in each suite."""
    deployment = make_deployment(
        tmp_path_factory.mktemp("monitor") / "d", str(request.param)
    )
    with deployment.start():
        yield deployment
