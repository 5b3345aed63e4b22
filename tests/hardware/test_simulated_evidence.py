# SPDX-License-Identifier: Apache-2.0
"""The simulated device's evidence: what verifies, and every way it must not (7.3)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from strongroom.core.codec import cbor, cose, cwt
from strongroom.core.codec.certificate import SignedCertificate
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import (
    REGISTERS,
    Endorsements,
    Event,
    PlatformClaims,
    PlatformFacts,
    Register,
    Trust,
    statement,
)
from strongroom.core.rats.registers import replay
from strongroom.errors import Malformed, Misconfigured, Refused, Stale, Untrusted
from strongroom.hardware.registry import VERIFIERS, verifier
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer, abi
from strongroom.hardware.simulated.attest import make_evidence
from strongroom.hardware.simulated.verify import verify

NOW = 1_800_000_000
YEAR = 365 * 86400


@dataclass
class World:
    """One manufacturer and one open device; `key` is a chain of the test's own."""

    suite_id: str
    manufacturer: SimulatedManufacturer
    device: SimulatedDevice
    monitor: SigningKey
    folder: Path

    def evidence(self, nonce: bytes = b"n" * 32, now: int = NOW) -> bytes:
        return self.device.attest(nonce=nonce, monitor_key=self.monitor.public, now=now)

    @property
    def trust(self) -> Trust:
        return Trust(Endorsements(roots=(self.manufacturer.root,), revoked=()))

    def forge(self, **changes: object) -> bytes:
        """Return evidence of other facts, rightly signed and certified."""
        facts = self.facts()
        forged = replace(facts, **changes)  # type: ignore[arg-type]
        key = signing_key(self.suite_id, 7)
        chain = self.manufacturer.certify(key.public, facts.device_id, NOW)
        return make_evidence(key, chain, forged)

    def facts(self) -> PlatformFacts:
        claims = verify(self.evidence(), self.trust, NOW)
        return PlatformFacts(
            **{each.name: getattr(claims, each.name) for each in fields(PlatformFacts)}
        )


def signing_key(suite_id: str, number: int) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([number]) * row.sign_seed_bytes)


