# SPDX-License-Identifier: Apache-2.0
"""A platform with one app, and an attestation service that knows its maker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import (
    LOCKS,
    AppFacts,
    AppraisalPolicy,
    AppRule,
    Evidence,
)
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.management.endorsements import EndorsementStore, Incoming
from strongroom.node.attestation import AttestationService
from strongroom.node.verifier_folder import VerifierFolder
from strongroom.services.attestation.application import ApplicationPolicy
from strongroom.services.attestation.reference import local_reference_values
from strongroom.services.attestation.request import EnvironmentPolicy
from strongroom.system.monitor.measure import BootConfig, measure_boot
from strongroom.system.monitor.report import encode_app_evidence

NOW = 1_750_000_000
NONCE = b"fresh nonce of the initiator...."
ENCLAVE = b"the enclave that was asked for.."
CHANNEL = b"digest of a channel key"


def signing_key(suite_id: str, number: int) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([number]) * row.sign_seed_bytes)


@dataclass
class Platform:
    """One device with a monitor that runs one app; an OCA may change what it says."""

    suite_id: str
    device: SimulatedDevice
    monitor: SigningKey
    facts: AppFacts

    def evidence(self, nonce: bytes, **changes: object) -> Evidence:
        """Return evidence of both layers that answers `nonce`."""
        return Evidence("simulated", self.platform(nonce), self.app(nonce, **changes))

    def platform(self, nonce: bytes, now: int = 0) -> bytes:
        key, at = self.monitor.public, now or self.facts.issued_at
        return self.device.attest(nonce=nonce, monitor_key=key, now=at)

    def app(self, nonce: bytes, **changes: object) -> bytes:
        facts = replace(self.facts, **{"nonce": nonce, **changes})  # type: ignore[arg-type]
        return encode_app_evidence(self.monitor, facts)


@dataclass
class World:
    """Platform, policies of both judges, and the folder of a service."""

    suite_id: str
    manufacturer: SimulatedManufacturer
    platform: Platform
    config: BootConfig
    environment: EnvironmentPolicy
    application: ApplicationPolicy
    folder: VerifierFolder
    now: int = field(default=NOW)

    @property
    def store(self) -> EndorsementStore:
        return self.folder.store

    @contextmanager
    def service(self) -> Iterator[AttestationService]:
        """Open the service, on this world's clock."""
        with self.folder.open(b"", lambda: self.now) as service:
            yield service

    @contextmanager
    def device(self, folder: Path, *, debug: bool = False) -> Iterator[Platform]:
        """Yield another platform by the same maker, booted in the same way."""
        SimulatedDevice.provision(
            folder, self.manufacturer, self.suite_id, NOW, debug=debug
        )
        with SimulatedDevice.open(folder) as device:
            measure_boot(device, self.config, {})
            key = signing_key(self.suite_id, 7)
            yield Platform(self.suite_id, device, key, self.platform.facts)


@contextmanager
def world_in(folder: Path, suite_id: str, now: int = NOW) -> Iterator[World]:
    """Yield a world of one suite and time in an empty folder."""
    maker = SimulatedManufacturer.create(folder / "m", suite_id, now)
    SimulatedDevice.provision(folder / "d", maker, suite_id, now)
    config = BootConfig(
        administrator=signing_key(suite_id, 2).public,
        program="strongroom.application.runtime.program",
        preload=(),
        allow_missing=(),
    )
    facts = replace(app_facts(suite_id), issued_at=now)
    with maker, SimulatedDevice.open(folder / "d") as device:
        measure_boot(device, config, {})
        reference = local_reference_values(suite_id, config, {})
        environment = EnvironmentPolicy(
            owner="verifier",
            required=(),
            platform=AppraisalPolicy(
                owner="verifier",
                kinds=("simulated",),
                registers=reference.registers,
                locks=("secret-memory",),
                max_platform_age_s=3600,
                min_firmware_svn=1,
                apps=(),
            ),
            hardware=(HardwarePolicy.default("verifier", ("sev-snp", "nvidia-gpu")),),
            validity_s=300,
        )
        rule = AppRule.measured(facts.measurement, config=facts.config)
        verifier = VerifierFolder(folder / "verifier")
        verifier.create("judge", suite_id, b"")
        verifier.set_policy("default", environment)
        strict = replace(environment, required=("cpu", "gpu"))
        verifier.set_policy("strict", strict)
        root = Incoming("trust_anchor", ("simulated",), maker.root, "the maker")
        verifier.store.add([root], now, anchors=True)
        yield World(
            suite_id,
            maker,
            Platform(suite_id, device, signing_key(suite_id, 1), facts),
            config,
            environment,
            ApplicationPolicy(owner="bank", apps=(rule,), locks=LOCKS),
            verifier,
            now,
        )


def app_facts(suite_id: str) -> AppFacts:
    row = suite(suite_id)
    return AppFacts(
        enclave_id=ENCLAVE,
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
        user_data=b"",
        issued_at=NOW,
    )
