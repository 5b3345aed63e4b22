# SPDX-License-Identifier: Apache-2.0
"""Data sealing with real enclaves (SEAL, IF-14, IF-15): who opens what, and why not."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.application.sdk.outside import OutsideServices
from strongroom.client.apps import approve
from strongroom.core.codec.binding import UpgradeApproval
from strongroom.core.codec.bundle import Bundle
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import SigningKey
from strongroom.errors import Refused, StrongroomError, Tampered, Untrusted
from strongroom.node.provision import PROGRAM
from strongroom.node.roots import DEVICE, Root
from strongroom.services.isolation import Isolation, MonitorProcess, start_monitor
from tests.integration.machine import SOURCE, Machine

SECRET = b"the figures of the quarter"
CHANGED = SOURCE + b"#"


@pytest.fixture(scope="module", params=["sm", "intl"])
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("seal") / "m"
    made = Machine(folder, str(request.param), Root())
    with made.start():
        yield made


@pytest.fixture
def isolation(machine: Machine) -> Iterator[Isolation]:
    with machine.connect() as connected:
        yield connected


def opened(
    machine: Machine, isolation: Isolation, bundle: Bundle, sealed: bytes, **more: bytes
) -> bytes:
    """Unseal in a fresh enclave of `bundle`."""
    with machine.fresh(isolation, bundle) as services:
        return services.unseal(sealed, **more)


def sealed_by(
    machine: Machine, isolation: Isolation, bundle: Bundle, policy: str = "measurement"
) -> bytes:
    """Seal the secret in a fresh enclave of `bundle`."""
    with machine.fresh(isolation, bundle) as services:
        if policy == "signer":
            return services.seal(SECRET, "signer")
        return services.seal(SECRET)


def rule(error: pytest.ExceptionInfo[Refused]) -> str:
    """Return the rule that refused."""
    return error.value.findings[0].rule


def approval(machine: Machine, old: Bundle, new: Bundle, by: SigningKey) -> bytes:
    """Return the word of `by` that `new` may open what `old` sealed."""
    return sign_record(
        by,
        UpgradeApproval(
            suite=machine.suite_id,
            old=old.manifest.measurement,
            new=new.manifest.measurement,
        ),
    )


def test_the_same_app_opens_it_in_another_enclave(
    machine: Machine, isolation: Isolation
) -> None:
    bundle = machine.bundle()
    sealed = sealed_by(machine, isolation, bundle)
    assert SECRET not in sealed
    assert opened(machine, isolation, bundle, sealed) == SECRET


def test_one_changed_byte_of_the_app_does_not_open_it(
    machine: Machine, isolation: Isolation
) -> None:
    sealed = sealed_by(machine, isolation, machine.bundle())
    with pytest.raises(Refused) as refusal:
        opened(machine, isolation, machine.bundle(CHANGED), sealed)
    assert rule(refusal) == "seal.measurement"
    assert "approve" in refusal.value.findings[0].remedy


def test_an_approved_upgrade_opens_it_and_nothing_else_does(
    machine: Machine, isolation: Isolation
) -> None:
    old, new = machine.bundle(), machine.bundle(CHANGED)
    other = machine.bundle(CHANGED + b"#")
    sealed = sealed_by(machine, isolation, old)
    word = approve(machine.provider.signing, old.verify(), new.verify())
    assert opened(machine, isolation, new, sealed, approval=word) == SECRET
    elsewhere = sealed_by(machine, isolation, other)
    with pytest.raises(Refused) as refusal:
        opened(machine, isolation, new, elsewhere, approval=word)
    assert rule(refusal) == "seal.measurement"
    with pytest.raises(Refused) as refusal:
        opened(machine, isolation, other, sealed, approval=word)
    assert rule(refusal) == "seal.measurement"
    forged = approval(machine, old, new, machine.key())
    with pytest.raises(Untrusted):
        opened(machine, isolation, new, sealed, approval=forged)
    with pytest.raises(Refused) as refusal:
        approve(machine.key(), old.verify(), new.verify())
    assert rule(refusal) == "seal.signer"


def test_a_newer_version_opens_what_was_sealed_to_the_signer_and_an_older_does_not(
    machine: Machine, isolation: Isolation
) -> None:
    first, second = (machine.bundle(svn=svn, name="till") for svn in (5, 6))
    sealed = sealed_by(machine, isolation, first, "signer")
    with machine.fresh(isolation, second) as newer:
        assert newer.unseal(sealed) == SECRET
        later = newer.seal(SECRET, "signer")
        exact = newer.seal(SECRET)
    del first
    older = machine.bundle(svn=6, name="till", memory_bytes=128 << 20)
    assert opened(machine, isolation, older, later) == SECRET
    with pytest.raises(Refused) as refusal:
        opened(machine, isolation, older, exact)
    assert rule(refusal) == "seal.measurement"
    lower = sealed_by(machine, isolation, machine.bundle(svn=9, name="box"), "signer")
    with pytest.raises(Refused) as refusal:
        opened(machine, isolation, machine.bundle(svn=8, name="crate"), lower)
    assert rule(refusal) == "seal.product"


def test_what_one_version_sealed_a_lower_one_does_not_open(
    machine: Machine, isolation: Isolation
) -> None:
    old = machine.bundle(svn=1, name="safe")
    with machine.fresh(isolation, old) as lower:
        higher = machine.bundle(svn=2, name="safe")
        sealed = sealed_by(machine, isolation, higher, "signer")
        with pytest.raises(Refused) as refusal:
            lower.unseal(sealed)
    assert rule(refusal) == "seal.svn"


def test_another_device_does_not_open_it(
    machine: Machine, isolation: Isolation, tmp_path: Path
) -> None:
    sealed = sealed_by(machine, isolation, machine.bundle())
    other = Machine(tmp_path / "other", machine.suite_id, Root())
    other.provider = machine.provider
    with (
        other.start(),
        other.connect() as connected,
        pytest.raises(Refused) as refusal,
    ):
        opened(other, connected, other.bundle(), sealed)
    assert rule(refusal) == "seal.device"


def test_another_signers_app_does_not_open_it(
    machine: Machine, isolation: Isolation
) -> None:
    sealed = sealed_by(machine, isolation, machine.bundle(), "signer")
    thief = machine.key()
    bundle = machine.bundle(signer=thief)
    with OutsideServices(
        isolation, machine.policy(machine.provider.signing.public, thief.public)
    ) as outside:
        outside.create(bundle.to_bytes())
        with pytest.raises(Refused) as refusal:
            outside.unseal(sealed)
    assert rule(refusal) == "seal.signer"


def test_a_flipped_bit_anywhere_is_refused(
    machine: Machine, isolation: Isolation
) -> None:
    with machine.fresh(isolation, machine.bundle()) as services:
        sealed = services.seal(SECRET, associated_data=b"march")
        for at in range(0, len(sealed), 7):
            changed = bytearray(sealed)
            changed[at] ^= 1 << at % 8
            with pytest.raises(StrongroomError):
                services.unseal(bytes(changed), b"march")
        with pytest.raises(Tampered):
            services.unseal(sealed, b"april")
        assert services.unseal(sealed, b"march") == SECRET


def test_an_app_seals_and_opens_from_its_own_code(
    machine: Machine, isolation: Isolation
) -> None:
    bundle = machine.bundle(interfaces=())
    with machine.fresh(isolation, bundle) as services:
        sealed = services.call("keep", text="of the app")
        assert isinstance(sealed, bytes)
        assert services.call("give_back", text=sealed.hex()) == "of the app"
        with pytest.raises(Refused) as refusal:
            services.unseal(sealed)
        assert rule(refusal) == "interface.offer"
        assert os.fsencode("of the app") not in sealed


def another_boot(machine: Machine) -> MonitorProcess:
    """Start the monitor with one module more in the template: other software."""
    node = machine.folder / "node"
    return start_monitor(
        device=node / DEVICE,
        socket=node / "monitor.sock",
        administrator=machine.administrator.public.sign,
        program=PROGRAM,
        preload=("strongroom.application.runtime.service", "colorsys"),
    )


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_another_boot_of_the_same_device_opens_nothing(
    tmp_path: Path, suite_id: str
) -> None:
    """It is refused by name, and nothing empty takes its place (SEAL, STOR)."""
    machine = Machine(tmp_path / "m", suite_id, Root())
    bundle = machine.bundle(storage=["ledger", "keys"])
    cipher = {"sm": "sm4-gcm", "intl": "aes-256-gcm"}[suite_id]
    with (
        machine.start(),
        machine.connect() as isolation,
        machine.fresh(isolation, bundle) as services,
    ):
        sealed = services.seal(SECRET)
        services.store("ledger", "figures", SECRET)
        key = services.generate_key(cipher, "encrypt", "figures")
    with (
        another_boot(machine),
        machine.connect() as isolation,
        machine.fresh(isolation, bundle) as services,
    ):
        acts: tuple[tuple[str, Callable[[], object]], ...] = (
            ("seal.boot", lambda: services.unseal(sealed)),
            ("storage.boot", lambda: services.load("ledger", "figures")),
            ("storage.boot", lambda: services.store("ledger", "figures", b"anew")),
            ("storage.boot", lambda: services.encrypt(key, SECRET)),
        )
        for name, act in acts + acts:
            with pytest.raises(Refused) as refusal:
                act()
            assert rule(refusal) == name
    with (
        machine.start(),
        machine.connect() as isolation,
        machine.fresh(isolation, bundle) as services,
    ):
        assert services.load("ledger", "figures") == SECRET
        assert services.unseal(sealed) == SECRET
        assert services.decrypt(key, services.encrypt(key, SECRET)) == SECRET