@pytest.fixture(scope="module", params=["sm", "intl"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    suite_id = request.param
    folder = tmp_path_factory.mktemp("world")
    manufacturer = SimulatedManufacturer.create(folder / "m", suite_id, NOW)
    SimulatedDevice.provision(folder / "d", manufacturer, suite_id, NOW)
    with manufacturer, SimulatedDevice.open(folder / "d") as device:
        digest = suite(suite_id).digest(b"package")
        device.extend("monitor", "package", digest)
        device.extend("config", "suite", digest)
        monitor = signing_key(suite_id, 1)
        yield World(suite_id, manufacturer, device, monitor, folder)


def rules_of(error: Refused) -> list[str]:
    return [finding.rule for finding in error.findings]


def test_a_device_speaks_for_its_monitor(world: World) -> None:
    claims = verify(world.evidence(b"x" * 16), world.trust, NOW + 5)
    assert isinstance(claims, PlatformClaims)
    assert claims.kind == "simulated"
    assert claims.suite_id == world.suite_id
    assert claims.device_id == world.device.device_id
    assert claims.monitor_key == world.monitor.public
    assert claims.nonce == b"x" * 16
    assert claims.issued_at == NOW
    assert (claims.debug, claims.boot_count, claims.firmware_svn) == (False, 1, 1)
    assert [each.name for each in claims.registers] == list(REGISTERS)
    assert "secret-memory" in claims.locks
    monitor = claims.register("monitor")
    assert monitor is not None
    assert [event.name for event in monitor.events] == ["package"]


def test_the_registry_is_a_literal_table() -> None:
    assert set(VERIFIERS) == {"simulated", "tpm2"}
    assert verifier("simulated") is verify
    with pytest.raises(Misconfigured):
        verifier("abacus")


def test_no_byte_may_be_altered(world: World) -> None:
    evidence = world.evidence()
    for position in range(len(evidence)):
        altered = bytearray(evidence)
        altered[position] ^= 1 << position % 8
        with pytest.raises((Malformed, Untrusted, Stale)):
            verify(bytes(altered), world.trust, NOW)


def test_every_truncation_and_any_trailing_byte(world: World) -> None:
    evidence = world.evidence()
    for length in range(len(evidence)):
        with pytest.raises(Malformed):
            verify(evidence[:length], world.trust, NOW)
    with pytest.raises(Malformed):
        verify(evidence + b"\0", world.trust, NOW)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_the_parsers_are_total(data: bytes) -> None:
    trust = Trust(Endorsements(roots=(), revoked=()))
    with pytest.raises(Malformed):
        verify(data, trust, NOW)
    with pytest.raises(Malformed):
        abi.decode(data)
    wrapped = abi.SimulatedEvidence(chain=(data,), token=data).to_bytes()
    with pytest.raises((Malformed, Untrusted)):
        verify(wrapped, trust, NOW)


VALUES = st.recursive(
    st.none() | st.integers(-80000, 80000) | st.binary(max_size=40) | st.text(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(label=st.sampled_from(sorted(statement._LABELS)), value=VALUES)
def test_any_claim_of_any_value_is_read_or_refused(label: int, value: object) -> None:
    row = suite("intl")
    facts = PlatformFacts(
        kind="simulated",
        suite_id="intl",
        device_id=b"d" * 32,
        firmware_svn=1,
        boot_count=1,
        debug=False,
        registers=(Register(1, "monitor", b"", (Event("e", b"d"),)),),
        monitor_key=row.signing_key(b"1" * 32).public,
        nonce=b"n" * 32,
        issued_at=NOW,
        locks=(),
    )
    claims = cbor.decode(abi.encode(facts))
    assert isinstance(claims, dict)
    data = cbor.encode({**claims, int(label): value})
    try:
        decoded = abi.decode(data)
    except Malformed:
        return
    assert abi.encode(decoded) == data


@pytest.mark.parametrize(
    "measurements",
    [
        [],
        [[60, b""]],
        [[60, cbor.encode({})]],
        [[60, cbor.encode([1])]],
        [[60, cbor.encode([[0, "firmware", b"", [1]]])]],
        [[60, cbor.encode([[0, "firmware", b"", [["e", 1]]]])]],
        [[60, cbor.encode([[0, "firmware", b"", []]] * 2)]],
        [[60, cbor.encode([[False, "firmware", b"", []]])]],
        [[61, cbor.encode([])]],
        [[60, cbor.encode([])]] * 2,
    ],
)
def test_measurements_of_another_shape(world: World, measurements: object) -> None:
    claims = cbor.decode(abi.encode(world.facts()))
    assert isinstance(claims, dict)
    with pytest.raises(Malformed):
        abi.decode(cbor.encode({**claims, 273: measurements}))


def test_the_profile_is_for_simulated_platforms(world: World) -> None:
    with pytest.raises(Malformed):
        abi.encode(replace(world.facts(), kind="tdx"))


def test_another_root_is_not_trusted(world: World, tmp_path: Path) -> None:
    other = SimulatedManufacturer.create(tmp_path / "m", world.suite_id, NOW)
    with other, pytest.raises(Untrusted) as caught:
        verify(world.evidence(), Trust(Endorsements((other.root,), ())), NOW)
    assert rules_of(caught.value) == ["certificate.root"]
    with pytest.raises(Untrusted):
        verify(world.evidence(), Trust(Endorsements((), ())), NOW)


def test_revoked_keys_at_every_step_of_the_chain(world: World) -> None:
    parsed = abi.SimulatedEvidence.from_bytes(world.evidence())
    assert len(parsed.chain) == 3
    for link in parsed.chain:
        key_id = SignedCertificate.parse(link).claims.public_key.key_id
        trust = Trust(Endorsements((world.manufacturer.root,), (key_id,)))
        with pytest.raises(Untrusted) as caught:
            verify(world.evidence(), trust, NOW)
        assert rules_of(caught.value) == ["certificate.revoked"]


def test_certificates_out_of_their_time(world: World) -> None:
    evidence, trust = world.evidence(), world.trust
    late = NOW + 5 * YEAR
    assert verify(evidence, trust, late - 1).kind == "simulated"
    for now, rule in (
        (late, "certificate.expired"),
        (NOW - 1, "certificate.not-yet-valid"),
    ):
        for each in (trust, world.trust):
            with pytest.raises(Stale) as caught:
                verify(evidence, each, now)
            assert rules_of(caught.value) == [rule], "remembered or not"


def test_evidence_from_the_future(world: World) -> None:
    with pytest.raises(Stale) as caught:
        verify(world.evidence(now=NOW + 301), world.trust, NOW)
    assert rules_of(caught.value) == ["evidence.time"]


def test_another_device_under_this_device_s_name(world: World) -> None:
    with pytest.raises(Untrusted) as caught:
        verify(world.forge(device_id=b"x" * 32), world.trust, NOW)
    assert rules_of(caught.value) == ["platform.device"]


def test_a_token_signed_by_another_key(world: World) -> None:
    parsed = abi.SimulatedEvidence.from_bytes(world.evidence())
    payload = cose.Sign1.parse(parsed.token).payload
    token = cose.sign1(signing_key(world.suite_id, 9), abi.TYPE, payload)
    evidence = abi.SimulatedEvidence(parsed.chain, token).to_bytes()
    with pytest.raises(Untrusted) as caught:
        verify(evidence, world.trust, NOW)
    assert rules_of(caught.value) == ["cose.key"]


def test_a_token_of_another_type(world: World) -> None:
    key = signing_key(world.suite_id, 7)
    chain = world.manufacturer.certify(key.public, world.device.device_id, NOW)
    token = cose.sign1(key, "application/eat+cwt", abi.encode(world.facts()))
    evidence = abi.SimulatedEvidence(chain, token).to_bytes()
    with pytest.raises(Untrusted) as caught:
        verify(evidence, world.trust, NOW)
    assert rules_of(caught.value) == ["cose.type"]


def test_a_token_of_another_suite(world: World) -> None:
    other = "sm" if world.suite_id == "intl" else "intl"
    facts = replace(
        world.facts(), suite_id=other, monitor_key=signing_key(other, 1).public
    )
    key = signing_key(world.suite_id, 7)
    chain = world.manufacturer.certify(key.public, facts.device_id, NOW)
    with pytest.raises(Untrusted) as caught:
        verify(make_evidence(key, chain, facts), world.trust, NOW)
    assert rules_of(caught.value) == ["platform.suite"]


@pytest.mark.parametrize("name", REGISTERS)
def test_an_event_log_that_does_not_lead_to_its_value(world: World, name: str) -> None:
    extra = Event("extra", suite(world.suite_id).digest(b"extra"))
    registers = tuple(
        replace(each, events=(*each.events, extra)) if each.name == name else each
        for each in world.facts().registers
    )
    with pytest.raises(Untrusted) as caught:
        verify(world.forge(registers=registers), world.trust, NOW)
    assert rules_of(caught.value) == [f"platform.register.{name}"]


def test_a_register_that_is_left_out(world: World) -> None:
    registers = world.facts().registers[:3]
    with pytest.raises(Untrusted) as caught:
        verify(world.forge(registers=registers), world.trust, NOW)
    assert rules_of(caught.value) == ["platform.register.config"]


def test_extending_is_the_only_way_a_register_moves(world: World) -> None:
    def template() -> Register:
        found = verify(world.evidence(), world.trust, NOW).register("template")
        assert found is not None
        return found

    digest = suite(world.suite_id).digest(b"t")
    before = template()
    world.device.extend("template", "interpreter", digest)
    after = template()
    assert after.events[:-1] == before.events
    assert after.value == replay(world.suite_id, after.events) != before.value
    with pytest.raises(Malformed):
        world.device.extend("template", "short", b"not a digest")
    assert template() == after


def test_the_chain_alone_proves_nothing(world: World) -> None:
    parsed = abi.SimulatedEvidence.from_bytes(world.evidence())
    leaf = cwt.verify_chain(parsed.chain, world.trust.roots, NOW)
    assert leaf.subject == abi.subject(world.device.device_id)
    with pytest.raises(Malformed):
        verify(
            abi.SimulatedEvidence(parsed.chain, b"").to_bytes(),
            world.trust,
            NOW,
        )
