# SPDX-License-Identifier: Apache-2.0
"""Reference values: what registers hold where good software was started.

The values of an installation like this one are computed from its own files, so
whoever builds the same versions gets the same values (reproducible, no vendor needed).
"""

from collections.abc import Iterable, Mapping

from strongroom.core.rats import Event, PlatformClaims, ReferenceValues
from strongroom.core.rats.registers import replay
from strongroom.hardware.simulated.firmware import firmware_event
from strongroom.system.monitor.measure import (
    BootConfig,
    config_events,
    package_digest,
    template_events,
)

MONITOR_EVENT = "package"
"""The one event of the register "monitor": every source file of this package."""


def firmware_register(suite_id: str) -> bytes:
    """Return what "firmware" holds on a simulated device of this version."""
    return replay(suite_id, [firmware_event(suite_id)])


def monitor_register(suite_id: str) -> bytes:
    """Return what "monitor" holds where this very package is the monitor."""
    return register_value(suite_id, [(MONITOR_EVENT, package_digest(suite_id))])


def register_value(suite_id: str, events: Iterable[tuple[str, bytes]]) -> bytes:
    """Return what a register holds after `events`, name and digest each."""
    return replay(suite_id, [Event(name, digest) for name, digest in events])


def local_reference_values(
    suite_id: str, config: BootConfig, modules: Mapping[str, str]
) -> ReferenceValues:
    """Return the values of a monitor started here with `config` (simulated device).

    Args:
        suite_id: the suite of the device.
        config: what the monitor is started with.
        modules: what its template loads, as `measure_boot` was told.
    """
    template = template_events(suite_id, config.preload, modules)
    return ReferenceValues(
        provider="this installation",
        suite=suite_id,
        registers={
            "firmware": (firmware_register(suite_id),),
            "monitor": (monitor_register(suite_id),),
            "template": (register_value(suite_id, template),),
            "config": (register_value(suite_id, config_events(suite_id, config)),),
        },
    )


def observed_registers(platform: PlatformClaims) -> dict[str, tuple[bytes, ...]]:
    """Return the registers as a policy takes them, as this platform has them now.

    For the administrator who has just set the platform up; anyone else would be
    taking the platform's word for what it should be.
    """
    return {each.name: (each.value,) for each in platform.registers}
