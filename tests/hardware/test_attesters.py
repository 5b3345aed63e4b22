# SPDX-License-Identifier: Apache-2.0
"""Attesters on machines that are not there, and the one machine that is."""

import ctypes
import errno
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.cli.attest_probe import missing
from strongroom.core.codec import cbor
from strongroom.core.rats import Attester, Trust
from strongroom.errors import Malformed, Misconfigured, StrongroomError, Unavailable
from strongroom.hardware import registry
from strongroom.hardware.arm_cca import attest as arm_cca
from strongroom.hardware.hygon_csv import attest as hygon_csv
from strongroom.hardware.machine import LINUX, Machine, iowr, unusable, using
from strongroom.hardware.nitro import attest as nitro
from strongroom.hardware.sev_snp import attest as sev_snp
from strongroom.hardware.sgx import attest as sgx
from strongroom.hardware.tdx import attest as tdx
from strongroom.hardware.tsm.report import FOLDER
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.arm_cca import forge as cca_forge
from tests.hardware.dcap.forge import world
from tests.hardware.fakes import (
    FakeCsv,
    FakeGramine,
    FakeMachine,
    FakeNsm,
    FakeTsm,
    failure,
)
from tests.hardware.hygon_csv import forge as csv_forge
from tests.hardware.nitro import forge as nitro_forge
from tests.hardware.pki import NOW as PKI_NOW
from tests.hardware.sev_snp import forge as snp_forge

BOUND = bytes(range(64))
NOW = nitro_forge.NOW


def snp_report(bound: bytes) -> bytes:
    return snp_forge.Body(patch={0x50: bound}).sign(snp_forge.MILAN.leaf)


def csv_report(asked: bytes) -> bytes:
    """Return the shape of a report: what was asked for, hidden by an anonce."""
    anonce = b"\x9a\x01\x77\xfe"
    shown = bytes(a ^ b for a, b in zip(asked, anonce * 20, strict=True))
    page = bytearray(hygon_csv.REPORT_BYTES)
    page[64:144], page[188:192] = shown, anonce
    return bytes(page)


def quote(version: int, size: int = 584) -> bytes:
    """Return a quote's lengths with nothing else in it."""
    body = struct.pack("<HI", 3, size) if version == 5 else b""
    head = struct.pack("<HHI", version, 2, 0x81).ljust(48, b"\1")
    return head + body + b"\2" * size + struct.pack("<I", 9) + b"\3" * 9


Make = Callable[[Machine], Attester]

ATTESTERS: list[Make] = [
    arm_cca.attester,
    hygon_csv.attester,
    nitro.attester,
    sev_snp.attester,
    sgx.attester,
    tdx.attester,
]
each_attester = pytest.mark.parametrize(
    "make", ATTESTERS, ids=lambda make: make.__module__
)


# --- what each collects


def test_a_collected_snp_report_verifies_with_the_certificates_of_the_host() -> None:
    table = snp_forge.table(
        vcek=snp_forge.MILAN.leaf.certificate(),
        intermediate=snp_forge.ASK.certificate(snp_forge.ARK),
    )
    fake = FakeTsm(answer=snp_report, auxblob=table)
    evidence = sev_snp.attester(fake).collect(BOUND)
    assert evidence.kind == "sev-snp"
    trust = snp_forge.MILAN.with_(leaves=(), intermediates=()).trust()
    claims = verify_hardware(evidence, trust, now=NOW)
    assert (claims.bound, claims.bound_as) == (BOUND, "report_data")


def test_a_collected_nitro_document_verifies_with_its_nonce() -> None:
    forge = nitro_forge.ENCLAVE
    fake = FakeNsm(answer=lambda nonce: forge.saying(nonce=nonce).document())
    evidence = nitro.attester(fake).collect(BOUND)
    claims = verify_hardware(evidence, forge.trust(), now=NOW)
    assert (claims.bound, claims.bound_as) == (BOUND, "nonce")


