# SPDX-License-Identifier: Apache-2.0
"""The room that is attacked: a process of one user's, with a monitor and two enclaves.

    python -m strongroom.attack.room FOLDER

Writes one line of CBOR in hex to stdout, a `Target` whose planted secrets are still
under the app's mask and which lacks the device's; ends when stdin does.
"""

import json
import os
import resource
import sys
from pathlib import Path

from strongroom.attack.app.victim import masked
from strongroom.attack.calls import connected, create
from strongroom.attack.processes import below, enclaves
from strongroom.attack.target import Target
from strongroom.client.build import build_bundle
from strongroom.core.codec.bundle import Manifest, seal_bundle
from strongroom.errors import Malformed, StrongroomError
from strongroom.management.keys import Identity
from strongroom.node.workbench import Workbench
from strongroom.system.monitor.gate import GateConnection

APP = Path(__file__).with_name("app")
SUITE = "intl"
_MOST_TASKS = 2048
_OF_SPARE = ("secret", "scratch", "hidden")


def app(provider: Identity, **changes: object) -> bytes:
    """Return the bundle of the app, its manifest changed as told."""
    bundle, _ = build_bundle(APP, provider, encrypt=False)
    files = bundle.verify().files()
    manifest = Manifest.from_value({**bundle.manifest.to_value(), **changes})
    return seal_bundle(manifest, files, provider.signing).to_bytes()


def unmasked(target: Target) -> Target:
    """Return a target with its secrets as they are, and the device's among them."""
    value = target.to_value()
    for name in ("ordinary", "hidden", "filed", "spare_hidden"):
        value[name] = masked(getattr(target, name))
    value["device"] = (Path(target.folder) / "node/device/duk.key").read_bytes()
    return Target.from_value(value)


def bound() -> None:
    """Bound what this user may start, should every other limit fail."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = _MOST_TASKS if hard == resource.RLIM_INFINITY else min(_MOST_TASKS, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _leave_open(folder: Path) -> None:
    """Leave a descriptor open that children inherit, as a careless program does."""
    fd = os.open(folder / "left-open", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(fd, True)


def _plant(gate: GateConnection, blank: Target) -> tuple[int, dict[str, object]]:
    """Start an enclave with secrets; return its process, and where they are."""
    before = enclaves(blank.monitor)
    victim = create(gate, blank)
    told = victim.call("plant")
    if not isinstance(told, dict):
        message = "the app did not say where its secrets are"
        raise Malformed(message)
    (process,) = enclaves(blank.monitor) - before
    return process, {**told, "handle": victim.handle}


def main(folder: Path) -> None:
    """Start everything, say where it is, wait."""
    bound()
    _leave_open(folder)
    bench = Workbench(folder, SUITE)
    with bench.start() as monitor:
        policy = bench.policy()
        blank = Target(
            folder=os.fspath(folder),
            monitor=monitor.pid,
            processes=(),
            enclave=0,
            heap=0,
            secret=0,
            scratch=0,
            ordinary=b"",
            hidden=b"",
            filed=b"",
            device=b"",
            spare=0,
            spare_secret=0,
            spare_scratch=0,
            spare_hidden=b"",
            handle=b"",
            bundle=app(bench.provider),
            brief=app(bench.provider, cpu_seconds=1, name="brief"),
            policy=policy,
        )
        with connected(blank) as gate:
            spare, told = _plant(gate, blank)
            enclave, found = _plant(gate, blank)
            found |= {
                "enclave": enclave,
                "spare": spare,
                **{f"spare_{name}": told[name] for name in _OF_SPARE},
                "processes": sorted({*below(monitor.pid)} - {*below(spare)}),
            }
            target = Target.from_value({**blank.to_value(), **found})
            sys.stdout.write(target.to_bytes().hex() + "\n")
            sys.stdout.flush()
            sys.stdin.buffer.read()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except StrongroomError as error:
        sys.exit(json.dumps(error.to_value()))
