# SPDX-License-Identifier: Apache-2.0
"""Which root of trust the monitors of a room have, and how its devices are made.

One room has one kind. What differs between kinds ends here: everything above asks for
the kind's name and for the roots that evidence leads to.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import Misconfigured
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.node.files import write_durably

SIMULATED, TPM2 = "simulated", "tpm2"
DEVICE, _KIND = "device", "root-of-trust"
_MAX_KIND_BYTES = 32


@dataclass(frozen=True)
class Root:
    """A choice of root of trust.

    Attributes:
        kind: "simulated" or "tpm2".
        tpm: for "tpm2": "swtpm", which is a program, or the path of a TPM.
    """

    kind: str = SIMULATED
    tpm: str = "swtpm"


def provision(
    root: Root, folder: Path, nodes: Iterable[Path], suite_id: str, now: int
) -> tuple[bytes, ...]:
    """Make a device for each node; return the roots that their evidence leads to.

    Args:
        root: the choice.
        folder: of the room, for what belongs to no one node.
        nodes: folders that exist, of mode 0700.
        suite_id: of the room.
        now: Unix seconds.

    Raises:
        Conflict: there is a device already.
        Misconfigured: this machine has no such root of trust.
    """
    make = _PROVISION.get(root.kind)
    if make is None:
        message = f"a monitor is rooted in {' or '.join(_PROVISION)}, not {root.kind}"
        raise Misconfigured(message)
    places = tuple(nodes)
    anchors = make(root, folder, places, suite_id, now)
    for node in places:
        write_durably(node / _KIND, root.kind.encode())
    return anchors


def kind_of(node: Path) -> str:
    """Return the kind of a node's root of trust; older nodes are simulated.

    Raises:
        Misconfigured: a kind that this version does not have.
    """
    try:
        with (node / _KIND).open("rb") as file:
            kind = file.read(_MAX_KIND_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        return SIMULATED
    if kind not in _PROVISION:
        message = f"{node / _KIND}: this version has no root of trust {kind!r}"
        raise Misconfigured(message)
    return kind


def _simulated(
    root: Root, folder: Path, nodes: tuple[Path, ...], suite_id: str, now: int
) -> tuple[bytes, ...]:
    """Make a manufacturer of the room, and have it certify each device (ADR 0009)."""
    del root
    maker = SimulatedManufacturer.create(folder / "manufacturer", suite_id, now)
    with maker:
        for node in nodes:
            SimulatedDevice.provision(node / DEVICE, maker, suite_id, now)
        return (maker.root,)


def _tpm2(
    root: Root, folder: Path, nodes: tuple[Path, ...], suite_id: str, now: int
) -> tuple[bytes, ...]:
    """Pin the attestation key that each node's TPM makes (ADR 0011)."""
    from strongroom.hardware.tpm2.device import TpmDevice  # noqa: PLC0415 - if asked for

    del folder, now
    return tuple(
        TpmDevice.provision(node / DEVICE, suite_id, root.tpm) for node in nodes
    )


_Provision = Callable[[Root, Path, tuple[Path, ...], str, int], tuple[bytes, ...]]
_PROVISION: dict[str, _Provision] = {SIMULATED: _simulated, TPM2: _tpm2}