def test_a_collected_realm_token_verifies_with_its_challenge() -> None:
    forge = cca_forge.VALID
    fake = FakeTsm(
        provider="arm_cca_guest",
        answer=lambda bound: forge.but(realm={10: bound}).token(),
    )
    evidence = arm_cca.attester(fake).collect(BOUND)
    claims = verify_hardware(evidence, forge.trust(), now=NOW)
    assert (claims.bound, claims.bound_as) == (BOUND, "realm_challenge")


def test_a_collected_csv_report_verifies() -> None:
    forge = csv_forge.VALID

    def answer(asked: bytes) -> bytes:
        return forge.but(report_data=asked[:64], mnonce=asked[64:]).report()

    evidence = hygon_csv.attester(FakeCsv(answer=answer)).collect(BOUND)
    claims = verify_hardware(evidence, forge.trust(), now=NOW)
    assert (claims.bound, claims.bound_as) == (BOUND, "report_data")


@pytest.mark.parametrize("name", ["tdx v4", "tdx v5, 1.0", "tdx v5, 1.5"])
def test_a_collected_td_quote_verifies_without_its_padding(name: str) -> None:
    made = world(name)

    def answer(bound: bytes) -> bytes:
        made.report_data = bound
        return made.quote() + bytes(1000)

    fake = FakeTsm(provider="tdx_guest", answer=answer)
    evidence = tdx.attester(fake).collect(BOUND)
    claims = verify_hardware(evidence, Trust(made.endorsements()), now=PKI_NOW)
    assert (claims.bound, claims.bound_as) == (BOUND, "report_data")


def test_a_collected_enclave_quote_verifies() -> None:
    made = world("sgx v3")

    def answer(bound: bytes) -> bytes:
        made.report_data = bound
        return made.quote()

    evidence = sgx.attester(FakeGramine(answer=answer)).collect(BOUND)
    claims = verify_hardware(evidence, Trust(made.endorsements()), now=PKI_NOW)
    assert (claims.bound, claims.bound_as) == (BOUND, "report_data")


def test_a_realm_token_is_what_the_kernel_gave() -> None:
    fake = FakeTsm(provider="arm_cca_guest", answer=lambda bound: b"token" + bound)
    evidence = arm_cca.attester(fake).collect(BOUND)
    assert evidence.kind == "arm-cca"
    assert evidence.parts == {"token": b"token" + BOUND}


def test_a_quote_of_gramine_is_over_the_report_data() -> None:
    fake = FakeGramine(answer=lambda bound: b"quote" + bound)
    evidence = sgx.attester(fake).collect(BOUND)
    assert (evidence.kind, evidence.parts) == ("sgx", {"quote": b"quote" + BOUND})


def test_a_csv_report_answers_its_own_request() -> None:
    evidence = hygon_csv.attester(FakeCsv(answer=csv_report)).collect(BOUND)
    report = evidence.part("report")
    shown = bytes(
        a ^ b for a, b in zip(report[64:128], report[188:192] * 16, strict=True)
    )
    assert (evidence.kind, len(report), shown) == ("hygon-csv", 2548, BOUND)


@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_of_tdx_ends_where_its_signature_does(version: int) -> None:
    whole = quote(version, 648 if version == 5 else 584)
    fake = FakeTsm(provider="tdx_guest", answer=lambda _: whole + bytes(500))
    assert tdx.attester(fake).collect(BOUND).parts == {"quote": whole}


def test_what_follows_a_quote_stays_if_it_is_not_padding() -> None:
    assert tdx.without_padding(quote(4) + b"\0\1") == quote(4) + b"\0\1"


def test_half_a_quote_is_none() -> None:
    for end in (0, 1, 47, 100, len(quote(4)) - 1):
        with pytest.raises(Unavailable, match="no whole quote"):
            tdx.without_padding(quote(4)[:end])


def test_the_event_log_comes_along_where_the_firmware_keeps_one() -> None:
    fake = FakeTsm(provider="tdx_guest", answer=lambda _: quote(4))
    fake.files[tdx.EVENT_LOG] = b"log"
    assert tdx.attester(fake).collect(BOUND).part("event_log") == b"log"


