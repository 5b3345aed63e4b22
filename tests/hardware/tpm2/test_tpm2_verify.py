# SPDX-License-Identifier: Apache-2.0
"""Quotes of a TPM: what holds, and every way in which it must not."""

import json
from collections.abc import Callable
from struct import pack

import pytest

from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareClaims, Trust
from strongroom.errors import Malformed, Refused, Stale, StrongroomError
from strongroom.hardware.tpm2.verify import verify
from tests.hardware.pki import Authority
from tests.hardware.tcg.forge import (
    ACTION,
    NONCE,
    RESTRICTED_SIGNER,
    Ak,
    Event,
    Log,
    Quote,
    tpm2b,
)
from tests.hardware.tpm2.forge import (
    AIK,
    EK,
    NOW,
    Forge,
    Maker,
    authority,
    certified,
    pcrs_json,
    serialized,
)

QUOTE = Quote()
PLAIN = Forge(QUOTE)
KEYS = [Ak("rsa"), Ak("rsa", scheme="rsapss"), Ak("P-256"), Ak("P-384"), Ak("P-521")]


def run(forge: Forge) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), NOW)


def rule(forge: Forge) -> str:
    with pytest.raises(Refused) as refused:
        run(forge)
    return refused.value.findings[0].rule.removeprefix("tpm2.")


def test_a_quote_says_what_the_tpm_measured() -> None:
    claims = run(PLAIN)

    assert (claims.bound, claims.bound_as, claims.debug) == (NONCE, "nonce", False)
    assert claims.key == QUOTE.ak.spki
    for index, value in QUOTE.log.registers().items():
        assert claims.measurements.get(f"pcr.{index}", value) == value
    assert claims.fields["pcr_bank"] == "sha256"
    assert claims.fields["reset_count"] == 7
    assert claims.fields["firmware_version"] == "2020031200120003"
    assert claims.fields["pcrs"] == json.loads(pcrs_json(QUOTE))["sha256"]


def test_events_are_those_that_lead_to_quoted_registers() -> None:
    some = QUOTE.with_(selections=(("sha256", (0, 7)),))
    claims = run(Forge(some))

    assert {each.register for each in claims.events} == {"pcr.0", "pcr.7"}
    assert "Secure Boot on" in {each.text for each in claims.events}


@pytest.mark.parametrize("ak", KEYS, ids=lambda ak: f"{ak.kind}{ak.scheme}")
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_keys_of_any_kind_sign_quotes(ak: Ak, algorithm: str) -> None:
    quote = QUOTE.with_(ak=ak, signed_with=algorithm)

    assert run(Forge(quote)).key == ak.spki


def test_an_sm2_key_signs_without_an_identity() -> None:
    ak = Ak("sm2")
    quote = QUOTE.with_(
        ak=ak,
        signed_with="sm3",
        log=Log(algorithms=("sm3",)),
        selections=(("sm3", (0, 4, 7)),),
    )
    claims = run(Forge(quote))

    assert claims.key.endswith(ak.public[-64 - 2 : -34] + ak.public[-32:])
    assert claims.measurements["pcr.4"] == quote.log.registers("sm3")[4]
    assert rule(Forge(quote, trusted=(Ak("sm2", "other").public,))) == "signature.quote"


@pytest.mark.parametrize(
    ("ak", "signature_format"),
    [
        (Ak("P-256"), "ecdsa-sha256-der"),
        (Ak("rsa"), "raw RSASSA-PKCS1v1.5 SHA-256"),
        (Ak("rsa"), "rsassa-sha256"),
        (Ak("rsa", scheme="rsapss"), "raw RSASSA-PSS SHA-256"),
    ],
    ids=str,
)
def test_a_repacked_signature_says_of_which_form_it_is(
    ak: Ak, signature_format: str
) -> None:
    quote = QUOTE.with_(ak=ak)
    parts = {
        "signature": ak.raw(quote.attest()),
        "signature_format": signature_format.encode(),
    }

    assert run(Forge(quote, parts)).bound == NONCE
    with pytest.raises(Malformed):
        run(Forge(quote, {**parts, "signature_format": b"whatever"}))


@pytest.mark.parametrize(
    "trusted",
    [QUOTE.ak.public, tpm2b(QUOTE.ak.public), QUOTE.ak.pem, QUOTE.ak.spki],
    ids=["TPMT_PUBLIC", "TPM2B_PUBLIC", "PEM", "DER"],
)
def test_a_key_trusted_as_it_stands_may_be_written_in_any_form(trusted: bytes) -> None:
    other = Ak(name="other").public

    assert run(PLAIN.with_(trusted=(other, trusted))).key == QUOTE.ak.spki


