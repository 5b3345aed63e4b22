# SPDX-License-Identifier: Apache-2.0
"""TPMS_ATTEST, and the registers that it selects."""

import pytest

from strongroom.errors import Malformed, Refused
from strongroom.hardware.tcg.quote import Attest, Pcrs, check_banks, check_pcrs
from tests.hardware.tcg.forge import NONCE, attest, digest, tpm2b

BANKS = (("sha256", (0, 7, 23)), ("sha384", ()))
DIGEST = bytes(range(32))
WHOLE = attest(BANKS, DIGEST)


def test_every_field_of_a_quote_is_read() -> None:
    quote = Attest.parse(WHOLE, "quote")

    assert quote.qualified_signer == b"\x00\x0b" + bytes(range(32))
    assert (quote.extra_data, quote.pcr_digest, quote.raw) == (NONCE, DIGEST, WHOLE)
    assert (quote.clock, quote.reset_count, quote.restart_count) == (123_456, 7, 2)
    assert (quote.safe, quote.firmware_version) == (True, 0x2020_0312_0012_0003)
    assert quote.pcr_selections == BANKS
    assert quote.fields()["pcr_selection"] == [
        {"alg": "000b", "pcrs": [0, 7, 23]},
        {"alg": "000c", "pcrs": []},
    ]


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_a_quote_that_is_cut_is_refused(cut: int) -> None:
    with pytest.raises(Malformed):
        Attest.parse(WHOLE[:cut], "quote")


@pytest.mark.parametrize(
    "data",
    [
        WHOLE + b"\0",
        attest(BANKS, DIGEST, head=b"\xffTCG\x80\x17"),
        attest(BANKS, DIGEST, head=b"\x00TCG\x80\x18"),
        attest(BANKS, DIGEST, safe=2),
        attest((("sha256", (0,)), ("sha256", (1,))), DIGEST),
        attest([("sha256", ())] * 17, DIGEST),
        attest(BANKS, bytes(200)),
        attest((), b"")[:-6] + b"\0\0\0\1\0\x0b\5" + bytes(5) + tpm2b(b""),
    ],
    ids=[
        "longer",
        "certifies a key",
        "not of a TPM",
        "neither yes nor no",
        "a bank twice",
        "many banks",
        "a long digest",
        "a wide selection",
    ],
)
def test_other_structures_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Attest.parse(data, "quote")


def test_banks_of_unknown_hashes_are_named_by_their_number_and_refused() -> None:
    quote = Attest.parse(attest((("sha3", (0,)),), DIGEST), "quote")

    assert quote.pcr_selections == (("0027", (0,)),)
    with pytest.raises(Malformed):
        check_banks("tpm2", quote)


def test_a_bank_without_registers_does_not_count() -> None:
    selected = (("sha3", ()), ("sha1", ()), ("sha512", (1,)), ("sha256", (0,)))
    quote = Attest.parse(attest(selected, DIGEST), "quote")

    assert check_banks("tpm2", quote) == ("sha256", "sha512")


def test_registers_are_hashed_in_the_order_of_the_selection() -> None:
    pcrs: Pcrs = {
        "sha256": {0: b"\0" * 32, 5: b"\5" * 32},
        "sha384": {1: b"\1" * 48},
    }
    joined = b"\1" * 48 + b"\0" * 32 + b"\5" * 32
    selected = (("sha384", (1,)), ("sha256", (0, 5)))
    quote = Attest.parse(attest(selected, digest("sha384", joined)), "quote")

    assert check_pcrs("tpm2", quote, "sha384", pcrs) == pcrs
    with pytest.raises(Refused, match=r"tpm2\.measurement\.pcr_digest"):
        check_pcrs("tpm2", quote, "sha256", pcrs)
