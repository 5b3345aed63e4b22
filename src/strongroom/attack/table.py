# SPDX-License-Identifier: Apache-2.0
"""Every route, how it is known to end, and what that rests on: a literal table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from strongroom.attack.gate_routes import GATE
from strongroom.attack.host_routes import HOST
from strongroom.attack.machine_routes import MACHINE
from strongroom.attack.route import Route

ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {route.name: route for route in (*MACHINE, *GATE, *HOST)}
)
