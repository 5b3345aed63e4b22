# SPDX-License-Identifier: Apache-2.0
"""Whose endorsements a service takes: those of the platform that evidence names."""

import ssl
from pathlib import Path

import pytest

from strongroom.core.rats import HardwareEvidence, Trust
from strongroom.errors import Untrusted
from strongroom.hardware.ra_tls import abi
from strongroom.management.endorsements import EndorsementStore, Incoming
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.subjects import evidence_subject
from tests.hardware.az_tdx_vtpm.forge import Forge
from tests.hardware.dcap.forge import FMSPC, world
from tests.hardware.pki import NOW
from tests.hardware.ra_tls.forge import BOUND

PLATFORM = f"fmspc:{FMSPC.hex()}"
KIND = "az-tdx-vtpm"
OTHER = (
    b'{"tcbInfo": {"fmspc": "010203040506", "issueDate": "2025-01-01T00:00:00Z", '
    b'"nextUpdate": "2035-01-01T00:00:00Z"}}'
)


def test_the_quote_beside_a_tpm_names_the_platform() -> None:
    assert evidence_subject(Forge().evidence()) == PLATFORM


@pytest.mark.parametrize("name", ["sgx v3", "tdx v4"])
@pytest.mark.parametrize("armoured", [False, True])
def test_the_quote_in_a_certificate_names_the_platform(
    name: str, *, armoured: bool
) -> None:
    extensions = {abi.GRAMINE: world(name).quote()}
    made = BOUND.carrying(extensions).certificate()
    data = ssl.DER_cert_to_PEM_cert(made).encode() if armoured else made
    assert evidence_subject(HardwareEvidence("ra-tls", {"certificate": data})) == (
        PLATFORM
    )


def test_a_service_of_two_platforms_judges_each_by_its_own(tmp_path: Path) -> None:
    forge, store = Forge(), EndorsementStore(tmp_path / "store")
    given = forge.trust().endorsements
    documents = [("trust_anchor", root) for root in given.roots]
    documents += [(r, each) for r, found in given.collateral.items() for each in found]
    documents.append(("tcb_info", OTHER))
    store.add(
        [Incoming(role, (KIND,), data, "test") for role, data in documents],
        NOW,
        anchors=True,
    )
    evidence = forge.evidence()
    own = Trust(store.endorsements(KIND, evidence_subject(evidence)))
    assert verify_hardware(evidence, own, now=NOW).kind == KIND
    with pytest.raises(Untrusted, match="one endorsement tcb_info"):
        verify_hardware(evidence, Trust(store.endorsements(KIND)), now=NOW)
