# SPDX-License-Identifier: Apache-2.0
"""Host-key documents: what holds is told as it is, and everything else is refused."""

from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from strongroom.core.rats import HardwareClaims
from strongroom.errors import Malformed, Refused, Stale
from strongroom.hardware.ibm_se.verify import verify
from tests.hardware.ibm_se.forge import (
    END,
    HOST,
    MIDDLE,
    NOW,
    ROOT,
    SERIAL,
    SIGNER,
    SIGNING_UNIT,
    Authority,
    Forge,
    host_key,
    name,
    without_end,
)


def run(forge: Forge, now: int = NOW) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), now)


def rule(forge: Forge, now: int = NOW) -> str:
    with pytest.raises(Refused) as refused:
        run(forge, now)
    return refused.value.findings[0].rule


def lists(*own: bytes) -> tuple[bytes, ...]:
    return (ROOT.crl(), MIDDLE.crl(), *own)


def test_a_document_holds_and_names_its_key() -> None:
    claims = run(HOST)

    numbers = host_key(ec.SECP521R1).public_key().public_numbers()
    padded = numbers.x.to_bytes(80, "big") + numbers.y.to_bytes(80, "big")
    assert claims.device == sha256(padded).digest()
    assert claims.fields["host_serial"] == f"{SERIAL:x}"
    assert claims.key == host_key(ec.SECP521R1).public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def test_a_document_binds_nothing_and_proves_no_guest() -> None:
    claims = run(HOST)

    assert (claims.bound, claims.bound_as) == (b"", "")
    assert any("ultravisor" in text for text in claims.not_proven)


def test_pem_and_der_are_the_same_document() -> None:
    der = HOST.evidence(HOST.document(Encoding.DER))

    assert verify(der, HOST.trust(), NOW) == run(HOST)


def test_a_cut_or_lengthened_document_is_refused_everywhere() -> None:
    der, trust = HOST.document(Encoding.DER), HOST.trust()
    cut = [der[:size] for size in range(len(der))]

    for data in (*cut, der + b"\0", HOST.document() * 2):
        with pytest.raises(Malformed):
            verify(HOST.evidence(data), trust, NOW)


@pytest.mark.parametrize(
    "issuer",
    [
        name(SIGNING_UNIT, "Armonk"),
        name(SIGNING_UNIT, turned=True),
        name(SIGNING_UNIT, "Armonk", turned=True),
    ],
    ids=["other locality", "other order", "both"],
)
def test_ibm_may_spell_the_name_of_its_signing_service_otherwise(
    issuer: x509.Name,
) -> None:
    alias = replace(SIGNER, name=issuer)

    assert run(HOST.with_(issuer_name=issuer)).device
    assert run(HOST.with_(crls=lists(alias.crl()))).device
    assert run(HOST.with_(signing=(alias.certificate(MIDDLE),))).device


def test_an_issuer_of_another_name_is_refused_even_if_the_key_fits() -> None:
    for issuer in (name(SIGNING_UNIT, "Berlin"), name("Another Service")):
        assert rule(HOST.with_(issuer_name=issuer)) == "ibm-se.chain.host_key"


@pytest.mark.parametrize(
    "subject",
    [
        name("Code Signing"),
        name(SIGNING_UNIT, "Berlin"),
        name(SIGNING_UNIT, company="Somebody Else"),
        x509.Name(
            [*name(SIGNING_UNIT), x509.NameAttribute(NameOID.SURNAME, "Somebody")]
        ),
    ],
    ids=["unit", "locality", "company", "more"],
)
def test_a_certificate_of_the_same_authority_for_others_signs_no_documents(
    subject: x509.Name,
) -> None:
    stranger = Authority(subject, "stranger", ca=False)

    assert rule(HOST.with_(signer=stranger)) == "ibm-se.chain.host_key"


def test_without_a_signing_certificate_nothing_holds() -> None:
    forge = HOST.with_(signing=())

    assert rule(forge) == "ibm-se.missing_endorsement.host_key_signing_certificate"


def test_a_document_that_another_key_signed_is_refused() -> None:
    assert rule(HOST.with_(issuer_key="forged")) == "ibm-se.signature.host_key"


def test_a_document_signed_with_sha_224_is_refused() -> None:
    assert rule(HOST.with_(digest=hashes.SHA224())) == "ibm-se.signature.host_key"


def test_a_host_key_of_another_curve_is_refused() -> None:
    assert rule(HOST.with_(curve=ec.SECP384R1)) == "ibm-se.weak_algorithm.host_key"


def test_a_critical_extension_that_is_unknown_is_refused() -> None:
    assert rule(HOST.with_(critical=b"\x05\x00")) == "ibm-se.chain.host_key"


