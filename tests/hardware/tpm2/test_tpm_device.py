# SPDX-License-Identifier: Apache-2.0
"""A TPM as root of trust: what holds, and every way in which it must not."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from strongroom.core.crypto import SecretBuffer, VerifyingKey, suite
from strongroom.core.rats import (
    Endorsements,
    HardwareEvidence,
    PlatformClaims,
    PlatformFacts,
    Register,
    Trust,
)
from strongroom.core.rats.registers import Event, replay
from strongroom.core.rats.statement import RootedEvidence, binding
from strongroom.errors import (
    Conflict,
    Malformed,
    Misconfigured,
    Refused,
    Stale,
    StrongroomError,
    Untrusted,
)
from strongroom.hardware.registry import hardware_verifier, verifier
from strongroom.hardware.rooted.verify import verify as verify_rooted
from strongroom.hardware.tcg.public import Public
from strongroom.hardware.tpm2 import commands, pcrs
from strongroom.hardware.tpm2.attest import TpmAttester
from strongroom.hardware.tpm2.device import TpmDevice
from strongroom.hardware.tpm2.evidence import make_quote
from strongroom.hardware.tpm2.software import SoftwareTpm
from strongroom.hardware.tpm2.statement import PROFILE

NOW = 1_800_000_000
NONCE = b"n" * 32


@dataclass
class Place:
    """A provisioned device, closed, with the key that pins it."""

    folder: Path
    suite_id: str
    pinned: bytes

    @property
    def trust(self) -> Trust:
        return Trust(Endorsements((self.pinned,), ()))

    def boot(self, package: bytes = b"package") -> TpmDevice:
        """Return the device with a monitor's boot measured."""
        device = TpmDevice.open(self.folder)
        digest = suite(self.suite_id).digest(package)
        device.extend("monitor", "package", digest)
        device.extend("template", "modules", digest)
        device.extend("config", "suite", digest)
        return device

    def verify(self, evidence: bytes) -> PlatformClaims:
        return verifier("tpm2")(evidence, self.trust, NOW)