def test_a_host_without_certificates_adds_none() -> None:
    for auxblob in (None, b"", bytes(4096)):
        fake = FakeTsm(answer=snp_report, auxblob=auxblob)
        assert set(sev_snp.attester(fake).collect(BOUND).parts) == {"report"}


@pytest.mark.parametrize("length", [0, 32, 63, 65])
@pytest.mark.parametrize(
    "make",
    [each for each in ATTESTERS if each is not nitro.attester],
    ids=lambda make: make.__module__,
)
def test_report_data_is_never_padded(make: Make, length: int) -> None:
    with pytest.raises(Malformed, match="64 bytes"):
        make(FakeMachine()).collect(bytes(length))


# --- configfs-tsm


def test_every_report_has_an_entry_of_its_own_and_leaves_none() -> None:
    fake = FakeTsm(answer=snp_report)
    attester = sev_snp.attester(fake)
    attester.collect(BOUND)
    attester.collect(BOUND)
    made = [line for line in fake.log if line.startswith("mkdir")]
    assert len(set(made)) == len(made) == 2
    assert not fake.entries


def test_a_report_that_someone_wrote_into_is_made_again() -> None:
    fake = FakeTsm(answer=snp_report, intruders=2)
    evidence = sev_snp.attester(fake).collect(BOUND)
    assert evidence.part("report")[0x50:0x90] == BOUND
    assert not fake.entries


def test_someone_who_writes_each_time_is_said_to() -> None:
    fake = FakeTsm(answer=snp_report, intruders=99)
    with pytest.raises(Unavailable, match="someone else writes"):
        sev_snp.attester(fake).collect(BOUND)
    assert not fake.entries


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EAGAIN, errno.EINTR])
def test_a_busy_driver_is_asked_again(number: int) -> None:
    fake = FakeTsm(answer=snp_report, failing={"outblob": [number, number]})
    assert sev_snp.attester(fake).collect(BOUND).part("report")


def test_a_driver_that_stays_busy_is_said_to_be() -> None:
    fake = FakeTsm(answer=snp_report, failing={"outblob": [errno.EBUSY] * 99})
    with pytest.raises(Unavailable, match="busy"):
        sev_snp.attester(fake).collect(BOUND)
    assert not fake.entries


def test_a_provider_of_another_kind_is_named() -> None:
    fake = FakeTsm(provider="tdx_guest", answer=snp_report)
    with pytest.raises(Misconfigured, match="from tdx_guest, which gives tdx, not sev"):
        sev_snp.attester(fake).collect(BOUND)
    assert "tdx_guest" in sev_snp.attester(fake).missing()
    assert not tdx.attester(fake).missing()
    assert not fake.entries


def test_the_privilege_level_is_asked_for_and_counted() -> None:
    fake = FakeTsm(answer=snp_report)
    sev_snp.attester(fake, privlevel=2).collect(BOUND)
    sev_snp.attester(fake).collect(BOUND)
    assert fake.privlevels == [2, None]


def test_an_entry_that_cannot_be_removed_spoils_no_report() -> None:
    fake = FakeTsm(answer=snp_report)
    fake.remove_folder = FakeMachine.remove_folder.__get__(fake)  # type: ignore[method-assign]
    assert sev_snp.attester(fake).collect(BOUND).part("report")


@pytest.mark.parametrize("counted", ["", "-1\n", "seven\n"])
def test_a_generation_that_is_no_number_is_refused(counted: str) -> None:
    fake = FakeTsm(answer=snp_report, counting=counted)
    with pytest.raises(Misconfigured, match="generation"):
        sev_snp.attester(fake).collect(BOUND)


# --- what is missing, and what to do


@each_attester
def test_a_machine_without_the_device_is_told_which(make: Make) -> None:
    attester = make(FakeMachine())
    with pytest.raises(
        Misconfigured, match=r"^/(sys|dev)/\S+ is not there: this needs"
    ):
        attester.collect(BOUND)
    assert "is not there" in attester.missing()


