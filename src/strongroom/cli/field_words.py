# SPDX-License-Identifier: Apache-2.0
"""Fields of evidence as people read them: moments as dates, numbered claims by name."""

from collections.abc import Mapping

from strongroom.cli.views import iso
from strongroom.core.rats.hardware_policy import MAX_TIME
from strongroom.hardware.arm_cca.abi import LIFECYCLES

_MOMENTS = ("date", "issued_at", "not_before", "not_after")
_CCA = {
    "10": "challenge",
    "256": "instance id",
    "265": "profile",
    "2395": "security lifecycle",
    "2396": "implementation id",
    "2399": "software components",
    "2400": "verification service",
    "2401": "configuration",
    "2402": "hash algorithm",
    "44235": "personalization value",
    "44236": "hash algorithm",
    "44237": "realm public key",
    "44238": "initial measurement",
    "44239": "extensible measurements",
    "44240": "hash algorithm of the public key",
}
_CCA_COMPONENT = {
    "1": "type",
    "2": "measurement",
    "4": "version",
    "5": "signer id",
    "6": "hash algorithm",
}
_LIFECYCLE, _COMPONENTS = "2395", "2399"


def told(name: str, value: object) -> str:
    """Return the text of a single value; Unix seconds as a date where `name` is one."""
    if name in _MOMENTS and type(value) is int and 0 <= value <= MAX_TIME:
        return iso(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def labelled(kind: str, fields: object) -> object:
    """Return fields with the names of what the kind calls by numbers."""
    if kind != "arm-cca" or not isinstance(fields, Mapping):
        return fields
    return {name: _cca(value) for name, value in fields.items()}


def _cca(claims: object) -> object:
    if not isinstance(claims, Mapping):
        return claims
    return {_name(_CCA, key): _cca_value(key, claims[key]) for key in claims}


def _cca_value(key: str, value: object) -> object:
    if key == _LIFECYCLE and isinstance(value, int):
        return f"{value:#06x}, {LIFECYCLES.get(value >> 8, '?')}"
    if key == _COMPONENTS and isinstance(value, list):
        return [
            {_name(_CCA_COMPONENT, part): each[part] for part in each}
            if isinstance(each, Mapping)
            else each
            for each in value
        ]
    return value


def _name(names: Mapping[str, str], key: str) -> str:
    return f"{key} ({names[key]})" if key in names else key
