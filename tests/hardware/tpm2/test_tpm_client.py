# SPDX-License-Identifier: Apache-2.0
"""The line to a TPM: real commands to a software TPM, and answers that are none."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from strongroom.core.crypto.hashing import SHA256
from strongroom.errors import Malformed, Misconfigured, StrongroomError, Unavailable
from strongroom.hardware.tpm2 import commands, keys, rc
from strongroom.hardware.tpm2.client import Tpm, TpmError
from strongroom.hardware.tpm2.software import connect

INDEX = 0x0180_5400


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Tpm]:
    with connect("swtpm", tmp_path / "state") as line:
        yield line


def answering(*answers: bytes) -> Tpm:
    """Return a line to something that gives these answers and then goes away."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with theirs, contextlib.suppress(OSError):  # the other end may have gone
            for each in answers:
                theirs.recv(4096)
                theirs.sendall(each)

    threading.Thread(target=answer, daemon=True).start()
    return Tpm(ours.detach(), "a fake")


def header(size: int, number: int = 0) -> bytes:
    return struct.pack(">HII", 0x8001, size, number)


def test_a_software_tpm_says_what_it_is(tpm: Tpm) -> None:
    assert "SW" in commands.model(tpm).split()


def test_a_pcr_only_extends_and_a_reset_takes_it_back(tmp_path: Path) -> None:
    digest = SHA256.digest(b"event")
    with connect("swtpm", tmp_path / "state") as tpm:
        before = commands.read_clock(tpm).reset_count
        commands.pcr_extend(tpm, 13, digest)
        expected = SHA256.digest(bytes(32), digest)
        assert commands.pcr_read(tpm, [13]) == {13: expected}
    with connect("swtpm", tmp_path / "state") as tpm:
        assert commands.pcr_read(tpm, [13]) == {13: bytes(32)}
        assert commands.read_clock(tpm).reset_count == before + 1


def test_more_pcrs_are_read_than_one_answer_holds(tpm: Tpm) -> None:
    assert sorted(commands.pcr_read(tpm, range(24))) == list(range(24))


def test_random_bytes_come_in_any_number_and_differ(tpm: Tpm) -> None:
    drawn = [commands.get_random(tpm, 100) for _ in range(2)]
    assert [len(each) for each in drawn] == [100, 100]
    assert drawn[0] != drawn[1]


def test_a_counter_only_counts_up_and_outlives_a_reset(tmp_path: Path) -> None:
    with connect("swtpm", tmp_path / "state") as tpm:
        commands.nv_define_counter(tpm, INDEX)
        commands.nv_increment(tpm, INDEX)
        first = commands.nv_counter(tpm, INDEX)
        commands.nv_increment(tpm, INDEX)
        with pytest.raises(TpmError) as error:
            commands.nv_define_counter(tpm, INDEX)
        assert error.value.rc == "NV_DEFINED"
    with connect("swtpm", tmp_path / "state") as tpm:
        assert commands.nv_counter(tpm, INDEX) == first + 1


def test_a_primary_key_is_made_again_from_its_template(tpm: Tpm) -> None:
    template = keys.attestation_template(b"u" * 32)
    made = []
    for _ in range(2):
        with keys.primary(tpm, commands.ENDORSEMENT, template) as (_, public):
            made.append(public)
    other = keys.attestation_template(b"v" * 32)
    with keys.primary(tpm, commands.ENDORSEMENT, other) as (_, public):
        assert public not in made
    assert made[0] == made[1]


def test_a_key_under_a_pcr_policy_works_in_that_state_only(tpm: Tpm) -> None:
    policy = keys.pcr_policy(commands.pcr_read(tpm, [7, 13]))
    key = keys.make_hmac_key(tpm, policy)
    given_now = []
    for nonce in (b"n" * 16, b"m" * 16):
        with keys.secret_of(tpm, key, b"label", (7, 13), nonce) as secret:
            given_now.append(bytes(secret.view))
    assert given_now[0] == given_now[1] != bytes(32)
    with pytest.raises(TpmError):
        keys.secret_of(tpm, key, b"label")
    commands.pcr_extend(tpm, 13, b"x" * 32)
    with pytest.raises(TpmError) as error:
        keys.secret_of(tpm, key, b"label", (7, 13), b"n" * 16)
    assert error.value.rc == "POLICY_FAIL"


def test_failures_leave_no_key_or_session_in_the_tpm(tpm: Tpm) -> None:
    key = keys.make_hmac_key(tpm, keys.pcr_policy(commands.pcr_read(tpm, [13])))
    commands.pcr_extend(tpm, 13, b"x" * 32)
    names = set()
    for _ in range(70):  # more than a TPM has room for
        with pytest.raises(TpmError) as error:
            keys.secret_of(tpm, key, b"label", (13,), b"n" * 16)
        names.add(error.value.rc)
    assert names == {"POLICY_FAIL"}


def test_a_refusal_names_its_code_and_place(tpm: Tpm) -> None:
    with pytest.raises(TpmError, match=r"TPM_RC_HANDLE \(handle 1\)") as error:
        commands.nv_counter(tpm, INDEX + 1)
    assert error.value.rc == "HANDLE"
    assert rc.name_of(0x922) == "RETRY"
    assert rc.place_of(0x9A2) == "session 1"
    assert rc.place_of(0x1C4) == "parameter 1"
    assert rc.name_of(0x7F) == "0x7f"


def test_an_answer_to_try_again_is_tried_again() -> None:
    busy, ready = header(10, 0x922), header(14) + b"\0\2ok"
    with answering(busy, ready) as tpm:
        assert commands.get_random(tpm, 2) == b"ok"


@pytest.mark.parametrize(
    "answer",
    [b"", header(10)[:9], header(9), header(4097) + bytes(40), header(20) + b"\0"],
    ids=["none", "cut", "too small", "too large", "shorter than it says"],
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with answering(answer) as tpm, pytest.raises((Malformed, Unavailable)):
        commands.get_random(tpm, 2)


@given(st.binary(max_size=80))
def test_whatever_comes_back_only_our_errors_leave(body: bytes) -> None:
    answer = header(10 + len(body)) + body
    for ask in (commands.model, commands.read_clock, _quoted, _loaded):
        with answering(answer, answer) as tpm:
            try:
                ask(tpm)
            except StrongroomError:
                continue


def _quoted(tpm: Tpm) -> object:
    return commands.quote(tpm, 1, b"n", [13])


def _loaded(tpm: Tpm) -> object:
    return keys.secret_of(tpm, keys.WrappedKey(b"", b""), b"x")


def test_a_closed_line_and_a_missing_tpm_are_said(tpm: Tpm, tmp_path: Path) -> None:
    tpm.close()
    with pytest.raises(Misconfigured, match="closed"):
        commands.read_clock(tpm)
    with pytest.raises(Misconfigured, match="a machine with a TPM"):
        connect(os.fspath(tmp_path / "tpmrm0"), tmp_path)
