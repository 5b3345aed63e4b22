# SPDX-License-Identifier: Apache-2.0
"""RA-TLS certificates: evidence that speaks for a key, and everything that does not."""

import base64
import struct
from contextlib import suppress
from itertools import pairwise

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes

from strongroom.core.rats import HardwareClaims, HardwareEvidence
from strongroom.errors import Malformed, Refused, StrongroomError, Untrusted
from strongroom.hardware.ra_tls import abi
from strongroom.hardware.ra_tls.verify import verify
from strongroom.hardware.refusal import reason_of
from tests.hardware.ra_tls.forge import (
    BEGIN,
    BOUND,
    CMW_CBOR,
    CMW_JSON,
    END,
    NOW,
    SNP_TAG,
    Forge,
    claims,
    der,
    digest,
    snp_evidence,
    snp_report,
    spki,
    tagged,
    wrapped,
)

QUOTE = struct.pack("<HHI", 3, 2, 0).ljust(48, b"\0")


def verified(forge: Forge, certificate: bytes | None = None) -> HardwareClaims:
    return verify(forge.evidence(certificate), forge.trust(), NOW)


def reason(forge: Forge, now: int = NOW) -> str:
    """Return why a certificate is refused."""
    with pytest.raises(StrongroomError) as caught:
        verify(forge.evidence(), forge.trust(), now)
    findings = caught.value.findings
    if not findings:
        assert isinstance(caught.value, Malformed)
        return "format"
    return reason_of(findings[0])


def carrying(value: bytes, oid: str = abi.TAGGED_EVIDENCE) -> Forge:
    return BOUND.carrying({oid: value})


# --- what holds


def test_claims_are_those_of_the_evidence_and_the_key_is_the_certificates() -> None:
    found = verified(BOUND)
    (inner,) = found.inner
    assert found.kind == "ra-tls"
    assert (found.key, found.device) == (spki(), inner.device)
    assert found.measurements == inner.measurements != {}
    assert found.fields.items() >= inner.fields.items()
    assert (found.bound, found.bound_as) == (inner.bound, "report_data")
    assert found.fields["extension_oid"] == "2.23.133.5.4.9"
    assert found.fields["spki_sha256"] == digest(spki()).hex()
    assert not found.debug


@pytest.mark.parametrize(
    ("algorithm", "name"), [(1, "SHA-256"), (7, "SHA-384"), (8, "SHA-512")]
)
def test_claims_name_the_key_by_any_of_three_digests(algorithm: int, name: str) -> None:
    found = verified(carrying(tagged(claims(algorithm=algorithm))))
    assert found.fields["binding"] == (
        f"report_data[:32] = SHA-256(claims), claims hold the {name} of the SPKI"
    )


def test_a_nonce_among_the_claims_is_what_is_bound() -> None:
    found = verified(carrying(tagged(claims(nonce=b"fresh"))))
    assert (found.bound, found.bound_as) == (b"fresh", "nonce")
    assert isinstance(found.fields["claims"], dict)
    assert found.fields["claims"]["nonce"] == b"fresh".hex()


def test_a_certificate_in_pem_is_the_same() -> None:
    der_form = BOUND.certificate()
    text = base64.encodebytes(der_form)
    begin, end = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
    assert verified(BOUND, begin + text + end) == verified(BOUND, der_form)


def test_dates_are_the_attesters_own_word_and_only_told() -> None:
    expired = BOUND.with_(end=NOW - 60)
    assert verified(expired).fields["not_after"] == NOW - 60
    assert (verified(BOUND).fields["not_before"], END) == (BEGIN, END)
    assert any("dates" in each for each in verified(expired).not_proven)


@pytest.mark.parametrize("form", [CMW_CBOR, CMW_JSON])
@pytest.mark.parametrize("oid", [abi.CMW, abi.TAGGED_EVIDENCE])
@pytest.mark.parametrize("ind", [None, 4])
def test_a_wrapper_carries_evidence_of_a_kind_that_it_names(
    form: int, oid: str, ind: int | None
) -> None:
    evidence = snp_evidence(digest(spki()))
    found = verified(carrying(wrapped(evidence, form=form, ind=ind), oid))
    assert found.inner[0].kind == "sev-snp"
    assert found.fields["binding"] == "report_data[:32] = SHA-256(SPKI DER)"


