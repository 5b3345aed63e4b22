# SPDX-License-Identifier: Apache-2.0
"""Admission: each refusal comes before the first instruction (SYS-3)."""

import pytest

from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import Bundle
from strongroom.errors import (
    Malformed,
    Refused,
    Stale,
    Untrusted,
)
from strongroom.services.isolation import Isolation
from tests.system.deployment import (
    MEMORY_BYTES,
    Deployment,
    create,
    make_bundle,
    make_key,
    rule_of,
)


def altered(bundle: Bundle, **changes: object) -> bytes:
    return cbor.encode({**bundle.to_value(), **changes})


def altered_manifest(bundle: Bundle, **changes: object) -> bytes:
    return altered(bundle, manifest={**bundle.manifest.to_value(), **changes})


def refused_bundles(running: Deployment) -> dict[str, bytes]:
    good, other = running.bundle(), make_key(running.suite_id)
    other_suite = {"intl": "sm", "sm": "intl"}[running.suite_id]
    code = {"app/__init__.py": b"", "app/code.py": b"def run():\n    return 2\n"}
    return {
        "bundle.signature": altered(good, signature=b""),
        "bundle.content": altered(good, content=cbor.encode(code)),
        "bundle.measurement": altered_manifest(good, memory_bytes=2 * MEMORY_BYTES),
        "bundle.signer": make_bundle(other).to_bytes(),
        "bundle.suite": make_bundle(make_key(other_suite)).to_bytes(),
    }


@pytest.mark.parametrize(
    "rule",
    [
        "bundle.signature",
        "bundle.content",
        "bundle.measurement",
        "bundle.signer",
        "bundle.suite",
    ],
)
def test_refused_bundle(running: Deployment, isolation: Isolation, rule: str) -> None:
    with pytest.raises(Refused) as refusal:
        isolation.create(refused_bundles(running)[rule], running.policy())
    finding = refusal.value.findings[0]
    assert finding.rule == rule
    assert finding.owner
    assert finding.remedy
    assert isolation.status().enclaves == ()


def test_signature_of_another_key(running: Deployment, isolation: Isolation) -> None:
    other = make_bundle(make_key(running.suite_id))
    bundle = altered(running.bundle(), signature=other.signature)
    with pytest.raises(Untrusted) as refusal:
        isolation.create(bundle, running.policy())
    assert rule_of(refusal.value) == "bundle.signature"


def test_bytes_that_are_no_bundle(running: Deployment, isolation: Isolation) -> None:
    for data in (b"", b"\xa0", running.bundle().to_bytes()[:-1]):
        with pytest.raises(Malformed):
            isolation.create(data, running.policy())


def test_older_svn(running: Deployment, isolation: Isolation) -> None:
    create(running, isolation, name="rising", svn=3).destroy()
    create(running, isolation, name="rising", svn=3).destroy()
    with pytest.raises(Stale) as refusal:
        create(running, isolation, name="rising", svn=2)
    assert rule_of(refusal.value) == "bundle.svn"
    create(running, isolation, name="another", svn=2).destroy()


def test_a_refused_bundle_raises_no_svn(
    running: Deployment, isolation: Isolation
) -> None:
    with pytest.raises(Untrusted):
        isolation.create(
            altered_manifest(running.bundle(name="pushed"), svn=9), running.policy()
        )
    create(running, isolation, name="pushed", svn=1).destroy()


def test_launch_policy(running: Deployment, isolation: Isolation) -> None:
    bundle = running.bundle().to_bytes()
    forged = Deployment(
        running.folder,
        running.suite_id,
        b"",
        make_key(running.suite_id),
        running.provider,
    )
    with pytest.raises(Untrusted) as refusal:
        isolation.create(bundle, forged.policy())
    assert rule_of(refusal.value) == "launch.signature"
    running.policy_version += 1
    isolation.create(bundle, running.policy()).destroy()
    assert isolation.status().launch_policy_version == running.policy_version
    with pytest.raises(Stale) as stale:
        isolation.create(bundle, running.policy(version=running.policy_version - 1))
    assert rule_of(stale.value) == "launch.version"