def test_what_vouches_for_the_key_is_a_field() -> None:
    assert str(run(PLAIN).fields["ak_name"]).startswith("000b")
    assert run(certified()).fields["ak_certificate_subject"] == "CN=an attestation key"


@pytest.mark.parametrize("usages", [(), (AIK,), (EK,)], ids=["any", "AIK", "EK"])
def test_a_certified_key_may_say_that_it_signs(usages: tuple[str, ...]) -> None:
    assert run(certified(Maker(usages=usages, signs=True))).bound == NONCE


@pytest.mark.parametrize("usages", [(), ("2.23.133.8.3",), ("2.23.133.8.3", EK)])
def test_a_certified_key_leads_to_a_root(usages: tuple[str, ...]) -> None:
    assert run(certified(Maker(usages=usages))).bound == NONCE


def test_evidence_may_bring_its_own_certificates() -> None:
    forge = certified()
    chain = forge.collateral["ak_certificate_chain"][0]
    brought = forge.with_(collateral={}, parts={"ak_certificate_chain": chain})

    assert run(brought) == run(forge)
    assert rule(brought.with_(roots=(Authority("else").certificate.der,)))[:5] in (
        "chain",
        "root.",
    )


def test_a_key_without_anyone_vouching_is_refused() -> None:
    assert rule(PLAIN.with_(trusted=())) == "missing_endorsement.ak"


@pytest.mark.parametrize(
    "attributes",
    [
        RESTRICTED_SIGNER & ~(1 << 16),
        RESTRICTED_SIGNER & ~(1 << 18),
        RESTRICTED_SIGNER & ~(1 << 1),
        RESTRICTED_SIGNER & ~(1 << 4),
        RESTRICTED_SIGNER & ~(1 << 5),
        RESTRICTED_SIGNER | 1 << 17,
    ],
    ids=["unrestricted", "no signer", "movable", "moves", "derived", "decrypts"],
)
def test_a_key_that_could_sign_anything_is_no_attestation_key(attributes: int) -> None:
    ak = Ak(attributes=attributes)

    assert rule(Forge(QUOTE.with_(ak=ak))) == "root.ak_attributes"


@pytest.mark.parametrize(
    ("maker", "expected"),
    [
        (Maker(usages=(EK,)), "chain.ak_usage"),
        (Maker(signs=False), "chain.ak_usage"),
        (Maker(usages=("1.3.6.1.5.5.7.3.1",), signs=True), "chain.ak_usage"),
        (Maker(not_after=NOW - 1), "expired.ak"),
        (Maker(ca=True), "missing_endorsement.ak"),
    ],
    ids=["an EK", "no signatures", "a server", "expired", "a CA"],
)
def test_a_certificate_that_does_not_certify_the_key_is_refused(
    maker: Maker, expected: str
) -> None:
    assert rule(certified(maker)) == expected


def test_an_expired_certificate_is_stale() -> None:
    with pytest.raises(Stale):
        run(certified(Maker(not_after=NOW - 1)))


def test_a_remembered_certificate_still_expires() -> None:
    forge = certified()
    trust = forge.trust()
    verify(forge.evidence(), trust, NOW)

    with pytest.raises(Stale):
        verify(forge.evidence(), trust, NOW + 1001)


def test_a_chain_without_its_issuer_leads_nowhere() -> None:
    forge = certified()
    chain = forge.collateral["ak_certificate_chain"][0]
    leaf = chain[: chain.index(b"-----END") + 26]

    assert rule(forge.with_(collateral={"ak_certificate_chain": (leaf,)})) == "chain.ak"
    assert rule(forge.with_(roots=(Authority("TPM root").certificate.der,))) == (
        "root.ak"
    )


def test_a_revoked_key_is_refused() -> None:
    forge = certified()
    chain = forge.collateral["ak_certificate_chain"]
    leaf, issuer = Certificate.read_all(chain[0])[0], authority("TPM CA", "TPM root")

    def listing(*revoked: Certificate) -> Forge:
        crl = issuer.revocations(*revoked).der
        return forge.with_(collateral={**forge.collateral, "crl": (crl,)})

    assert not any("revoked" in each for each in run(listing()).not_proven)
    assert any("revoked" in each for each in run(forge).not_proven)
    assert rule(listing(leaf)) == "revoked.ak"


def _flipped(part: bytes, at: int = -1) -> bytes:
    changed = bytearray(part)
    changed[at] ^= 1
    return bytes(changed)


def test_a_changed_quote_or_signature_is_refused() -> None:
    parts = PLAIN.evidence().parts
    for role in ("quote", "signature"):
        changed = PLAIN.with_(parts={role: _flipped(parts[role])})
        assert rule(changed) == "signature.quote"