def test_an_extension_with_evidence_may_be_critical() -> None:
    assert verified(BOUND.with_(critical=(abi.TAGGED_EVIDENCE,))).key == spki()


def test_two_pieces_about_one_program_both_count() -> None:
    forge = BOUND.carrying(
        {
            abi.CMW: wrapped(snp_evidence(digest(spki()))),
            abi.TAGGED_EVIDENCE: tagged(claims()),
        }
    )
    found = verified(forge)
    assert len(found.inner) == 2
    assert found.fields["extension_oid"] == abi.TAGGED_EVIDENCE


def test_debug_inside_is_debug_outside() -> None:
    debug = carrying(tagged(claims(), policy=0x30000 | 1 << 19))
    assert verified(debug).debug


# --- the key is not bound


@pytest.mark.parametrize(
    "forge",
    [
        carrying(tagged(claims("other"))),
        carrying(tagged(claims(), bound=digest(b"other claims"))),
        carrying(tagged(claims(), bound=b"")),
        carrying(tagged({"nonce": b"no key at all"})),
        carrying(tagged({})),
        carrying(tagged({"pubkey-hash": cbor2.dumps([1, b""])})),
        carrying(tagged({"pubkey-hash": cbor2.dumps([1, digest(spki())[:31]])})),
        carrying(tagged({"pubkey-hash": cbor2.dumps([7, digest(spki())])})),
        carrying(wrapped(snp_evidence(digest(spki("other")))), abi.CMW),
        carrying(wrapped(snp_evidence(digest(spki())[:31])), abi.CMW),
        BOUND.with_(key="other", signer="other"),
    ],
    ids=[
        "another key",
        "other claims",
        "nothing bound",
        "no key",
        "no claims",
        "no digest",
        "short digest",
        "wrong algorithm",
        "wrapper, another key",
        "wrapper, short digest",
        "another certificate",
    ],
)
def test_a_key_that_is_not_bound_is_refused(forge: Forge) -> None:
    assert reason(forge) == "binding"


def test_claims_with_a_changed_byte_are_not_those_that_were_bound() -> None:
    named = cbor2.dumps(claims(nonce=b"fresh"))
    other = named.replace(b"fresh", b"stale")
    assert reason(carrying(tagged(other, bound=digest(named)))) == "binding"


def test_a_second_piece_that_binds_another_key_is_refused() -> None:
    other = wrapped(snp_evidence(digest(spki("other"))))
    forge = BOUND.carrying({**BOUND.extensions, abi.CMW: other})
    assert reason(forge) == "binding"


def test_two_pieces_about_two_programs_are_refused() -> None:
    report = snp_report(digest(spki()), measurement=b"\x13" * 48)
    other = HardwareEvidence("sev-snp", {"report": report})
    forge = BOUND.carrying({**BOUND.extensions, abi.CMW: wrapped(other)})
    assert reason(forge) == "binding"


# --- the certificate or the evidence does not hold


@pytest.mark.parametrize(
    "changes",
    [{"signer": "other"}, {"issuer": "a CA"}, {"digest": hashes.SHA224}],
    ids=["another key's signature", "another issuer", "weak"],
)
def test_a_certificate_that_its_own_key_did_not_sign_is_refused(
    changes: dict[str, object],
) -> None:
    assert reason(BOUND.with_(**changes)) == "signature"


def test_evidence_inside_is_verified_by_its_own_verifier() -> None:
    report = bytearray(snp_report(digest(spki())))
    report[0x90] ^= 1
    evidence = HardwareEvidence("sev-snp", {"report": bytes(report)})
    assert reason(carrying(wrapped(evidence), abi.CMW)) == "signature"


def test_endorsements_that_are_out_of_their_time_count_inside() -> None:
    assert reason(BOUND, now=2_000_000_000) == "expired"


def test_every_changed_byte_is_refused_or_changes_nothing() -> None:
    certificate, original = BOUND.certificate(), verified(BOUND)
    for at in range(0, len(certificate), 41):
        changed = bytearray(certificate)
        changed[at] ^= 1 << at % 8
        with suppress(Refused, Malformed):
            assert verified(BOUND, bytes(changed)) == original


def test_a_certificate_that_was_cut_or_has_more_is_refused() -> None:
    certificate = BOUND.certificate()
    wrong = [certificate[:end] for end in range(0, len(certificate), 61)]
    for data in (*wrong, certificate + b"\0", certificate * 2):
        with pytest.raises(Malformed):
            verified(BOUND, data)


