# SPDX-License-Identifier: Apache-2.0
"""From a device's unique key to an app's keys, in real enclaves (KDF, HW-3, KM-3).

A key is told from another by a tag under it: no function gives its bytes.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.application.sdk.outside import OutsideServices
from strongroom.core.codec.bundle import EntryPoint, OutputRule, Parameter
from strongroom.errors import Malformed, Refused, error_from_value
from strongroom.node.roots import Root
from strongroom.services.crypto import Tag
from strongroom.services.isolation import Isolation
from strongroom.system.monitor.gate import COMMANDS, NUMBERS, recv_frame, send_frame
from tests.integration.machine import Machine

SOURCE = b"""
from strongroom.services import crypto

def derived(services, algorithm, purpose, label, salt):
    spec = crypto.KeySpec(crypto.as_purpose(purpose), algorithm, label)
    return services.keys.derive(spec, salt=salt.encode()).hex()
"""
_PARAMETERS = tuple(
    Parameter(name, "text", many=False)
    for name in ("algorithm", "purpose", "label", "salt")
)
ENTRIES = [
    EntryPoint(
        "derived",
        "main:derived",
        _PARAMETERS,
        OutputRule("json", (), 1, 1 << 16, 0, ""),
    ).to_value()
]
MAC = {"sm": "hmac-sm3", "intl": "hmac-sha384"}


@pytest.fixture(
    scope="module",
    params=[(root, suite_id) for root in ("simulated", "tpm2") for suite_id in MAC],
    ids="-".join,
)
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    kind, suite_id = request.param
    made = Machine(tmp_path_factory.mktemp("kdf") / "m", suite_id, Root(kind))
    with made.start():
        yield made


@pytest.fixture
def isolation(machine: Machine) -> Iterator[Isolation]:
    with machine.connect() as connected:
        yield connected


def derive(machine: Machine, services: OutsideServices, **changes: str) -> bytes:
    """Have the app derive a key from its root; return the handle."""
    asked = {
        "algorithm": MAC[machine.suite_id],
        "purpose": "mac",
        "label": "ledger",
        "salt": "",
    }
    said = services.call("derived", **{**asked, **changes})
    assert isinstance(said, str)
    return bytes.fromhex(said)


def tag(
    machine: Machine, isolation: Isolation, source: bytes = SOURCE, **changes: str
) -> bytes:
    """Return a tag under the key that a fresh enclave of an app derives."""
    bundle = machine.bundle(source, entry_points=ENTRIES)
    with machine.fresh(isolation, bundle) as services:
        key = derive(machine, services, **changes)
        return Tag.from_bytes(services.sign(key, b"message")).value


def test_device_app_salt_and_label_make_the_key(
    machine: Machine, isolation: Isolation, tmp_path: Path
) -> None:
    mine = tag(machine, isolation)
    assert mine == tag(machine, isolation), "the same in another enclave of the app"
    others = [
        tag(machine, isolation, SOURCE + b"#"),
        tag(machine, isolation, salt="2026"),
        tag(machine, isolation, label="letters"),
    ]
    twin = Machine(tmp_path / "twin", machine.suite_id, machine.root)
    twin.provider = machine.provider  # the very same app, on another device
    with twin.start(), twin.connect() as elsewhere:
        others.append(tag(twin, elsewhere))
    assert len({mine, *others}) == 5


def test_a_derived_key_serves_its_purpose_alone_and_stays_inside(
    machine: Machine, isolation: Isolation
) -> None:
    bundle = machine.bundle(SOURCE, entry_points=ENTRIES)
    with machine.fresh(isolation, bundle) as services:
        key = derive(machine, services)
        with pytest.raises(Refused) as refusal:
            services.encrypt(key, b"message")
        assert refusal.value.findings[0].rule == "crypto.purpose"
        with pytest.raises(Refused) as refusal:
            derive(machine, services, purpose="sign")
        assert refusal.value.findings[0].rule == "crypto.algorithm-purpose"


def test_nobody_outside_asks_the_device_for_a_key(
    machine: Machine, isolation: Isolation
) -> None:
    """The engine answers enclaves: over the host's side no command derives (HW-3)."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(machine.folder / "node" / "monitor.sock"))
        asked: dict[str, dict[str, object]] = {
            "SEALING_KEY": {"label": "keys"},
            "BOUND_KEY": {"binding": b"", "approval": b"", "label": "keys"},
        }
        for name, fields in asked.items():
            assert set(fields) == set(COMMANDS[NUMBERS[name]].fields)
            send_frame(link, NUMBERS[name], 1, fields)
            frame = recv_frame(link)
            assert frame is not None
            assert type(error_from_value(frame.fields)) is Malformed
    assert isolation.status().suite == machine.suite_id
