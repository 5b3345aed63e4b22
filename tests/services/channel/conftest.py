# SPDX-License-Identifier: Apache-2.0
"""One world a suite for all tests of the channel; none of them changes it."""

from collections.abc import Iterator

import pytest

from tests.services.ra_world import World, world_in


@pytest.fixture(scope="session", params=("sm", "intl"))
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("channel"), str(request.param)) as made:
        yield made