# --- extensions that are not what they should be


def test_a_certificate_without_evidence_is_refused() -> None:
    assert reason(BOUND.carrying({})) == "format"
    assert reason(BOUND.carrying({"1.2.3.4": b"x"})) == "format"


def test_a_critical_extension_that_nobody_knows_is_refused() -> None:
    extensions = {**BOUND.extensions, "1.2.3.4": b"x"}
    assert verified(BOUND.carrying(extensions)).key == spki()
    assert reason(BOUND.with_(extensions=extensions, critical=("1.2.3.4",))) == "format"


def test_the_same_extension_twice_is_no_certificate() -> None:
    certificate = carrying(tagged(claims()))
    twice = certificate.carrying(
        {abi.TAGGED_EVIDENCE: b"A" * 40, "2.23.133.5.4.8": b"B" * 40}
    ).certificate()
    oid = bytes.fromhex("678105050409")
    assert twice.count(oid) == 1
    with pytest.raises(Malformed):
        verified(BOUND, twice.replace(oid[:-1] + b"\x08", oid))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xd9",
        cbor2.dumps(b"no tag"),
        cbor2.dumps(cbor2.CBORTag(60001, [b"local report", b"\xa0"])),
        cbor2.dumps(cbor2.CBORTag(SNP_TAG, b"no pair")),
        cbor2.dumps(cbor2.CBORTag(SNP_TAG, [b"alone"])),
        cbor2.dumps(cbor2.CBORTag(SNP_TAG, [b"", b"\xa0", b""])),
        cbor2.dumps(cbor2.CBORTag(SNP_TAG, ["text", b"\xa0"])),
        cbor2.dumps(cbor2.CBORTag(SNP_TAG, [b"", b"\x80"])),
        cbor2.dumps(cbor2.CBORTag(SNP_TAG, [b"", cbor2.dumps({1: b""})])),
        cbor2.dumps(cbor2.CBORTag(SNP_TAG, [b"", cbor2.dumps({"a": "text"})])),
        cbor2.dumps(
            cbor2.CBORTag(SNP_TAG, [b"", cbor2.dumps({str(n): b"" for n in range(65)})])
        ),
        tagged(claims(algorithm=3)),
        tagged({"pubkey-hash": b""}),
        tagged({"pubkey-hash": cbor2.dumps([1])}),
        tagged({"pubkey-hash": cbor2.dumps({1: b""})}),
        tagged({"pubkey-hash": cbor2.dumps(["sha-256", digest(spki())])}),
        tagged(claims()) + b"\0",
        tagged(cbor2.dumps(claims()) + b"\0"),
        cbor2.dumps(cbor2.CBORTag(60000, [b"no quote", b"\xa0"])),
    ],
)
def test_tagged_evidence_of_another_shape_is_refused(value: bytes) -> None:
    assert reason(carrying(value)) == "format"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x04",
        b"\x04\x84\0\0\0\0",
        b"\x04\x80",
        der(0x13, b"[]"),
        der(CMW_CBOR, cbor2.dumps([])),
        der(CMW_CBOR, cbor2.dumps({"a": ["b", b""]})),
        der(CMW_CBOR, cbor2.dumps([60, b"coap"])),
        der(CMW_JSON, b"[]"),
        der(CMW_JSON, b"not json"),
        der(CMW_JSON, b"[" * 60_000),
        der(CMW_JSON, b'["application/cmw+json", 7]'),
        der(CMW_JSON, b'["application/cmw+json", "\xc3\xa4"]'),
        wrapped(snp_evidence(digest(spki()))) + b"\0",
        wrapped(snp_evidence(digest(spki())), ind=1),
        wrapped(snp_evidence(digest(spki())), ind=4.0),
        wrapped(snp_evidence(digest(spki())), media_type="application/eat+cwt"),
        der(CMW_CBOR, cbor2.dumps([abi.MEDIA_TYPE, b"no evidence"])),
    ],
)
def test_a_wrapper_of_another_shape_is_refused(value: bytes) -> None:
    assert reason(carrying(value, abi.CMW)) == "format"