def test_a_root_of_the_same_name_is_not_the_root() -> None:
    forge = HOST.with_(root=replace(ROOT, key="other"))

    assert rule(forge) == "ibm-se.root.signing_key"


def test_a_chain_without_its_middle_is_refused() -> None:
    assert rule(HOST.with_(intermediates=())) == "ibm-se.chain.signing_key"


def test_a_bundle_of_certificates_will_do() -> None:
    bundle = SIGNER.certificate(MIDDLE) + MIDDLE.certificate(ROOT)

    assert run(HOST.with_(signing=(bundle,), intermediates=())).device


def test_everything_ends() -> None:
    ended = HOST.with_(end=NOW - 1)
    signer = HOST.with_(signer=replace(SIGNER, end=NOW - 1))

    assert rule(ended) == "ibm-se.expired.host_key"
    assert rule(signer) == "ibm-se.expired.signing_key"
    with pytest.raises(Stale):
        run(HOST, END + 1)


def test_a_renewed_certificate_of_the_same_key_is_preferred() -> None:
    ended = replace(SIGNER, end=NOW - 1).certificate(MIDDLE)

    assert run(HOST.with_(signing=(ended, SIGNER.certificate(MIDDLE)))).device


def test_a_remembered_signer_ends_with_its_lists() -> None:
    forge = HOST.with_(crls=lists(SIGNER.crl(end=NOW)))
    trust = forge.trust()
    verify(forge.evidence(), trust, NOW)

    with pytest.raises(Stale):
        verify(forge.evidence(), trust, NOW + 1)


def test_a_revoked_document_is_refused_and_others_are_not() -> None:
    revoked = HOST.with_(crls=lists(SIGNER.crl(1, SERIAL)))

    assert rule(revoked) == "ibm-se.revoked.host_key"
    assert run(HOST.with_(crls=lists(SIGNER.crl(1)))).device


@pytest.mark.parametrize("at", [0, 1], ids=["root", "middle"])
def test_a_revoked_certificate_is_refused(at: int) -> None:
    crls = [ROOT.crl(), MIDDLE.crl(), SIGNER.crl()]
    crls[at] = (ROOT, MIDDLE)[at].crl(7)

    assert rule(HOST.with_(crls=tuple(crls))) == "ibm-se.revoked.signing_key"


def test_every_issuer_needs_its_list() -> None:
    crls = (ROOT.crl(), MIDDLE.crl(), SIGNER.crl())

    for at in range(3):
        left = crls[:at] + crls[at + 1 :]
        assert rule(HOST.with_(crls=left)).startswith("ibm-se.missing_endorsement")


def test_a_list_out_of_its_time_or_of_another_key_is_refused() -> None:
    late = HOST.with_(crls=lists(SIGNER.crl(end=NOW - 1)))
    forged = HOST.with_(crls=lists(replace(SIGNER, key="forged").crl()))

    assert rule(late) == "ibm-se.expired.host_key_crl"
    assert rule(forged) == "ibm-se.signature.host_key_crl"


def test_beside_a_current_list_an_old_one_does_not_matter() -> None:
    old, current = SIGNER.crl(SERIAL, end=NOW - 1), SIGNER.crl()
    assert run(HOST.with_(crls=lists(old, current))).device
    revoked = HOST.with_(crls=lists(current, SIGNER.crl(SERIAL)))
    assert rule(revoked) == "ibm-se.revoked.host_key"


def test_the_list_of_a_signing_key_of_other_machines_stands_beside() -> None:
    other = replace(SIGNER, key="generation 1").crl(SERIAL)
    assert run(HOST.with_(crls=lists(other, SIGNER.crl()))).device
    revoked = HOST.with_(crls=lists(SIGNER.crl(SERIAL), other))
    assert rule(revoked) == "ibm-se.revoked.host_key"
    assert rule(HOST.with_(crls=lists(other))) == "ibm-se.signature.host_key_crl"


def test_a_list_that_comes_into_force_ends_what_is_remembered() -> None:
    later = SIGNER.crl(SERIAL, begin=NOW + 10)
    forge = HOST.with_(crls=lists(SIGNER.crl(), later))
    trust = forge.trust()
    assert verify(forge.evidence(), trust, NOW).device
    assert verify(forge.evidence(), trust, NOW + 9).device
    with pytest.raises(Refused, match=r"ibm-se\.revoked\.host_key"):
        verify(forge.evidence(), trust, NOW + 10)


def test_a_list_without_an_end_is_refused() -> None:
    forge = HOST.with_(crls=lists(without_end(SIGNER.crl(), SIGNER.key)))
    assert rule(forge) == "ibm-se.expired.host_key_crl"


def test_endorsements_that_are_none_are_refused() -> None:
    for role in ("signing", "intermediates", "crls"):
        with pytest.raises(Malformed):
            run(HOST.with_(**{role: (b"none",)}))
