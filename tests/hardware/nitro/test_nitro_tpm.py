# SPDX-License-Identifier: Apache-2.0
"""Quotes of a NitroTPM: bound to the document beside them, or refused."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.rats import HardwareClaims
from strongroom.errors import Malformed, Refused
from strongroom.hardware.nitro.verify import verify
from tests.hardware.nitro.forge import (
    ENCLAVE,
    INSTANCE_TPM,
    NONCE,
    NOW,
    PCRS,
    Forge,
    TpmQuote,
    key,
    sized,
)

QUOTED = TpmQuote()


def run(forge: Forge) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), NOW)


def rule(forge: Forge) -> str:
    with pytest.raises(Refused) as refused:
        run(forge)
    return refused.value.findings[0].rule


def without(forge: Forge, *roles: str) -> Forge:
    kept = {role: part for role, part in forge.parts.items() if role not in roles}
    return forge.with_(parts=kept)


def test_a_quote_by_the_key_in_the_document_holds() -> None:
    claims = run(QUOTED.forge())

    quote = claims.fields["quote"]
    assert isinstance(quote, dict)
    assert quote["reset_count"] == 3
    assert quote["pcr_selection"] == [{"alg": "000c", "pcrs": [0, 4, 7]}]
    assert (claims.bound, claims.bound_as) == (NONCE, "nonce")
    assert claims.measurements["pcr.4"] == PCRS[4]


def test_the_nonce_of_the_quote_is_what_is_bound() -> None:
    claims = run(QUOTED.with_(document_nonce=b"", nonce=b"\x01" * 20).forge())

    assert claims.bound == b"\x01" * 20


def test_the_attestation_key_may_be_a_subject_public_key_info() -> None:
    spki = (
        key("ak", ec.SECP256R1)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )

    assert run(QUOTED.with_(public_key=spki).forge()).key == spki
    assert run(QUOTED.forge()).key == spki


def test_the_values_beside_a_quote_may_be_left_out() -> None:
    assert run(without(QUOTED.forge(), "pcrs")).bound == NONCE


@pytest.mark.parametrize("role", ["tpm_quote", "tpm_signature"])
def test_a_quote_comes_with_its_signature(role: str) -> None:
    with pytest.raises(Malformed):
        run(without(QUOTED.forge(), role))


def test_a_quote_beside_a_document_of_an_enclave_is_refused() -> None:
    parts = QUOTED.forge().parts

    assert rule(ENCLAVE.with_(parts=parts)) == "nitro.binding.tpm_quote"


def test_a_document_without_a_key_vouches_for_no_quote() -> None:
    forge = INSTANCE_TPM.with_(parts=QUOTED.forge().parts)

    assert rule(forge) == "nitro.binding.tpm_quote"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"signer": "stranger"}, "signature.tpm_quote"),
        ({"nonce": b"\x01" * 32}, "binding.nonce"),
        ({"nonce": b""}, "binding.nonce"),
        ({"quoted": {**PCRS, 4: PCRS[5]}}, "measurement.tpm_quote"),
        ({"bank": 0x0B}, "binding.tpm_quote"),
        ({"selected": ()}, "binding.tpm_quote"),
        (
            {"selected": (0, 20), "quoted": {**PCRS, 20: PCRS[5]}},
            "binding.tpm_quote",
        ),
        ({"digest": "sha1"}, "weak_algorithm.tpm_quote"),
        ({"pcrs": b'{"sha384": {"4": "00"}}'}, "measurement.pcrs"),
        ({"pcrs": b'{"sha256": {}}'}, "measurement.pcrs"),
        ({"pcrs": b"{}"}, "measurement.pcrs"),
    ],
    ids=str,
)
def test_a_quote_that_does_not_fit_the_document_is_refused(
    changes: dict[str, object], expected: str
) -> None:
    assert rule(QUOTED.with_(**changes).forge()) == f"nitro.{expected}"


@pytest.mark.parametrize(
    "changes",
    [
        {"magic": b"\xffTCG\x80\x17"},
        {"magic": b"\x00TCG\x80\x18"},
        {"trailing": b"\0"},
        {"digest": "sha512"},
        {"public_key": b"\x01" * 64},
        {"public_key": b"\x04" + bytes(64)},
        {"pcrs": b"none"},
        {"pcrs": b"[]"},
        {"pcrs": b"\xff"},
        {"pcrs": b"[" * 60_000},
        {"pcrs": bytes(70_000)},
        {"pcrs": b'{"sha384": {"04": "00"}}'},
        {"pcrs": b'{"sha384": {"4": 0}}'},
        {"pcrs": b'{"sha384": {}, "sha384": {}}'},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_parts_that_are_not_what_they_should_be_are_refused(
    changes: dict[str, object],
) -> None:
    with pytest.raises(Malformed):
        run(QUOTED.with_(**changes).forge())


def test_a_quote_may_list_banks_that_it_takes_no_register_of() -> None:
    forge = QUOTED.with_(empty_banks=(0x04, 0x0B)).forge()

    assert run(forge).bound == NONCE


def test_a_signature_may_be_as_the_tpm_returned_it() -> None:
    forge = QUOTED.forge()
    r, s = decode_dss_signature(forge.parts["tpm_signature"])
    halves = b"".join(sized(each.to_bytes(32, "big")) for each in (r, s))
    signature = b"\x00\x18\x00\x0b" + halves
    named = {"tpm_signature": signature, "tpm_signature_format": b"TPMT_SIGNATURE"}

    assert run(forge.with_(parts={**forge.parts, **named})).bound == NONCE
    unknown = {**forge.parts, "tpm_signature_format": b"\xff"}
    with pytest.raises(Malformed):
        run(forge.with_(parts=unknown))


def _flip(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 1])


@pytest.mark.parametrize("change", [lambda part: part[:-1], _flip], ids=["cut", "flip"])
@pytest.mark.parametrize("role", ["tpm_quote", "tpm_signature"])
def test_a_damaged_part_is_refused(role: str, change: Callable[[bytes], bytes]) -> None:
    forge = QUOTED.forge()
    parts = {**forge.parts, role: change(forge.parts[role])}

    with pytest.raises((Malformed, Refused)):
        run(forge.with_(parts=parts))


def test_a_quote_that_is_cut_anywhere_is_refused() -> None:
    forge = QUOTED.forge()
    trust, document = forge.trust(), forge.document()
    quote = forge.parts["tpm_quote"]

    for size in range(len(quote)):
        cut = forge.with_(parts={**forge.parts, "tpm_quote": quote[:size]})
        with pytest.raises(Malformed):
            verify(cut.evidence(document), trust, NOW)


def test_values_of_every_register_are_compared() -> None:
    values = {str(index): pcr.hex() for index, pcr in PCRS.items()}
    values["15"] = PCRS[0].hex()
    forge = QUOTED.with_(pcrs=json.dumps({"sha384": values}).encode()).forge()

    assert rule(forge) == "nitro.measurement.pcrs"