def test_a_wrapper_holds_no_certificate_with_a_wrapper() -> None:
    inner = wrapped(BOUND.evidence())
    assert reason(carrying(inner, abi.CMW)) == "format"


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (abi.GRAMINE, b""),
        (abi.GRAMINE, QUOTE[:47]),
        (abi.GRAMINE_AS_WRITTEN, struct.pack("<HHI", 2, 1, 0) + bytes(500)),
        (abi.GRAMINE, struct.pack("<HHI", 3, 2, 0x81) + bytes(500)),
        (abi.GRAMINE, struct.pack("<HHI", 4, 2, 0x82) + bytes(500)),
        (abi.OE_REPORT, struct.pack("<IIQ", 2, 2, 48) + QUOTE),
        (abi.OE_REPORT, struct.pack("<IIQ", 1, 1, 48) + QUOTE),
        (abi.OE_REPORT, struct.pack("<IIQ", 1, 2, 47) + QUOTE),
        (abi.OE_REPORT_MICROSOFT, struct.pack("<IIQ", 1, 2, 49) + QUOTE),
        (abi.OE_REPORT, b""),
    ],
)
def test_a_quote_that_is_none_is_refused(oid: str, value: bytes) -> None:
    assert reason(carrying(value, oid)) == "format"


@pytest.mark.parametrize(
    ("version", "tee", "kind"), [(3, 0, "sgx"), (4, 0x81, "tdx"), (5, 0x81, "tdx")]
)
def test_the_header_of_a_quote_tells_its_kind(
    version: int, tee: int, kind: str
) -> None:
    quote = struct.pack("<HHI", version, 2, tee).ljust(600, b"\0")
    report = struct.pack("<IIQ", 1, 2, len(quote)) + quote
    found = [
        abi.Carried.parse(abi.GRAMINE, quote),
        abi.Carried.parse(abi.GRAMINE_AS_WRITTEN, quote),
        abi.Carried.parse(abi.OE_REPORT, report),
        abi.Carried.parse(
            abi.TAGGED_EVIDENCE, cbor2.dumps(cbor2.CBORTag(60000, [quote, b"\xa0"]))
        ),
    ]
    assert [each.binding for each in found] == ["spki", "spki", "pem", "claims"]
    assert all(a.evidence == b.evidence for a, b in pairwise(found))
    assert found[0].evidence == HardwareEvidence(kind, {"quote": quote})


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (abi.TAGGED_EVIDENCE, tagged(claims(nonce=b"fresh"))),
        (abi.CMW, wrapped(snp_evidence(b""))),
        (abi.CMW, wrapped(snp_evidence(b""), form=CMW_JSON)),
        (abi.OE_REPORT, struct.pack("<IIQ", 1, 2, 48) + QUOTE),
    ],
    ids=["tagged", "cbor", "json", "open enclave"],
)
def test_an_extension_that_was_cut_or_has_more_is_malformed(
    oid: str, value: bytes
) -> None:
    assert abi.Carried.parse(oid, value).oid == oid
    for data in (*(value[:end] for end in range(len(value))), value + b"\0"):
        with pytest.raises(Malformed):
            abi.Carried.parse(oid, data)


@pytest.mark.parametrize("oid", abi.EXTENSIONS)
def test_any_change_of_an_extension_is_parsed_or_malformed(oid: str) -> None:
    """Nothing but Malformed leaves a parser, whatever stands in the certificate."""
    seeds = (
        tagged(claims(nonce=b"fresh")),
        wrapped(snp_evidence(b"")),
        wrapped(snp_evidence(b""), form=CMW_JSON),
        struct.pack("<IIQ", 1, 2, 48) + QUOTE,
    )
    for value in seeds:
        for at in (*range(120), *range(120, len(value), 7)):
            if at < len(value):
                changed = bytearray(value)
                changed[at] ^= 1 + at % 255
                with suppress(Malformed):
                    assert abi.Carried.parse(oid, bytes(changed)).oid == oid


def test_evidence_without_a_certificate_is_malformed() -> None:
    with pytest.raises(Malformed, match="lacks its part 'certificate'"):
        verify(HardwareEvidence("ra-tls", {}), BOUND.trust(), NOW)


def test_a_refusal_says_which_rule_and_what_to_do() -> None:
    with pytest.raises(Untrusted) as caught:
        verified(carrying(tagged(claims("other"))))
    (finding,) = caught.value.findings
    assert finding.rule == "ra-tls.binding.key"
    assert digest(spki()).hex()[:16] in finding.expected
    assert finding.remedy
