# SPDX-License-Identifier: Apache-2.0
"""RA-TLS certificates over Intel quotes: every extension and every way to bind."""

import struct
from collections.abc import Callable
from dataclasses import replace

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.rats import HardwareClaims, Trust
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Untrusted
from strongroom.hardware.ra_tls import abi
from strongroom.hardware.ra_tls.verify import verify
from strongroom.hardware.refusal import reason_of
from strongroom.services.attestation.hardware_rules import hardware_findings
from tests.hardware.dcap.forge import KINDS, IntelWorld, world
from tests.hardware.pki import NOW, Authority
from tests.hardware.ra_tls.forge import BOUND, QUOTE_TAG, claims, digest, key, spki

Carry = Callable[[IntelWorld, str], bytes]
WORLDS = {name: world(name) for name in KINDS}


def quote(made: IntelWorld, bound: bytes) -> bytes:
    made.report_data = bound.ljust(64, b"\0")
    return made.quote()


def bare(made: IntelWorld, name: str) -> bytes:
    return quote(made, digest(spki(name)))


def tagged(made: IntelWorld, name: str) -> bytes:
    encoded = cbor2.dumps(claims(name))
    parts = [quote(made, digest(encoded)), encoded]
    return cbor2.dumps(cbor2.CBORTag(QUOTE_TAG, parts))


def open_enclave(made: IntelWorld, name: str) -> bytes:
    public = key(name).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    inner = quote(made, digest(pem + b"\0"))
    return struct.pack("<IIQ", 1, 2, len(inner)) + inner


EXTENSIONS: dict[str, Carry] = {
    abi.TAGGED_EVIDENCE: tagged,
    abi.GRAMINE: bare,
    abi.GRAMINE_AS_WRITTEN: bare,
    abi.OE_REPORT: open_enclave,
    abi.OE_REPORT_MICROSOFT: open_enclave,
}
each_extension = pytest.mark.parametrize("oid", EXTENSIONS)


def verified(made: IntelWorld, extensions: dict[str, bytes]) -> HardwareClaims:
    forge = BOUND.carrying(extensions)
    return verify(forge.evidence(), Trust(made.endorsements()), NOW)


@each_extension
@pytest.mark.parametrize("name", ["sgx v3", "tdx v4", "tdx v5, 1.0", "tdx v5, 1.5"])
def test_every_extension_carries_every_quote(oid: str, name: str) -> None:
    made = WORLDS[name]
    found = verified(made, {oid: EXTENSIONS[oid](made, "server")})
    assert (found.inner[0].kind, found.key) == (made.tee, spki())
    assert found.fields["extension_oid"] == oid
    assert found.fields["report_data"] == made.report_data.hex()


@each_extension
def test_a_quote_for_another_key_is_refused_in_every_extension(oid: str) -> None:
    made = WORLDS["sgx v3"]
    with pytest.raises(Untrusted) as caught:
        verified(made, {oid: EXTENSIONS[oid](made, "other")})
    assert reason_of(caught.value.findings[0]) == "binding"


def test_a_binding_of_one_extension_is_none_in_another() -> None:
    made = WORLDS["sgx v3"]
    report = struct.pack("<IIQ", 1, 2, len(bare(made, "server")))
    for oid, value in {
        abi.GRAMINE: open_enclave(made, "server")[16:],
        abi.OE_REPORT: report + bare(made, "server"),
    }.items():
        with pytest.raises(Untrusted) as caught:
            verified(made, {oid: value})
        assert reason_of(caught.value.findings[0]) == "binding"


def test_gramines_two_quotes_are_both_verified() -> None:
    made = WORLDS["sgx v3"]
    old, new = bare(made, "server"), tagged(made, "server")
    both = {abi.GRAMINE_AS_WRITTEN: old, abi.TAGGED_EVIDENCE: new}
    found = verified(made, both)
    assert [each.kind for each in found.inner] == ["sgx", "sgx"]
    assert found.fields["extension_oid"] == abi.TAGGED_EVIDENCE
    broken = bytearray(old)
    broken[500] ^= 1
    with pytest.raises(Untrusted):
        verified(made, {**both, abi.GRAMINE_AS_WRITTEN: bytes(broken)})


def test_debug_and_tcb_of_a_quote_are_found_by_appraisal() -> None:
    made = replace(WORLDS["sgx v3"], debug=True, status="OutOfDate")
    found = verified(made, {abi.GRAMINE: bare(made, "server")})
    policy = HardwarePolicy(owner="default policy", kinds=("ra-tls",))
    rules = {each.rule for each in hardware_findings(found, policy, None)}
    assert {"ra-tls.debug", "sgx.debug", "sgx.tcb_out_of_date"} <= rules


def test_the_root_is_the_verifiers_own() -> None:
    made, other = WORLDS["sgx v3"], Authority("SGX Root CA")
    forge = BOUND.carrying({abi.GRAMINE: bare(made, "server")})
    endorsements = replace(made.endorsements(), roots=(other.certificate.der,))
    with pytest.raises(Untrusted) as caught:
        verify(forge.evidence(), Trust(endorsements), NOW)
    assert reason_of(caught.value.findings[0]) in {"root", "chain"}
