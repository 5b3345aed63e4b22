# SPDX-License-Identifier: Apache-2.0
"""Results as EAR claims, in CBOR and JSON."""

import json
from dataclasses import replace

import pytest

from strongroom.core.codec import cbor
from strongroom.core.rats import AttestationResult, TrustVector
from strongroom.core.rats.claims import Proof, vouch
from strongroom.core.rats.results import EAR_PROFILE
from strongroom.errors import Finding

VECTOR = TrustVector(
    instance_identity=2,
    configuration=2,
    executables=2,
    file_system=0,
    hardware=2,
    runtime_opaque=2,
    storage_opaque=0,
    sourced_data=0,
)
FINDING = Finding("app.debug", "hospital", "off", "on", "switch it off")


def result(
    vector: TrustVector = VECTOR,
    findings: tuple[Finding, ...] = (),
    proof: Proof | None = None,
) -> AttestationResult:
    return AttestationResult(
        kind="tdx",
        owner="hospital",
        policy_id="intl:00",
        nonce=b"\xff" * 9,
        issued_at=1_700_000_000,
        vector=vector,
        findings=findings,
        unchecked=("locks: old kernel",),
        proof=proof or vouch(),
    )


def test_only_appraisal_makes_results() -> None:
    with pytest.raises(TypeError):
        result(proof=Proof())


def test_status_is_the_worst_tier() -> None:
    assert result().status == "affirming"
    assert result(replace(VECTOR, hardware=32)).status == "warning"
    assert result(replace(VECTOR, executables=33)).status == "warning"
    assert result(replace(VECTOR, hardware=97)).status == "contraindicated"
    assert result(findings=(FINDING,)).status == "contraindicated"


def test_json_claims() -> None:
    claims = json.loads(result(findings=(FINDING,)).to_json())
    assert claims["eat_profile"] == EAR_PROFILE
    assert claims["eat_nonce"] == "____________"
    assert set(claims["ear_verifier_id"]) == {"developer", "build"}
    submodule = claims["submods"]["strongroom"]
    assert submodule["ear_status"] == "contraindicated"
    assert submodule["ear_trustworthiness_vector"]["instance-identity"] == 2
    assert len(submodule["ear_trustworthiness_vector"]) == 8
    assert submodule["ear_appraisal_policy_ids"] == ["intl:00"]
    assert submodule["strongroom_findings"][0]["rule"] == "app.debug"


def test_cbor_claims_have_integer_labels() -> None:
    claims = cbor.decode(result().to_cbor())
    assert isinstance(claims, dict)
    assert claims[265] == EAR_PROFILE
    assert claims[10] == b"\xff" * 9
    submodule = claims[266]["strongroom"]
    assert submodule[1000] == 2
    assert submodule[1001] == {0: 2, 1: 2, 2: 2, 3: 0, 4: 2, 5: 2, 6: 0, 7: 0}
    assert submodule[-70351] == ["locks: old kernel"]
