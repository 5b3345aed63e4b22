# SPDX-License-Identifier: Apache-2.0
"""Attestation end to end: verify and appraise, and each refusal of STANDARD 7.3."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec import cose
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import (
    LOCKS,
    REGISTERS,
    AppClaims,
    AppFacts,
    AppraisalPolicy,
    AppRule,
    AttestationResult,
    Endorsements,
    Evidence,
    PlatformClaims,
    Tcb,
    Trust,
    not_checked,
    not_checked_bytes,
)
from strongroom.core.rats.claims import vouch
from strongroom.errors import (
    Malformed,
    Misconfigured,
    Refused,
    Stale,
    StrongroomError,
    Untrusted,
)
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.services.attestation import appraise, appraise_dry, verify_evidence
from strongroom.services.attestation.reference import (
    firmware_register,
    local_reference_values,
    monitor_register,
    observed_registers,
)
from strongroom.system.monitor.measure import BootConfig, measure_boot
from strongroom.system.monitor.report import (
    TYPE,
    encode_app_evidence,
    verify_app_evidence,
)
from tests.services.hardware_claims import claims as hardware_claims

NOW = 1_800_000_000
NONCE = b"fresh nonce of the challenger..."
KEY = b"digest of the channel key"


@dataclass
class World:
    """One device whose monitor runs one app, and a policy that accepts both."""

    suite_id: str
    manufacturer: SimulatedManufacturer
    device: SimulatedDevice
    monitor: SigningKey
    config: BootConfig
    facts: AppFacts
    policy: AppraisalPolicy

    def evidence(self, nonce: bytes = NONCE, **changes: object) -> Evidence:
        facts = replace(self.facts, nonce=nonce, **changes)  # type: ignore[arg-type]
        return Evidence(
            kind="simulated",
            platform=self.platform(),
            app=encode_app_evidence(self.monitor, facts),
        )

    def platform(self, nonce: bytes = b"boot nonce") -> bytes:
        key = self.monitor.public
        return self.device.attest(nonce=nonce, monitor_key=key, now=NOW)

    @property
    def trust(self) -> Trust:
        return Trust(Endorsements(roots=(self.manufacturer.root,), revoked=()))

    def claims(self, **changes: object) -> tuple[PlatformClaims, AppClaims]:
        evidence = self.evidence(**changes)  # type: ignore[arg-type]
        platform, app = verify_evidence(evidence, self.trust, now=NOW)
        assert app is not None
        return platform, app

    def appraise(self, now: int = NOW, **changes: object) -> AttestationResult:
        platform, app = self.claims(**changes)
        return appraise(platform, app, self.policy, nonce=NONCE, now=now, user_data=KEY)

    def refused(
        self, policy: AppraisalPolicy | None = None, **changes: object
    ) -> tuple[Refused, list[str]]:
        platform, app = self.claims(**changes)
        with pytest.raises(Refused) as caught:
            appraise(
                platform,
                app,
                policy or self.policy,
                nonce=NONCE,
                now=NOW,
                user_data=KEY,
            )
        return caught.value, [finding.rule for finding in caught.value.findings]


def signing_key(suite_id: str, number: int) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([number]) * row.sign_seed_bytes)


def app_facts(suite_id: str) -> AppFacts:
    row = suite(suite_id)
    return AppFacts(
        enclave_id=b"enclave one.....",
        measurement=row.digest(b"app"),
        signer=signing_key(suite_id, 3).public.key_id,
        product="credit-report",
        svn=3,
        suite_id=suite_id,
        memory_bytes=1 << 30,
        threads=2,
        processes=0,
        debug=False,
        permissions=(),
        locks=LOCKS,
        config=row.digest(b""),
        nonce=NONCE,
        user_data=KEY,
        issued_at=NOW,
    )


@pytest.fixture(scope="module", params=["sm", "intl"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    suite_id = request.param
    folder = tmp_path_factory.mktemp("attestation")
    manufacturer = SimulatedManufacturer.create(folder / "m", suite_id, NOW)
    SimulatedDevice.provision(folder / "d", manufacturer, suite_id, NOW)
    config = BootConfig(
        administrator=signing_key(suite_id, 2).public,
        program="strongroom.application.runtime.program",
        preload=(),
        allow_missing=(),
    )
    facts = app_facts(suite_id)
    with manufacturer, SimulatedDevice.open(folder / "d") as device:
        measure_boot(device, config, {})
        reference = local_reference_values(suite_id, config, {})
        policy = AppraisalPolicy(
            owner="hospital",
            registers=reference.registers,
            locks=LOCKS,
            max_platform_age_s=3600,
            min_firmware_svn=1,
            apps=(AppRule.measured(facts.measurement, config=facts.config),),
            kinds=("simulated",),
        )
        monitor = signing_key(suite_id, 1)
        yield World(suite_id, manufacturer, device, monitor, config, facts, policy)


def test_everything_as_it_should_be(world: World) -> None:
    platform, app = world.claims()
    assert app == AppClaims.of(world.facts, vouch())
    assert platform.monitor_key == world.monitor.public
    result = world.appraise()
    assert result.findings == ()
    assert result.status == "warning", "a simulated platform never affirms"
    assert result.vector.hardware == 32
    assert result.vector.executables == 2
    assert (result.nonce, result.owner, result.kind) == (NONCE, "hospital", "simulated")
    assert result.unchecked == ()


def test_reference_values_are_those_of_this_installation(world: World) -> None:
    platform, _ = world.claims()
    observed = observed_registers(platform)
    assert set(observed) == set(REGISTERS)
    assert observed["monitor"] == (monitor_register(world.suite_id),)
    assert observed["firmware"] == (firmware_register(world.suite_id),)
    assert observed == world.policy.registers


def test_simulated_platforms_are_refused_by_name_unless_allowed(world: World) -> None:
    default = AppraisalPolicy(
        owner="hospital",
        registers=world.policy.registers,
        locks=LOCKS,
        max_platform_age_s=3600,
        min_firmware_svn=1,
        apps=world.policy.apps,
    )
    error, rules = world.refused(default)
    assert rules == ["platform.kind"]
    finding = error.findings[0]
    assert finding.got == "simulated"
    assert finding.owner == "hospital"
    assert "--allow simulated" in finding.remedy


def test_a_stale_nonce(world: World) -> None:
    error, rules = world.refused(nonce=b"the nonce of yesterday")
    assert rules == ["app.nonce"]
    assert isinstance(error, Stale)


def test_a_replayed_report_answers_its_own_challenge_only(world: World) -> None:
    platform, app = world.claims()
    appraise(platform, app, world.policy, nonce=NONCE, now=NOW, user_data=KEY)
    with pytest.raises(Stale):
        appraise(platform, app, world.policy, nonce=b"next", now=NOW, user_data=KEY)


@pytest.mark.parametrize("nonce", [b"", b"short", b"n" * 65])
def test_an_absent_or_unfit_nonce_is_not_even_stated(
    world: World, nonce: bytes
) -> None:
    with pytest.raises(Malformed):
        world.evidence(nonce=nonce)
    with pytest.raises(Malformed):
        world.platform(nonce=nonce)


def test_platform_evidence_that_is_too_old(world: World) -> None:
    assert world.appraise(now=NOW + 3600).findings == ()
    with pytest.raises(Stale) as caught:
        world.appraise(now=NOW + 3601)
    assert [finding.rule for finding in caught.value.findings] == ["platform.age"]


def test_wrong_measurement(world: World) -> None:
    other = suite(world.suite_id).digest(b"another app")
    error, rules = world.refused(measurement=other)
    assert rules == ["app.measurement"]
    assert not isinstance(error, Stale)
    assert world.facts.measurement.hex()[:16] in error.findings[0].expected
    assert other.hex()[:16] in error.findings[0].got


def test_debug_on_in_the_app(world: World) -> None:
    assert world.refused(debug=True)[1] == ["app.debug"]


def test_debug_on_in_the_platform(world: World, tmp_path: Path) -> None:
    SimulatedDevice.provision(
        tmp_path / "d", world.manufacturer, world.suite_id, NOW, debug=True
    )
    with SimulatedDevice.open(tmp_path / "d") as device:
        measure_boot(device, world.config, {})
        debugged = replace(world, device=device)
        assert debugged.refused()[1] == ["platform.debug"]


def test_another_channel_key(world: World) -> None:
    assert world.refused(user_data=b"key of the man in the middle")[1] == [
        "app.user_data"
    ]
    platform, app = world.claims()
    with pytest.raises(Refused):
        appraise(platform, app, world.policy, nonce=NONCE, now=NOW)
    anything = not_checked_bytes("no channel")
    appraise(platform, app, world.policy, nonce=NONCE, now=NOW, user_data=anything)


def test_another_configuration(world: World) -> None:
    other = suite(world.suite_id).digest(b"another configuration")
    assert world.refused(config=other)[1] == ["app.config"]


@pytest.mark.parametrize("name", REGISTERS)
def test_other_software_below(world: World, name: str) -> None:
    registers = {
        **world.policy.registers,
        name: (suite(world.suite_id).digest(b"reference of another version"),),
    }
    policy = replace(world.policy, registers=registers)
    error, rules = world.refused(policy)
    assert rules == [f"register.{name}"]
    assert error.findings[0].owner == "hospital"
    opened = {**registers, name: (not_checked_bytes("own image"),)}
    platform, app = world.claims()
    result = appraise(
        platform,
        app,
        replace(policy, registers=opened),
        nonce=NONCE,
        now=NOW,
        user_data=KEY,
    )
    assert result.unchecked == (f"register.{name}: own image",)
    assert result.vector.executables == 3


def test_old_firmware(world: World) -> None:
    policy = replace(world.policy, min_firmware_svn=2)
    assert world.refused(policy)[1] == ["platform.firmware"]


def test_missing_locks_are_named(world: World) -> None:
    few = tuple(name for name in LOCKS if name not in ("landlock", "seccomp"))
    assert world.refused(locks=few)[1] == ["locks.landlock", "locks.seccomp"]
    policy = replace(world.policy, locks=(not_checked("an old kernel"),))
    platform, app = world.claims(locks=few)
    appraise(platform, app, policy, nonce=NONCE, now=NOW, user_data=KEY)


def test_signer_product_and_svn(world: World) -> None:
    facts = world.facts

    def policy(signer: bytes, product: str, min_svn: int) -> AppraisalPolicy:
        rule = AppRule.signed(signer, product, min_svn, config=facts.config)
        return replace(world.policy, apps=(rule,))

    platform, app = world.claims()
    good = policy(facts.signer, facts.product, facts.svn)
    appraise(platform, app, good, nonce=NONCE, now=NOW, user_data=KEY)
    bad = {
        "app.signer": policy(b"x" * 32, facts.product, facts.svn),
        "app.product": policy(facts.signer, "other", facts.svn),
        "app.svn": policy(facts.signer, facts.product, facts.svn + 1),
    }
    for rule, wrong in bad.items():
        assert world.refused(wrong)[1] == [rule]


def test_one_rule_of_several_is_enough_and_the_closest_is_told(world: World) -> None:
    facts = world.facts
    other = AppRule.measured(b"o" * len(facts.measurement), config=facts.config)
    close = AppRule.signed(facts.signer, facts.product, 9, config=b"c" * 32)
    good = world.policy.apps[0]
    platform, app = world.claims()
    several = replace(world.policy, apps=(other, close, good))
    appraise(platform, app, several, nonce=NONCE, now=NOW, user_data=KEY)
    assert world.refused(replace(world.policy, apps=(close, other)))[1] == [
        "app.measurement"
    ]
    assert world.refused(replace(world.policy, apps=()))[1] == ["app.measurement"]


def test_all_findings_come_at_once(world: World) -> None:
    policy = replace(
        world.policy, min_firmware_svn=9, max_platform_age_s=1, kinds=("tdx",)
    )
    platform, app = world.claims(debug=True, nonce=b"old nonce")
    dry = appraise_dry(
        platform, app, policy, nonce=NONCE, now=NOW + 60, user_data=b"other"
    )
    rules = [finding.rule for finding in dry.findings]
    assert rules == [
        "platform.kind",
        "platform.age",
        "platform.firmware",
        "app.nonce",
        "app.debug",
        "app.user_data",
    ]
    assert dry.status == "contraindicated"
    with pytest.raises(Refused) as caught:
        appraise(platform, app, policy, nonce=NONCE, now=NOW + 60, user_data=b"other")
    assert caught.value.findings == dry.findings
    assert not isinstance(caught.value, Stale)
    for finding in dry.findings:
        assert finding.owner == "hospital"
        assert all(getattr(finding, each.name) for each in fields(finding))


def test_the_environment_alone(world: World) -> None:
    evidence = Evidence("simulated", world.platform(nonce=NONCE), b"")
    platform, app = verify_evidence(evidence, world.trust, now=NOW)
    assert app is None
    alone = replace(world.policy, apps=(), locks=("secret-memory",))
    assert appraise(platform, None, alone, nonce=NONCE, now=NOW).findings == ()
    with pytest.raises(Stale):
        appraise(platform, None, alone, nonce=b"other", now=NOW)
    with pytest.raises(Refused) as caught:
        appraise(platform, None, world.policy, nonce=NONCE, now=NOW)
    assert "app.evidence" in [finding.rule for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"tcb": Tcb("Revoked", (), None)}, "tdx.tcb_revoked"),
        ({"tcb": Tcb("OutOfDate", (), None)}, "tdx.tcb_out_of_date"),
        ({"debug": True}, "tdx.debug"),
        ({"inner": (hardware_claims(debug=True),)}, "tdx.debug"),
    ],
)
def test_the_hardware_below_a_platform_is_judged_too(
    world: World, said: dict[str, object], rule: str
) -> None:
    platform, _ = world.claims()
    policy = replace(world.policy, kinds=("tdx",))

    def findings(**changes: object) -> list[str]:
        below = hardware_claims(**changes)
        on_tdx = replace(platform, kind="tdx", hardware=below, proof=vouch())
        result = appraise_dry(on_tdx, None, policy, nonce=platform.nonce, now=NOW)
        refused = result.vector.hardware == 96
        assert refused == any(".tcb_" in each.rule for each in result.findings)
        return [each.rule for each in result.findings if each.rule.startswith("tdx.")]

    assert findings() == []
    assert findings(**said) == [rule]


def test_a_monitor_that_the_platform_does_not_bind(world: World) -> None:
    app = encode_app_evidence(signing_key(world.suite_id, 8), world.facts)
    evidence = Evidence("simulated", world.platform(), app)
    with pytest.raises(Untrusted) as caught:
        verify_evidence(evidence, world.trust, now=NOW)
    assert caught.value.findings[0].rule == "app.signature"


def test_the_app_of_another_device(world: World, tmp_path: Path) -> None:
    SimulatedDevice.provision(tmp_path / "d", world.manufacturer, world.suite_id, NOW)
    with SimulatedDevice.open(tmp_path / "d") as device:
        other_monitor = signing_key(world.suite_id, 9)
        platform = device.attest(nonce=NONCE, monitor_key=other_monitor.public, now=NOW)
    evidence = replace(world.evidence(), platform=platform)
    with pytest.raises(Untrusted):
        verify_evidence(evidence, world.trust, now=NOW)


def test_app_evidence_of_another_suite_or_time(world: World) -> None:
    other = "sm" if world.suite_id == "intl" else "intl"
    with pytest.raises(Malformed):
        encode_app_evidence(world.monitor, app_facts(other))
    with pytest.raises(Stale):
        verify_evidence(world.evidence(issued_at=NOW + 301), world.trust, now=NOW)


def test_a_monitor_that_lies_about_its_suite(world: World) -> None:
    other = "sm" if world.suite_id == "intl" else "intl"
    theirs = encode_app_evidence(signing_key(other, 1), app_facts(other))
    payload = cose.Sign1.parse(theirs).payload
    platform, _ = world.claims()
    with pytest.raises(Untrusted) as caught:
        verify_app_evidence(cose.sign1(world.monitor, TYPE, payload), platform, NOW)
    assert caught.value.findings[0].rule == "app.suite"


def test_no_byte_of_app_evidence_may_be_altered(world: World) -> None:
    evidence = world.evidence()
    platform, app = world.claims()
    for position in range(len(evidence.app)):
        altered = bytearray(evidence.app)
        altered[position] ^= 1 << position % 8
        with pytest.raises((Malformed, Untrusted)):
            verify_app_evidence(bytes(altered), platform, NOW)
    for length in range(len(evidence.app)):
        with pytest.raises(Malformed):
            verify_app_evidence(evidence.app[:length], platform, NOW)
    assert verify_app_evidence(evidence.app, platform, NOW) == app


def test_no_byte_of_whole_evidence_may_be_altered(world: World) -> None:
    data = world.evidence().to_bytes()
    for position in range(0, len(data), 7):
        altered = bytearray(data)
        altered[position] ^= 0x11
        with pytest.raises(StrongroomError):
            verify_evidence(Evidence.from_bytes(bytes(altered)), world.trust, now=NOW)


@given(data=st.binary(min_size=1, max_size=200))
def test_the_app_parser_is_total(world: World, data: bytes) -> None:
    platform, _ = world.claims()
    with pytest.raises(Malformed):
        verify_app_evidence(data, platform, NOW)


def test_an_unknown_kind_fails_closed(world: World) -> None:
    with pytest.raises(Misconfigured):
        verify_evidence(replace(world.evidence(), kind="abacus"), world.trust, now=NOW)
