# SPDX-License-Identifier: Apache-2.0
"""One room a test module; every test makes its own datasets and agreements."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.application.broker.world import World


@pytest.fixture(scope="module", params=["sm", "intl"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Return a room with its trusted list published."""
    suite_id = str(request.param)
    made = World(tmp_path_factory.mktemp(suite_id), suite_id)
    made.publish()
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """Return a room that nothing has happened in."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(world: World) -> str:
    """Return a registered app."""
    return world.app()


@pytest.fixture(scope="module")
def data(world: World) -> list[str]:
    """Return two registered datasets of two owners."""
    return [world.dataset("hospital"), world.dataset("clinic")]


@pytest.fixture(scope="module")
def agreement(world: World, app: str, data: list[str]) -> str:
    """Return an active agreement."""
    return world.agreement(app, data)
