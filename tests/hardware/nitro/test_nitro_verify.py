# SPDX-License-Identifier: Apache-2.0
"""Nitro documents: what holds is told as it is, and everything else is refused."""

from dataclasses import replace

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.core.rats import HardwareClaims
from strongroom.errors import Malformed, Refused, Stale
from strongroom.hardware.nitro.verify import verify
from tests.hardware.nitro.forge import (
    BEGIN,
    ENCLAVE,
    INSTANCE,
    INSTANCE_TPM,
    LEAF,
    LEAF_END,
    NONCE,
    NOW,
    PCRS,
    REGION,
    ROOT,
    Forge,
    Link,
    chain,
    spki,
)

OTHER_ROOT = Link(ROOT.name, "other")


def run(forge: Forge, now: int = NOW) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), now)


def rule(forge: Forge, now: int = NOW) -> str:
    with pytest.raises(Refused) as refused:
        run(forge, now)
    return refused.value.findings[0].rule


def test_a_document_of_an_enclave_holds() -> None:
    claims = run(ENCLAVE.saying(user_data=b"\x09" * 512))

    assert (claims.bound, claims.bound_as) == (NONCE, "nonce")
    assert claims.measurements == {f"pcr.{i}": pcr for i, pcr in PCRS.items()}
    assert claims.device == b"i-0-enc0"
    assert claims.issued_at == NOW
    assert claims.fields["user_data"] == "09" * 512
    assert not claims.debug


def test_a_tag_is_allowed_and_changes_nothing() -> None:
    tagged = ENCLAVE.document(tagged=True)

    assert verify(ENCLAVE.evidence(tagged), ENCLAVE.trust(), NOW) == run(ENCLAVE)


def test_a_map_without_its_length_is_read() -> None:
    content = ENCLAVE.content()
    payload = b"\xbf" + cbor2.dumps(content)[1:] + b"\xff"

    assert run(ENCLAVE.with_(payload=payload)).bound == NONCE


def test_a_document_of_an_instance_has_the_registers_of_its_tpm() -> None:
    claims = run(INSTANCE_TPM)

    assert claims.fields["pcr_field"] == "nitrotpm_pcrs"
    assert claims.measurements["pcr.4"] == PCRS[4]
    assert not claims.debug


@pytest.mark.parametrize("pcrs", [{**PCRS, 0: bytes(48)}, {1: PCRS[1]}], ids=len)
def test_an_enclave_without_its_first_measurement_is_in_debug_mode(
    pcrs: dict[int, bytes],
) -> None:
    assert run(ENCLAVE.saying(pcrs=pcrs)).debug


@pytest.mark.parametrize("nonce", [None, b"", ...], ids=["null", "empty", "absent"])
def test_without_a_nonce_nothing_is_bound(nonce: object) -> None:
    assert run(ENCLAVE.saying(nonce=nonce)).bound_as == ""


def test_a_key_is_told_where_it_is_one() -> None:
    assert run(ENCLAVE.saying(public_key=spki("mine"))).key == spki("mine")
    assert run(ENCLAVE.saying(public_key=b"\x30" * 40)).key == b""
    assert run(ENCLAVE.saying(public_key=b"\x01" * 1024)).key == b""


@pytest.mark.parametrize(("digest", "size"), [("SHA256", 32), ("SHA512", 64)])
def test_registers_are_as_wide_as_the_digest(digest: str, size: int) -> None:
    pcrs = {0: b"\x01" * size}

    assert run(ENCLAVE.saying(digest=digest, pcrs=pcrs)).measurements["pcr.0"]
    with pytest.raises(Malformed):
        run(ENCLAVE.saying(digest=digest))


@pytest.mark.parametrize(
    "changes",
    [
        {"module_id": ...},
        {"module_id": ""},
        {"module_id": 1},
        {"digest": "SHA1"},
        {"timestamp": -1},
        {"timestamp": 2**63},
        {"timestamp": True},
        {"pcrs": ...},
        {"pcrs": {}},
        {"pcrs": {32: PCRS[1]}},
        {"pcrs": {"0": PCRS[1]}},
        {"pcrs": {True: PCRS[1]}},
        {"pcrs": {0: "text"}},
        {"pcrs": {0: bytes(47)}},
        {"nitrotpm_pcrs": PCRS},
        {"certificate": b""},
        {"certificate": bytes(1025)},
        {"cabundle": []},
        {"cabundle": [b"x"] * 17},
        {"cabundle": b"x"},
        {"public_key": bytes(1025)},
        {"user_data": "text"},
        {"nonce": 5},
        {"debug": False},
    ],
    ids=str,
)
def test_fields_that_no_document_has_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        run(ENCLAVE.saying(**changes))


def test_a_field_that_is_there_twice_is_refused() -> None:
    payload = bytearray(cbor2.dumps(ENCLAVE.content()))
    payload[0] += 1
    twice = bytes(payload) + cbor2.dumps("nonce") + cbor2.dumps(b"\x01" * 32)

    with pytest.raises(Malformed):
        run(ENCLAVE.with_(payload=twice))