@pytest.fixture(params=["sm", "intl"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    folder = tmp_path / "device"
    pinned = TpmDevice.provision(folder, request.param)
    return Place(folder, request.param, pinned)


@pytest.fixture
def device(place: Place) -> Iterator[TpmDevice]:
    with place.boot() as booted:
        yield booted


def key_of(suite_id: str, number: int = 1) -> VerifyingKey:
    row = suite(suite_id)
    return row.signing_key(bytes([number]) * row.sign_seed_bytes).public


def evidence_of(device: TpmDevice, nonce: bytes = NONCE) -> bytes:
    key = key_of(device.suite_id)
    return device.attest(nonce=nonce, monitor_key=key, now=NOW)


def derived(device: TpmDevice, purpose: str = "p", context: bytes = b"c") -> bytes:
    with device.derive(purpose, context) as secret:
        return bytes(secret.view)


def forged(device: TpmDevice, pcr: int = 13, **changes: object) -> bytes:
    """Return evidence by whoever may use the TPM: rightly quoted, other facts."""
    parsed = RootedEvidence.from_bytes(evidence_of(device))
    facts = replace(PROFILE.decode(parsed.statement), **changes)  # type: ignore[arg-type]
    statement = PROFILE.encode(facts)
    selected = [*pcrs.BOOT_PCRS, pcr]
    parts = make_quote(
        device._tpm, device._attestation_key, binding(statement), selected
    )
    return RootedEvidence(statement, HardwareEvidence("tpm2", parts)).to_bytes()


def rule(error: pytest.ExceptionInfo[Refused]) -> str:
    return error.value.findings[0].rule


def test_a_tpm_speaks_for_its_monitor(place: Place, device: TpmDevice) -> None:
    claims = place.verify(evidence_of(device))
    assert (claims.kind, claims.suite_id) == ("tpm2", place.suite_id)
    assert claims.monitor_key == key_of(place.suite_id)
    assert claims.nonce == NONCE
    assert claims.device_id == device.device_id
    assert claims.boot_count == device.boot_count > 0
    assert claims.registers == device.registers()
    assert "SW" in claims.model.split()
    assert claims.hardware is not None
    assert claims.hardware.kind == "tpm2"
    firmware = claims.register("firmware")
    assert firmware is not None
    names = [event.name for event in firmware.events]
    assert names == [f"pcr.{pcr}" for pcr in pcrs.BOOT_PCRS]


def test_no_byte_of_the_evidence_may_be_altered(
    place: Place, device: TpmDevice
) -> None:
    evidence = evidence_of(device)
    for position in range(0, len(evidence), 7):
        altered = bytearray(evidence)
        altered[position] ^= 1 << position % 8
        try:
            claims = place.verify(bytes(altered))
        except (Malformed, Refused):
            continue
        assert claims == place.verify(evidence)  # a letter of hex in another case
    for length in range(0, len(evidence), 11):
        with pytest.raises((Malformed, Refused)):
            place.verify(evidence[:length])


def test_a_statement_that_nobody_quoted_is_refused(
    place: Place, device: TpmDevice
) -> None:
    parsed = RootedEvidence.from_bytes(evidence_of(device))
    facts = replace(PROFILE.decode(parsed.statement), nonce=b"m" * 32)
    swapped = replace(parsed, statement=PROFILE.encode(facts))
    with pytest.raises(Untrusted) as error:
        place.verify(swapped.to_bytes())
    assert rule(error) == "tpm2.binding.statement"


def test_one_boot_has_one_monitor_key(place: Place, device: TpmDevice) -> None:
    evidence_of(device)
    other = key_of(place.suite_id, 2)
    with pytest.raises(Conflict, match="another monitor key"):
        device.attest(nonce=NONCE, monitor_key=other, now=NOW)
    with pytest.raises(Untrusted) as error:
        place.verify(forged(device, monitor_key=other))
    assert rule(error) == "tpm2.measurement.pcr-13"


def test_registers_that_were_not_measured_are_refused(
    place: Place, device: TpmDevice
) -> None:
    row = suite(place.suite_id)
    registers = list(device.registers())
    event = Event("package", row.digest(b"good software"))
    value = replay(place.suite_id, [event])
    registers[1] = Register(1, "monitor", value, (event,))
    with pytest.raises(Untrusted) as error:
        place.verify(forged(device, registers=tuple(registers)))
    assert rule(error) == "tpm2.measurement.pcr-13"


def test_a_firmware_register_that_the_boot_pcrs_do_not_back_is_refused(
    place: Place, device: TpmDevice
) -> None:
    first, *rest = device.registers()
    for events in (first.events[1:], (), (*first.events, first.events[0])):
        value = replay(place.suite_id, events)
        registers = (Register(0, "firmware", value, tuple(events)), *rest)
        with pytest.raises(Untrusted) as error:
            place.verify(forged(device, registers=registers))
        assert rule(error) == "tpm2.measurement.firmware"


def test_a_count_of_boots_that_is_not_the_tpm_s_is_refused(
    place: Place, device: TpmDevice
) -> None:
    with pytest.raises(Untrusted) as error:
        place.verify(forged(device, boot_count=device.boot_count + 1))
    assert rule(error) == "tpm2.binding.reset-count"


@pytest.mark.parametrize("pcr", [16, 23, 12, 0])
def test_a_quote_of_other_pcrs_is_refused(
    place: Place, device: TpmDevice, pcr: int
) -> None:
    with pytest.raises(Untrusted) as error:
        place.verify(forged(device, pcr))
    assert rule(error).startswith("tpm2.measurement.")


@pytest.mark.parametrize(("pcr", "what"), [(13, "pcr-13"), (4, "firmware")])
def test_what_other_software_extends_afterwards_makes_evidence_worthless(
    place: Place, device: TpmDevice, pcr: int, what: str
) -> None:
    place.verify(evidence_of(device))
    commands.pcr_extend(device._tpm, pcr, b"x" * 32)
    with pytest.raises(Untrusted) as error:
        place.verify(evidence_of(device))
    assert rule(error) == f"tpm2.measurement.{what}"


def test_what_other_software_extends_before_the_first_key_is_refused_by_the_tpm(
    device: TpmDevice,
) -> None:
    commands.pcr_extend(device._tpm, 13, b"x" * 32)
    with pytest.raises(Refused) as error:
        derived(device)
    assert rule(error) == "device.boot"
    with pytest.raises(Refused):
        evidence_of(device)


def test_other_boot_pcrs_are_another_firmware_and_other_keys(place: Place) -> None:
    with place.boot() as device:
        good, key = (
            place.verify(evidence_of(device)).register("firmware"),
            derived(device),
        )
    state = _preset(place, 4)
    with state as device:
        found = place.verify(evidence_of(device)).register("firmware")
        assert derived(device) != key
    assert good is not None
    assert found is not None
    assert found.value != good.value
    differing = [
        a.name for a, b in zip(found.events, good.events, strict=True) if a != b
    ]
    assert differing == ["pcr.4"]


def _preset(place: Place, pcr: int) -> TpmDevice:
    """Boot on a TPM into which something else extended a boot PCR before."""
    device = TpmDevice.open(place.folder)
    commands.pcr_extend(device._tpm, pcr, b"other kernel".ljust(32, b"\0"))
    device._registers = type(device._registers)(place.suite_id)
    device._measure_firmware()
    digest = suite(place.suite_id).digest(b"package")
    for name, event in (
        ("monitor", "package"),
        ("template", "modules"),
        ("config", "suite"),
    ):
        device.extend(name, event, digest)
    return device


def test_old_evidence_answers_no_new_boot(place: Place) -> None:
    with place.boot() as device:
        old = place.verify(evidence_of(device))
    with place.boot() as device:
        fresh = place.verify(evidence_of(device, b"m" * 32))
    assert fresh.boot_count == old.boot_count + 1
    assert (old.nonce, fresh.nonce) == (NONCE, b"m" * 32)
    assert old.registers == fresh.registers


def test_another_tpm_s_evidence_is_refused(place: Place, tmp_path: Path) -> None:
    pinned = TpmDevice.provision(tmp_path / "other", place.suite_id)
    other = Place(tmp_path / "other", place.suite_id, pinned)
    with other.boot() as device:
        evidence = evidence_of(device)
        with pytest.raises(Untrusted) as error:
            place.verify(evidence)
        assert rule(error) == "tpm2.root.ak"
        spki = Public.parse(pinned, "ak").key.spki
        for key_id in (device.device_id, sha256(spki).digest()):
            revoked = Trust(Endorsements((pinned,), (key_id,)))
            with pytest.raises(Untrusted) as error:
                verifier("tpm2")(evidence, revoked, NOW)
            assert rule(error) == "tpm2.revoked.ak"
        both = Trust(Endorsements((place.pinned, pinned), ()))
        impostor = forged(device, device_id=pcrs.device_id_of(place.pinned))
        assert verifier("tpm2")(evidence, both, NOW).device_id == device.device_id
        with pytest.raises(Untrusted) as error:
            verifier("tpm2")(impostor, both, NOW)
        assert rule(error).startswith("tpm2.signature.")
    later = Trust(Endorsements((place.pinned,), (), {"trusted_ak_public": (pinned,)}))
    assert verifier("tpm2")(evidence, later, NOW).kind == "tpm2"


def test_evidence_from_the_future_or_of_another_kind_is_refused(
    place: Place, device: TpmDevice
) -> None:
    evidence = evidence_of(device)
    with pytest.raises(Stale):
        verifier("tpm2")(evidence, place.trust, NOW - 3600)
    with pytest.raises(Misconfigured):
        verify_rooted("sgx", hardware_verifier("tpm2"), evidence, place.trust, NOW)
    parsed = RootedEvidence.from_bytes(evidence)
    other = replace(parsed, hardware=replace(parsed.hardware, kind="tdx"))
    with pytest.raises(Untrusted) as error:
        place.verify(other.to_bytes())
    assert rule(error) == "tpm2.binding.kind"


def test_keys_are_the_same_after_a_reset_and_differ_otherwise(
    place: Place, tmp_path: Path
) -> None:
    with place.boot() as device:
        first = derived(device)
        different = {derived(device, "q"), derived(device, "p", b"d")}
        evidence_of(device)
        assert derived(device) == first
    with place.boot() as device:
        assert derived(device) == first
    with place.boot(b"other software") as device:
        different.add(derived(device))
    TpmDevice.provision(tmp_path / "two", place.suite_id)
    with Place(tmp_path / "two", place.suite_id, b"").boot() as device:
        different.add(derived(device))
    assert len(different - {first}) == 4


def test_once_the_key_is_bound_the_tpm_gives_the_boot_secret_to_nobody(
    device: TpmDevice,
) -> None:
    derived(device)
    evidence_of(device)
    secret, device._secret = device._secret, None
    try:
        with pytest.raises(Refused) as error:
            derived(device)
        assert rule(error) == "device.boot"
    finally:
        device._secret = secret


def test_boot_is_measured_in_order_and_once(place: Place) -> None:
    digest = suite(place.suite_id).digest(b"x")
    with TpmDevice.open(place.folder) as device:
        device.extend("template", "modules", digest)
        with pytest.raises(Conflict):
            device.extend("monitor", "package", digest)
        with pytest.raises(Conflict):
            device.extend("firmware", "pcr.4", digest)
        with pytest.raises(StrongroomError):
            device.extend("nothing", "x", digest)
        derived(device)
        with pytest.raises(Conflict, match="measured"):
            device.extend("config", "suite", digest)


def test_a_monitor_measures_once_in_each_boot_of_the_tpm(place: Place) -> None:
    """On a chip the TPM outlives the monitor; the second one must be refused."""
    with place.boot() as device:
        with pytest.raises(Misconfigured, match="once in each boot") as error:
            device._require_fresh_pcr()
        assert "PCR 13" in error.value.message
        with pytest.raises(Conflict, match="in use"):
            TpmDevice.open(place.folder)


def test_counters_are_kept_and_never_go_back(place: Place, tmp_path: Path) -> None:
    with place.boot() as device:
        assert [device.increment("a") for _ in range(3)] == [1, 2, 3]
        shutil.copy(place.folder / "counters", tmp_path / "old")
        assert device.increment("b") == 1
    with place.boot(b"an upgrade") as device:
        assert (device.counter("a"), device.counter("b"), device.counter("c")) == (
            3,
            1,
            0,
        )
    shutil.copy(tmp_path / "old", place.folder / "counters")
    with pytest.raises(Stale) as error:
        TpmDevice.open(place.folder)
    assert rule(error) == "device.counters"


def test_a_crash_between_journal_and_tpm_loses_nothing(place: Place) -> None:
    with place.boot() as device:
        device.increment("a")
        device._counters._journal.increment("app/a")  # and the power goes
    with place.boot() as device:
        assert device.counter("a") == 2
        assert device.increment("a") == 3
    with place.boot() as device:
        assert device.counter("a") == 3


def test_a_journal_that_ran_ahead_of_the_tpm_is_refused(place: Place) -> None:
    with place.boot() as device:
        for _ in range(2):
            device._counters._journal.increment("app/a")
    with pytest.raises(Refused) as error:
        TpmDevice.open(place.folder)
    assert rule(error) == "device.counters"


def test_a_killed_tpm_keeps_what_was_acknowledged(place: Place) -> None:
    device = place.boot()
    assert device.increment("a") == 1
    assert isinstance(device._tpm, SoftwareTpm)
    os.kill(device._tpm._process.pid, signal.SIGKILL)
    with pytest.raises(StrongroomError):
        device.random(8)
    device.close()
    with place.boot() as again:
        assert again.counter("a") == 1


def test_another_tpm_under_the_same_folder_is_refused(
    place: Place, tmp_path: Path
) -> None:
    TpmDevice.provision(tmp_path / "other", place.suite_id)
    shutil.rmtree(place.folder / "swtpm")
    shutil.copytree(tmp_path / "other" / "swtpm", place.folder / "swtpm")
    with pytest.raises(Refused) as error:
        TpmDevice.open(place.folder)
    assert rule(error) == "device.tpm"


def test_a_device_is_provisioned_once_into_a_pcr_that_holds(
    place: Place, tmp_path: Path
) -> None:
    with pytest.raises(Conflict):
        TpmDevice.provision(place.folder, place.suite_id)
    for pcr in (0, 16, 23, 24):
        with pytest.raises(Misconfigured):
            TpmDevice.provision(tmp_path / "x", place.suite_id, pcr=pcr)
    TpmDevice.provision(tmp_path / "y", place.suite_id, pcr=12)
    with Place(tmp_path / "y", place.suite_id, b"").boot() as device:
        assert any(commands.pcr_read(device._tpm, [12])[12])


def test_random_bytes_are_the_tpm_s_and_no_key_outlives_close(place: Place) -> None:
    device = place.boot()
    assert device.random(40) != device.random(40)
    with SecretBuffer(32) as secret:
        device.fill(secret)
        assert bytes(secret.view) != bytes(32)
    derived(device)
    device.close()
    device.close()
    with pytest.raises(StrongroomError):
        device.derive("p", b"c")
    with pytest.raises(StrongroomError):
        device.counter("a")


def test_the_attester_quotes_this_machine_over_what_is_asked(tmp_path: Path) -> None:
    attester = TpmAttester("swtpm", tmp_path / "state")
    evidence = attester.collect(b"b" * 64)
    pinned = Endorsements((), (), {"trusted_ak_public": (attester.attestation_key(),)})
    claims = hardware_verifier("tpm2")(evidence, Trust(pinned), NOW)
    assert (claims.bound, claims.bound_as) == (b"b" * 64, "nonce")
    assert len(json.loads(evidence.part("pcrs"))["sha256"]) == 16
    assert attester.missing() == ""
    for bound in (b"", b"b" * 65):
        with pytest.raises(Malformed):
            attester.collect(bound)
    absent = TpmAttester(os.fspath(tmp_path / "tpmrm0"))
    assert "TPM" in absent.missing()
    with pytest.raises(Misconfigured):
        absent.collect(b"b")


def test_a_tpm_that_does_not_answer_is_said_not_raised(tmp_path: Path) -> None:
    silent = tmp_path / "tpmrm0"
    silent.touch()
    assert "does not answer" in TpmAttester(os.fspath(silent)).missing()


def test_a_software_tpm_without_a_place_for_its_state_is_said(tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "state"
    assert os.fspath(nowhere) in TpmAttester("swtpm", nowhere).missing()


def test_facts_keep_the_model_that_the_tpm_names(device: TpmDevice) -> None:
    statement = RootedEvidence.from_bytes(evidence_of(device)).statement
    facts = PROFILE.decode(statement)
    assert isinstance(facts, PlatformFacts)
    assert facts.model == device.model
    assert PROFILE.encode(facts) == statement
    with pytest.raises(Malformed):
        replace(facts, model="x" * 65)
