# SPDX-License-Identifier: Apache-2.0
"""The isolation service with real processes: IF-1 to IF-4, and many at once."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.core.crypto import suite
from strongroom.core.rats import (
    LOCKS,
    AppraisalPolicy,
    AppRule,
    Endorsements,
    Evidence,
    Trust,
)
from strongroom.errors import (
    Conflict,
    Misconfigured,
    NotFound,
    Refused,
    Unavailable,
)
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.services.attestation.reference import monitor_register
from strongroom.services.isolation import Isolation
from tests.system.deployment import SUITES, Deployment, make_deployment
from tests.system.echo_program import Method


@pytest.fixture(scope="module", params=SUITES)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    deployment = make_deployment(
        tmp_path_factory.mktemp("isolation") / "d", str(request.param)
    )
    with deployment.start():
        yield deployment


@pytest.fixture
def isolation(running: Deployment) -> Iterator[Isolation]:
    with Isolation.connect(running.socket) as connected:
        yield connected


def policy_for(
    running: Deployment, isolation: Isolation, measurement: bytes, config: bytes
) -> AppraisalPolicy:
    """Return a policy that accepts this very platform and app."""
    evidence = Evidence("simulated", isolation.evidence(bytes(16)), b"")
    roots = Trust(Endorsements((running.root,), ()))
    platform, _ = verify_evidence(evidence, roots, now=int(time.time()) + 1)
    return AppraisalPolicy(
        owner="hospital",
        kinds=("simulated",),
        registers={each.name: (each.value,) for each in platform.registers},
        locks=LOCKS,
        max_platform_age_s=300,
        min_firmware_svn=0,
        apps=(AppRule.measured(measurement, config=config),),
    )


def test_evidence_of_a_real_enclave_is_affirmed(
    running: Deployment, isolation: Isolation
) -> None:
    now, nonce = int(time.time()) + 1, os.urandom(16)
    config = suite(running.suite_id).digest(b"configuration")
    bundle = running.bundle()
    policy = policy_for(running, isolation, bundle.manifest.measurement, config)
    assert policy.registers["monitor"] == (monitor_register(running.suite_id),)
    with isolation.create(
        bundle.to_bytes(), running.policy(), config=b"configuration"
    ) as enclave:
        evidence = Evidence(
            "simulated", isolation.evidence(nonce), enclave.call(Method.REPORT, nonce)
        )
    platform, app = verify_evidence(
        evidence, Trust(Endorsements((running.root,), ())), now=now
    )
    result = appraise(
        platform, app, policy, nonce=nonce, now=now, user_data=b"user data"
    )
    assert result.findings == ()


def test_another_app_and_another_configuration_are_not(
    running: Deployment, isolation: Isolation
) -> None:
    now, nonce = int(time.time()) + 1, os.urandom(16)
    config = suite(running.suite_id).digest(b"configuration")
    wanted = running.bundle().manifest.measurement
    policy = policy_for(running, isolation, wanted, config)
    for bundle, given in (
        (running.bundle(threads=2), b"configuration"),
        (running.bundle(), b"another"),
    ):
        with isolation.create(bundle.to_bytes(), running.policy(), given) as enclave:
            report = enclave.call(Method.REPORT, nonce)
        evidence = Evidence("simulated", isolation.evidence(nonce), report)
        platform, app = verify_evidence(
            evidence, Trust(Endorsements((running.root,), ())), now=now
        )
        with pytest.raises(Refused):
            appraise(
                platform, app, policy, nonce=nonce, now=now, user_data=b"user data"
            )


def test_many_enclaves_at_once_without_cross_talk(
    running: Deployment, isolation: Isolation
) -> None:
    """SYS-2: enclaves run in parallel, each with its own state."""
    bundle, policy = running.bundle().to_bytes(), running.policy()
    answers: dict[int, list[bytes]] = {}

    def work(number: int) -> None:
        with isolation.create(bundle, policy, b"%d" % number) as enclave:
            answers[number] = [
                enclave.call(Method.ECHO, b"%d" % (number * 1000 + step))
                for step in range(20)
            ]
            answers[number].append(enclave.call(Method.CONFIG, b""))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {
        number: [
            *(b"%d" % (number * 1000 + step) for step in range(20)),
            b"%d" % number,
        ]
        for number in range(6)
    }
    assert isolation.status().enclaves == ()


def test_a_long_call_holds_up_no_other_enclave(
    running: Deployment, isolation: Isolation
) -> None:
    bundle, policy = running.bundle().to_bytes(), running.policy()
    with (
        isolation.create(bundle, policy) as slow,
        isolation.create(bundle, policy) as quick,
    ):
        sleeper = threading.Thread(target=slow.call, args=(Method.SLEEP, b"0.5"))
        sleeper.start()
        assert quick.call(Method.ECHO, b"x") == b"x"
        assert isolation.status().suite == running.suite_id
        assert sleeper.is_alive()
        sleeper.join()


def test_an_enclave_outlives_the_connection_that_asked_for_it(
    running: Deployment,
) -> None:
    """Each enclave has a connection of its own; closing that ends it."""
    with Isolation.connect(running.socket) as isolation:
        enclave = isolation.create(running.bundle().to_bytes(), running.policy())
    assert enclave.call(Method.ECHO, b"x") == b"x"
    enclave.close()
    with pytest.raises(Conflict):
        enclave.call(Method.ECHO, b"x")


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Isolation.connect(tmp_path / "nothing")


def test_a_monitor_that_cannot_start_says_why(tmp_path: Path) -> None:
    deployment = make_deployment(tmp_path / "d", "intl")
    (deployment.folder / "gate").mkdir(mode=0o755)
    with pytest.raises(Misconfigured, match="chmod"):
        deployment.start()
    (deployment.folder / "gate").rmdir()
    (deployment.folder / "device").rename(deployment.folder / "gone")
    with pytest.raises(NotFound):
        deployment.start()