@pytest.mark.parametrize("payload", [b"\x80", b"\x00", b"\xa0"])
def test_a_payload_that_is_no_document_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        run(ENCLAVE.with_(payload=payload))


def test_a_cut_or_lengthened_document_is_refused_everywhere() -> None:
    document, trust = ENCLAVE.document(), ENCLAVE.trust()

    for size in range(len(document)):
        with pytest.raises(Malformed):
            verify(ENCLAVE.evidence(document[:size]), trust, NOW)
    for data in (document + b"\0", document + bytes(70_000)):
        with pytest.raises(Malformed):
            verify(ENCLAVE.evidence(data), trust, NOW)


def test_a_header_that_nobody_signed_is_refused() -> None:
    with pytest.raises(Malformed):
        run(ENCLAVE.with_(unprotected={4: b"kid"}))


def test_an_altered_measurement_is_refused() -> None:
    altered = ENCLAVE.document().replace(PCRS[0], PCRS[1])

    with pytest.raises(Refused) as refused:
        verify(ENCLAVE.evidence(altered), ENCLAVE.trust(), NOW)

    assert refused.value.findings[0].rule == "nitro.signature.document"


def test_an_altered_signature_is_refused() -> None:
    altered = bytearray(ENCLAVE.document())
    altered[-1] ^= 1

    with pytest.raises(Refused) as refused:
        verify(ENCLAVE.evidence(bytes(altered)), ENCLAVE.trust(), NOW)

    assert refused.value.findings[0].rule == "nitro.signature.document"


def test_another_algorithm_than_es384_is_refused() -> None:
    p256 = replace(LEAF, curve=ec.SECP256R1, key="p256")

    for forge in (
        ENCLAVE.with_(algorithm=-7),
        ENCLAVE.with_(leaf=p256, algorithm=-7),
        ENCLAVE.with_(leaf=p256),
    ):
        assert rule(forge) == "nitro.weak_algorithm.document"


def test_the_certificates_may_stand_in_any_order() -> None:
    backwards = ENCLAVE.with_(cabundle=tuple(reversed(chain())))
    rootless = ENCLAVE.with_(cabundle=chain()[1:])

    assert run(backwards).bound == run(rootless).bound == NONCE


def test_a_root_of_the_same_name_is_not_the_root() -> None:
    forge = ENCLAVE.with_(roots=(OTHER_ROOT.certificate(OTHER_ROOT),))

    assert rule(forge) == "nitro.root.document"
    assert rule(ENCLAVE.with_(roots=())) == "nitro.missing_endorsement.root"


def test_a_chain_with_a_link_missing_is_refused() -> None:
    assert rule(ENCLAVE.with_(cabundle=chain()[:2])) == "nitro.chain.document"


def test_a_link_that_is_no_authority_is_refused() -> None:
    plain = replace(INSTANCE, ca=False).certificate(REGION)

    assert rule(ENCLAVE.with_(cabundle=(*chain()[:2], plain))).startswith("nitro.chain")


def test_an_authority_does_not_sign_documents() -> None:
    forge = ENCLAVE.with_(leaf=replace(LEAF, ca=True))

    assert rule(forge) == "nitro.chain.document"


def test_a_link_signed_with_sha_224_is_refused() -> None:
    weak = INSTANCE.certificate(REGION, hashes.SHA224())

    assert rule(ENCLAVE.with_(cabundle=(*chain()[:2], weak))).startswith("nitro.chain")


def test_bytes_in_place_of_a_certificate_break_the_chain() -> None:
    good = LEAF.certificate(INSTANCE)

    assert rule(ENCLAVE.with_(certificate=good[:-1])) == "nitro.chain.document"
    bundle = (*chain(), b"none")
    assert rule(ENCLAVE.with_(cabundle=bundle)) == "nitro.chain.document"


def test_a_document_outlives_its_certificate_by_nothing() -> None:
    trust = ENCLAVE.trust()
    verify(ENCLAVE.evidence(), trust, LEAF_END)

    for now in (LEAF_END + 1, BEGIN - 1):
        with pytest.raises(Stale):
            verify(ENCLAVE.evidence(), trust, now)


def test_a_remembered_chain_vouches_for_its_own_certificate_only() -> None:
    trust = ENCLAVE.trust()
    verify(ENCLAVE.evidence(), trust, NOW)
    forged = ENCLAVE.with_(leaf=replace(LEAF, key="forged"))
    mixed = forged.with_(certificate=LEAF.certificate(INSTANCE))

    for forge in (forged.with_(cabundle=chain()[:2]), mixed):
        with pytest.raises(Refused):
            verify(forge.evidence(), trust, NOW)


def test_revocation_lists_count_where_they_are_given() -> None:
    assert run(ENCLAVE.with_(crls=(REGION.crl(), ROOT.crl(1)))).bound == NONCE
    assert rule(ENCLAVE.with_(crls=(REGION.crl(7),))) == "nitro.revoked.document"
    assert rule(ENCLAVE.with_(crls=(OTHER_ROOT.crl(),))).startswith("nitro.signature")
    with pytest.raises(Stale):
        run(ENCLAVE.with_(crls=(REGION.crl(end=NOW - 1),)))
