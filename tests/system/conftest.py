# SPDX-License-Identifier: Apache-2.0
"""Monitors for the tests of this room: one of each suite, and one a test."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.services.isolation import Enclave, Isolation
from strongroom.system.monitor.gate import (
    GateConnection,
)
from tests.system.deployment import SUITES, Deployment, create, make_deployment


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


@pytest.fixture
def isolation(running: Deployment) -> Iterator[Isolation]:
    with Isolation.connect(running.socket) as connected:
        yield connected


@pytest.fixture
def enclave(running: Deployment, isolation: Isolation) -> Iterator[Enclave]:
    with create(running, isolation) as made:
        yield made


@pytest.fixture
def gate(running: Deployment) -> Iterator[GateConnection]:
    """A bare connection, to send what no honest client would."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(running.socket))
        yield GateConnection(link)