def test_another_keys_quote_is_refused() -> None:
    assert rule(PLAIN.with_(trusted=(Ak(name="other").public,))) == "signature.quote"
    assert rule(PLAIN.with_(trusted=(Ak("rsa").public,))) == "signature.quote"


def test_sha_1_is_refused() -> None:
    quoted = QUOTE.with_(selections=(("sha1", (0, 7)),))
    signed = QUOTE.with_(ak=Ak("rsa"), signed_with="sha1")

    assert rule(Forge(quoted)) == "weak_algorithm.pcr_bank"
    assert rule(Forge(signed)) == "weak_algorithm.quote"


def test_banks_beside_sha_1_count() -> None:
    banks = (("sha1", (0,)), ("sha384", (0, 4)), ("sha256", (0, 7)))
    quote = QUOTE.with_(selections=banks)
    claims = run(Forge(quote))

    assert set(claims.measurements) == {
        "pcr_digest",
        "pcr.0",
        "pcr.7",
        "sha384.pcr.0",
        "sha384.pcr.4",
    }
    assert claims.measurements["sha384.pcr.4"] == quote.log.registers("sha384")[4]


@pytest.mark.parametrize(
    "change",
    [
        lambda values: {**values, "4": values["5"]},
        lambda values: {**values, "4": values["4"][:-2]},
        lambda values: {each: values[each] for each in values if each != "4"},
        lambda _: {},
    ],
    ids=["another value", "a short value", "a value less", "none"],
)
def test_registers_that_were_not_quoted_are_refused(
    change: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    values = json.loads(pcrs_json(QUOTE))["sha256"]
    pcrs = json.dumps({"sha256": change(values)}).encode()

    assert rule(PLAIN.with_(parts={"pcrs": pcrs})).startswith("measurement.")


def test_registers_may_come_as_tpm2_tools_write_them() -> None:
    values = QUOTE.registers()["sha256"]
    blob = serialized({0x0B: values})
    parts = {"pcr_blob": blob}
    claims = run(PLAIN.with_(parts=parts, without=("pcrs",)))

    assert claims == run(PLAIN)
    named = {**parts, "pcr_blob_format": b"serialized"}
    assert run(PLAIN.with_(parts=named, without=("pcrs",))) == claims
    unknown = {**parts, "pcr_blob_format": b"values"}
    with pytest.raises(Malformed):
        run(PLAIN.with_(parts=unknown, without=("pcrs",)))


def test_values_of_registers_that_nobody_quoted_are_no_claims() -> None:
    values = json.loads(pcrs_json(QUOTE))
    values["sha256"]["23"] = "ff" * 32
    values["sha1"] = {"0": "00" * 20}
    pcrs = json.dumps(values).encode()

    assert run(PLAIN.with_(parts={"pcrs": pcrs})) == run(PLAIN)


def test_a_quote_without_values_claims_its_digest_alone() -> None:
    claims = run(PLAIN.with_(without=("pcrs", "event_log")))

    assert set(claims.measurements) == {"pcr_digest"}
    assert "pcrs" not in claims.fields
    assert rule(PLAIN.with_(without=("pcrs",))) == "event_log.pcrs"


def test_a_quote_of_nothing_binds_its_nonce() -> None:
    forge = Forge(QUOTE.with_(selections=()), without=("event_log",))

    assert run(forge).bound == NONCE


def test_a_clock_that_is_not_safe_is_left_open() -> None:
    assert any("clock" in each for each in run(Forge(QUOTE.with_(safe=0))).not_proven)
    assert not any("clock" in each for each in run(PLAIN).not_proven)


MORE = Event(4, ACTION, b"something else")


@pytest.mark.parametrize(
    "log",
    [
        Log(events=(*Log().events, MORE)),
        Log(events=Log().events[:-1]),
        Log(events=(Log().events[1], Log().events[0], *Log().events[:1:-1])),
        Log(locality=3),
        Log(events=()),
    ],
    ids=["one more", "one less", "other order", "locality", "empty"],
)
def test_a_log_that_leads_elsewhere_is_refused(log: Log) -> None:
    forge = PLAIN.with_(parts={"event_log": log.agile()})

    assert rule(forge).startswith("event_log.pcr-")


def test_a_damaged_log_is_refused_as_the_log_that_it_is() -> None:
    whole = Log().agile()
    of_sha1_alone = pack("<IIIH20sI", 4, ACTION, 1, 0x0004, bytes(20), 0)
    for log in (b"", whole[:-1], whole + b"\x01", whole + of_sha1_alone):
        with pytest.raises(Malformed) as refusal:
            run(PLAIN.with_(parts={"event_log": log}))
        (finding,) = refusal.value.findings
        assert finding.rule == "tpm2.event_log.format"


def test_a_log_of_another_bank_is_refused() -> None:
    assert (
        rule(PLAIN.with_(parts={"event_log": QUOTE.log.legacy()})) == "event_log.bank"
    )


def test_a_log_of_a_second_bank_is_called_so() -> None:
    log = Log(algorithms=("sha384",))
    banks = (("sha256", (0, 4)), ("sha384", (0, 4)))
    forge = Forge(QUOTE.with_(log=log, selections=banks))

    assert {each.register for each in run(forge).events} == {
        "sha384.pcr.0",
        "sha384.pcr.4",
    }


def test_registers_of_the_operating_system_go_on_after_the_log() -> None:
    log = Log(events=(*Log().events, Event(11, ACTION, b"a stub")))
    selected = (("sha256", tuple(range(16))),)
    held = Forge(QUOTE.with_(log=log, selections=selected))
    moved = {"sha256": {11: b"\x11" * 32}}
    later = Forge(QUOTE.with_(log=log, selections=selected, values=moved))

    assert "pcr.11" in {each.register for each in run(held).events}
    claims = run(later)
    assert "pcr.11" not in {each.register for each in claims.events}
    assert any("PCR 11" in each for each in claims.not_proven)


def test_an_event_of_a_register_that_was_never_extended_is_refused() -> None:
    log = Log(events=(*Log().events, Event(11, ACTION, b"a"), Event(23, ACTION, b"b")))
    selected = (("sha256", (*range(16), 23)),)
    quote = QUOTE.with_(log=log, selections=selected)
    reset = {23: bytes(32)}

    assert run(Forge(quote.with_(values={"sha256": reset}))).events
    never = {"sha256": {11: bytes(32), **reset}}
    assert rule(Forge(quote.with_(values=never))) == "event_log.pcr-11"


def test_altered_data_of_an_event_are_no_claim() -> None:
    renamed = Event(9, 13, b"/harmless\0", b"a kernel")
    events = (*Log().events[:-1], renamed)
    claims = run(PLAIN.with_(parts={"event_log": Log(events=events).agile()}))

    altered = [each for each in claims.events if each.text == "/harmless"]
    assert [each.rehashed for each in altered] == [False]
    assert claims == run(PLAIN)


def test_altered_data_that_must_be_what_was_measured_are_refused() -> None:
    told = Event(8, 13, b"grub_cmd: harmless\0", b"linux /vmlinuz")
    events = (*Log().events[:-2], told, Log().events[-1])
    assert rule(PLAIN.with_(parts={"event_log": Log(events=events).agile()})) == (
        "event_log.data"
    )


def test_the_locality_of_the_startup_begins_pcr_0() -> None:
    log = Log(locality=3)

    assert run(Forge(QUOTE.with_(log=log))).measurements["pcr.0"] == log.registers()[0]


@pytest.mark.parametrize("role", ["quote", "signature", "event_log", "pcrs"])
def test_parts_that_are_cut_or_longer_are_refused(role: str) -> None:
    part = PLAIN.evidence().parts[role]
    step = max(1, len(part) // 60)
    for cut in (*range(0, len(part), step), len(part) - 1):
        with pytest.raises(StrongroomError):
            run(PLAIN.with_(parts={role: part[:cut]}))
    with pytest.raises(Malformed):
        run(PLAIN.with_(parts={role: part + b"\x01"}))


@pytest.mark.parametrize("role", ["quote", "signature"])
def test_a_quote_comes_with_its_signature(role: str) -> None:
    with pytest.raises(Malformed):
        run(PLAIN.with_(without=(role,)))


@pytest.mark.parametrize(
    "parts",
    [
        {"pcr_blob": bytes(668)},
        {"signature_format": b"\xff"},
        {"signature_format": b"rsassa-md5"},
    ],
    ids=str,
)
def test_forms_that_nobody_knows_are_refused(parts: dict[str, bytes]) -> None:
    with pytest.raises(Malformed):
        run(PLAIN.with_(parts=parts))


def test_a_key_that_is_not_one_is_malformed() -> None:
    for trusted in (b"", b"\0" * 40, b"-----BEGIN nothing", b"0\x03\x02\x01\x01"):
        with pytest.raises(Malformed):
            run(PLAIN.with_(trusted=(trusted,)))


def test_an_original_message_is_not_read() -> None:
    assert run(PLAIN.with_(parts={"original": b"anything"})) == run(PLAIN)


def test_memory_changes_nothing() -> None:
    for forge in (PLAIN, certified()):
        evidence, trust = forge.evidence(), forge.trust()
        fresh = Trust(trust.endorsements, remember=False)
        claims = [verify(evidence, each, NOW) for each in (trust, trust, fresh)]
        assert claims[0] == claims[1] == claims[2]