@pytest.mark.parametrize(
    ("fake", "make"),
    [
        (FakeTsm(failing={"inblob": [errno.EACCES]}), sev_snp.attester),
        (FakeGramine(failing={"user_report_data": [errno.EACCES]}), sgx.attester),
        (FakeNsm(failing={"nsm": [errno.EPERM]}), nitro.attester),
        (FakeCsv(failing={"csv-guest": [errno.EACCES]}), hygon_csv.attester),
    ],
    ids=["tsm", "gramine", "nsm", "csv"],
)
def test_a_user_who_may_not_is_told_so(fake: Machine, make: Make) -> None:
    with pytest.raises(
        Misconfigured, match="may not be used by this user: run as root"
    ):
        make(fake).collect(BOUND)


@pytest.mark.parametrize(
    ("fake", "make"),
    [
        (FakeTsm(answer=snp_report), sev_snp.attester),
        (FakeGramine(), sgx.attester),
        (FakeNsm(), nitro.attester),
        (FakeCsv(answer=csv_report), hygon_csv.attester),
    ],
    ids=["tsm", "gramine", "nsm", "csv"],
)
def test_nothing_is_missing_where_the_device_is(fake: Machine, make: Make) -> None:
    assert not make(fake).missing()


@pytest.mark.parametrize(
    ("fake", "make"),
    [
        (FakeTsm(failing={"provider": [errno.EIO]}), sev_snp.attester),
        (FakeGramine(failing={"attestation_type": [errno.EIO]}), sgx.attester),
        (FakeNsm(failing={"nsm": [errno.ETIMEDOUT]}), nitro.attester),
        (FakeCsv(failing={"csv-guest": [errno.EIO]}), hygon_csv.attester),
    ],
    ids=["tsm", "gramine", "nsm", "csv"],
)
def test_a_device_that_does_not_answer_is_said_not_to(
    fake: Machine, make: Make
) -> None:
    assert "did not answer" in make(fake).missing()


def test_an_enclave_without_remote_attestation_is_told_what_its_manifest_lacks() -> (
    None
):
    attester = sgx.attester(FakeGramine(attestation_type=b"none"))
    with pytest.raises(Misconfigured, match=r"says 'none'.*sgx\.remote_attestation"):
        attester.collect(BOUND)
    assert "none" in attester.missing()


def test_a_tsm_without_a_provider_is_missing_one() -> None:
    assert "driver of its TEE" in tdx.attester(FakeTsm(provider="")).missing()


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOENT, Misconfigured),
        (errno.ENXIO, Misconfigured),
        (errno.EACCES, Misconfigured),
        (errno.EINVAL, Misconfigured),
        (errno.EFBIG, Misconfigured),
        (errno.EIO, Unavailable),
        (errno.ETIMEDOUT, Unavailable),
        (errno.EBUSY, Unavailable),
    ],
)
def test_errors_of_the_kernel_say_what_to_do_next(
    number: int, error: type[StrongroomError]
) -> None:
    made = unusable("/dev/nsm", "this needs one", failure(number, "/dev/nsm"))
    assert type(made) is error
    assert made.message.startswith("/dev/nsm ")


# --- messages of Nitro and CSV


def test_the_request_to_the_nsm_is_amazons() -> None:
    """The bytes, as AWS's nsm-api 0.4 sends them but for the order of names."""
    assert nitro.attestation_request(b"\1\2", b"", b"").hex() == (
        "a16b4174746573746174696f6e"  # {"Attestation":
        "a3656e6f6e6365420102"  # {"nonce": h'0102',
        "69757365725f64617461f6"  # "user_data": null,
        "6a7075626c69635f6b6579f6"  # "public_key": null}}
    )


def test_key_and_user_data_of_a_nitro_attester_are_asked_for() -> None:
    fake = FakeNsm(answer=lambda nonce: nonce)
    nitro.NitroAttester(fake, public_key=b"key", user_data=b"data").collect(b"nonce")
    assert fake.requests == [
        {"Attestation": {"nonce": b"nonce", "user_data": b"data", "public_key": b"key"}}
    ]


@pytest.mark.parametrize(
    ("nonce", "user_data", "public_key"),
    [(513, 0, 0), (0, 513, 0), (0, 0, 1025)],
)
def test_what_no_nitro_document_takes_is_not_asked_for(
    nonce: int, user_data: int, public_key: int
) -> None:
    with pytest.raises(Malformed, match="at most"):
        nitro.attestation_request(bytes(nonce), bytes(user_data), bytes(public_key))
    assert nitro.attestation_request(bytes(512), bytes(512), bytes(1024))


