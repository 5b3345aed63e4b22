# SPDX-License-Identifier: Apache-2.0
"""Runs a monitor and one enclave as an ordinary user until stdin closes.

    python -m tests.attack.victim FOLDER

Prints one JSON line: process ids, addresses, masked secrets.
"""

import json
import os
import sys
import time
from pathlib import Path

from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import Manifest, seal_bundle
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import sign_record
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.management.keys import Identity
from strongroom.services.isolation import Isolation, start_monitor

SUITE = "intl"


def main(folder: Path) -> None:
    """Start everything, say where it is, wait."""
    now = int(time.time())
    owner = Identity.generate("victim", SUITE, os.urandom)
    maker = SimulatedManufacturer.create(folder / "manufacturer", SUITE, now)
    SimulatedDevice.provision(folder / "device", maker, SUITE, now)
    (folder / "gate").mkdir(mode=0o700)
    manifest = Manifest(
        suite=SUITE,
        name="victim",
        svn=1,
        kind="service",
        memory_bytes=256 << 20,
        threads=1,
        processes=0,
        cpu_seconds=0,
        interfaces=(),
        storage=(),
        peers=(),
        entry_points=(),
        files=(),
        encrypted=False,
    )
    bundle = seal_bundle(manifest, {}, owner.signing).to_bytes()
    policy = LaunchPolicy(SUITE, 1, (owner.public.sign.key_id,))
    with (
        start_monitor(
            device=folder / "device",
            socket=folder / "gate" / "socket",
            administrator=owner.public.sign,
            program="tests.attack.program",
            environment={"PYTHONPATH": os.fspath(Path(__file__).parents[2])},
        ) as monitor,
        Isolation.connect(monitor.socket) as isolation,
        isolation.create(bundle, sign_record(owner.signing, policy)) as enclave,
    ):
        told = cbor.decode(enclave.call(1, b""))
        found = dict(told) if isinstance(told, dict) else {}
        found = {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in found.items()
        }
        print(json.dumps({**found, "monitor": monitor.pid}), flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
