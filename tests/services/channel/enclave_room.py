# SPDX-License-Identifier: Apache-2.0
"""A running enclave with a program of a test's, and what a party accepts of it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import suite
from strongroom.core.rats import (
    LOCKS,
    REGISTERS,
    AppraisalPolicy,
    AppRule,
    Endorsements,
    Evidence,
    Trust,
    not_checked_bytes,
)
from strongroom.services.channel.verifying import EndorsedEnclave, EndorsedEvidence
from strongroom.services.isolation import Enclave, Isolation, start_monitor
from tests.system.deployment import Deployment, make_deployment

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src"


@dataclass
class Room:
    """A running enclave, and what a party accepts."""

    suite_id: str
    enclave: Enclave
    verify: EndorsedEnclave


@contextmanager
def running(folder: Path, suite_id: str, program: str) -> Iterator[Deployment]:
    deployment = make_deployment(folder, suite_id)
    with start_monitor(
        device=deployment.folder / "device",
        socket=deployment.socket,
        administrator=PublicKey.of(deployment.administrator.public),
        program=program,
        environment={"PYTHONPATH": os.pathsep.join(map(os.fspath, (ROOT, SOURCE)))},
        log=deployment.folder / "gate.log",
    ):
        yield deployment


@contextmanager
def room_in(folder: Path, suite_id: str, program: str) -> Iterator[Room]:
    """Yield a room whose enclave runs `program`, configured with its suite."""
    with (
        running(folder, suite_id, program) as deployment,
        Isolation.connect(deployment.socket) as isolation,
    ):
        bundle = deployment.bundle()
        config = suite_id.encode()
        rule = AppRule.measured(
            bundle.manifest.measurement, config=suite(suite_id).digest(config)
        )
        policy = AppraisalPolicy(
            owner="hospital",
            kinds=("simulated",),
            registers={each: (not_checked_bytes("a test"),) for each in REGISTERS},
            locks=LOCKS,
            max_platform_age_s=300,
            min_firmware_svn=0,
            apps=(rule,),
        )

        def carrier(nonce: bytes) -> Evidence:
            return Evidence("simulated", isolation.evidence(nonce), b"")

        roots = Endorsements((deployment.root,), ())
        judge = EndorsedEvidence(Trust(roots), policy, lambda: int(time.time()) + 1)
        verify = EndorsedEnclave(judge, carrier)
        sealed = bundle.to_bytes()
        with isolation.create(sealed, deployment.policy(), config=config) as enclave:
            yield Room(suite_id, enclave, verify)