def test_an_error_of_the_nsm_is_passed_on() -> None:
    with pytest.raises(Unavailable, match="InvalidOperation"):
        nitro.attester(FakeNsm(error="InvalidOperation")).collect(BOUND)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\xff",
        cbor.encode("Attestation"),
        cbor.encode({"Attestation": b""}),
        cbor.encode({"Attestation": {"document": "text"}}),
        cbor.encode({"DescribeNSM": {}}),
    ],
)
def test_a_response_without_a_document_is_none(response: bytes) -> None:
    with pytest.raises(Unavailable, match="/dev/nsm answered"):
        nitro.document(response)


def test_a_request_longer_than_the_driver_takes_is_not_sent() -> None:
    fake = FakeNsm()
    with pytest.raises(Malformed, match="4096"):
        nitro.exchange(fake, bytes(4097))
    assert not fake.requests


def test_a_csv_report_of_another_request_is_refused() -> None:
    fake = FakeCsv(answer=lambda asked: csv_report(asked[:64] + b"\7" * 16))
    with pytest.raises(Unavailable, match="no report for this request"):
        hygon_csv.attester(fake).collect(BOUND)


def test_a_csv_driver_that_changes_nothing_gave_no_report() -> None:
    with pytest.raises(Unavailable, match="no report for this request"):
        hygon_csv.attester(FakeCsv(answer=lambda _: b"")).collect(BOUND)


# --- the machine that is there


def test_files_are_read_whole_and_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "attribute"
    file.touch()
    LINUX.write(str(file), b"x" * 300_000)
    assert LINUX.read(str(file)) == b"x" * 300_000


def test_a_write_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LINUX.write(str(tmp_path / "none"), b"")
    assert not list(tmp_path.iterdir())


def test_a_file_without_end_is_not_read() -> None:
    with pytest.raises(OSError, match="too large"):
        LINUX.read("/dev/zero")


def test_folders_come_and_go(tmp_path: Path) -> None:
    LINUX.make_folder(str(tmp_path / "entry"))
    assert (tmp_path / "entry").is_dir()
    LINUX.remove_folder(str(tmp_path / "entry"))
    assert not list(tmp_path.iterdir())


def test_a_device_call_fills_its_argument() -> None:
    argument = bytearray(b"\xff" * 4)
    LINUX.ioctl("/dev/urandom", 0x80045200, argument, {})  # RNDGETENTCNT
    assert argument != b"\xff" * 4


def test_a_device_call_points_to_its_buffers() -> None:
    argument, buffer = bytearray(16), bytearray(b"request")
    with pytest.raises(OSError, match="Inappropriate"):
        LINUX.ioctl("/dev/null", iowr(0x0A, 0, 32), argument, {8: buffer})
    none, address = struct.unpack("=QQ", argument)
    assert none == 0
    assert ctypes.string_at(address, len(buffer)) == b"request"


def test_device_calls_have_the_numbers_of_their_headers() -> None:
    assert nitro.RAW == 0xC0200A00
    assert hygon_csv.GET_REPORT == 0xC0104401


def test_errors_name_the_folder_and_not_the_entry() -> None:
    with pytest.raises(Misconfigured, match=f"^{FOLDER} is"), using(FOLDER, "this"):
        raise failure(errno.ENOENT, f"{FOLDER}/strongroom-12")


# --- the table


def test_a_probe_says_of_each_kind_what_is_missing() -> None:
    found = missing()
    assert set(found) == set(registry.ATTESTERS)
    assert all(why == "" or " " in why for why in found.values())


def test_every_attester_is_in_the_table_and_of_its_kind() -> None:
    for kind in registry.ATTESTERS:
        assert registry.hardware_attester(kind).kind == kind
    with pytest.raises(
        Misconfigured, match="no attester for hardware of kind 'abacus'"
    ):
        registry.hardware_attester("abacus")
