# SPDX-License-Identifier: Apache-2.0
"""RA-2 at the gate: the monitor reports about an enclave that is not asked itself."""

import time

import pytest

from strongroom.core.rats import Endorsements, Trust
from strongroom.errors import Malformed, NotFound
from strongroom.hardware.simulated.verify import verify
from strongroom.services.isolation import Enclave, Isolation
from strongroom.system.monitor.gate import NUMBERS, GateConnection
from strongroom.system.monitor.report import peek_nonce, verify_app_evidence
from tests.system.deployment import Deployment
from tests.system.echo_program import Method

NONCE = b"n" * 32


def test_the_report_is_the_one_that_the_enclave_would_get(
    running: Deployment, isolation: Isolation, enclave: Enclave
) -> None:
    now = int(time.time()) + 1
    roots = Trust(Endorsements((running.root,), ()))
    platform = verify(isolation.evidence(NONCE), roots, now)
    report = isolation.report(enclave.enclave_id, NONCE)
    assert peek_nonce(report) == NONCE
    described = verify_app_evidence(report, platform, now)
    asked = verify_app_evidence(enclave.call(Method.REPORT, NONCE), platform, now)
    assert described.user_data == b""
    assert described.measurement == enclave.measurement
    assert described.enclave_id == asked.enclave_id == enclave.enclave_id
    assert (described.config, described.locks) == (asked.config, asked.locks)


def test_no_report_of_what_does_not_live(
    isolation: Isolation, enclave: Enclave
) -> None:
    with pytest.raises(NotFound):
        isolation.report(bytes(32), NONCE)
    enclave.destroy()
    with pytest.raises(NotFound):
        isolation.report(enclave.enclave_id, NONCE)


def test_fields_of_another_size(gate: GateConnection) -> None:
    assert NUMBERS["DESCRIBE"] == 6
    for enclave_id, nonce in ((bytes(31), NONCE), (bytes(32), b"short")):
        with pytest.raises(Malformed):
            gate.call("DESCRIBE", {"enclave_id": enclave_id, "nonce": nonce})
