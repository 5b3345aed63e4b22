# SPDX-License-Identifier: Apache-2.0
"""Hardware evidence of any kind, for people: verified as a tree, else by its parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.cli.field_words import labelled, told
from strongroom.cli.kind_words import proves
from strongroom.cli.output import Block, Grid, Line, Printer, clean
from strongroom.cli.views import iso, size
from strongroom.cli.words import say

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree

    from strongroom.cli.given import Given
    from strongroom.core.rats import HardwareClaims

_ORDER = (
    "kind",
    "format",
    "device",
    "bound_as",
    "bound",
    "debug",
    "issued_at",
    "key",
    "tcb",
    "svns",
    "measurements",
    "events",
    "fields",
    "inner",
)


def explain_hardware(printer: Printer, given: "Given") -> None:
    """Show hardware evidence; where endorsements are given, it is verified first.

    Raises:
        StrongroomError: endorsements are given, and the evidence does not hold.
    """
    if given.trust is None:
        _show_unverified(printer, given)
        return
    from strongroom.services.attestation.explain import explained  # noqa: PLC0415

    claims = given.verify()
    value = explained(claims)
    yes, no = proves(claims.kind)
    text = (
        "VERIFIED as at {time}: signatures and chains hold. Whether it is what you "
        "want, `attest appraise` tells."
    )
    printer.show(
        {
            **value,
            "verified": True,
            "verified_at": iso(given.now),
            "proves": yes,
        },
        Line(say(text, time=iso(given.now)), "green"),
        Branches(say("Evidence of kind {kind}", kind=claims.kind), _ordered(value)),
        Line(say("It proves: {what}.", what=yes)),
        Grid("Not proven", ("what",), [(each,) for each in (no, *not_proven(claims))]),
    )


def not_proven(claims: "HardwareClaims") -> list[str]:
    """Return what the evidence leaves open, that of evidence inside too."""
    from strongroom.services.attestation.hardware_rules import (  # noqa: PLC0415
        everything,
    )

    texts = [text for each in everything(claims) for text in each.not_proven]
    return list(dict.fromkeys(texts))


def _show_unverified(printer: Printer, given: "Given") -> None:
    from strongroom.services.attestation.explain import unverified  # noqa: PLC0415

    value = unverified(given.evidence)
    yes, no = proves(given.evidence.kind)
    text = (
        "UNVERIFIED: no endorsements were given, so anyone may have written this. "
        "Only its parts are shown; nothing that it says is known to be true."
    )
    parts = value["parts"]
    rows = [
        (part["role"], size(int(str(part["bytes"]))), part["sha256"])
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, dict)
    ]
    blocks: list[Block] = [
        Line(say(text), "bold red"),
        Line(say("Evidence of kind {kind}", kind=given.evidence.kind)),
        Grid("Parts", ("role", "size", "SHA-256"), rows),
        Line(say("Once verified, it would prove: {what}.", what=yes)),
        Line(say("It would not prove: {what}.", what=no)),
    ]
    printer.show({**value, "would_prove": yes, "would_not_prove": no}, *blocks)


def _ordered(value: Mapping[str, object]) -> dict[str, object]:
    """Return what says something, what people look for first coming first."""
    found = {name: value[name] for name in _ORDER if value.get(name) not in _NOTHING}
    if "fields" in found:
        found["fields"] = labelled(str(found.get("kind")), found["fields"])
    events = found.get("events")
    if isinstance(events, Mapping):
        found["events"] = {
            register: [_event(each) for each in rows]
            for register, rows in events.items()
        }
    inner = found.get("inner")
    if isinstance(inner, list):
        found["inner"] = [_ordered(each) for each in inner if isinstance(each, dict)]
    return found


def _event(event: object) -> object:
    """Return an event on one line; the digest is proven, the rest is the log's word."""
    if not isinstance(event, Mapping):
        return event
    return f"{event['digest']} {event['kind']} {event['text']}".strip()


_NOTHING: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Branches:
    """A tree of names and values."""

    title: str
    value: Mapping[str, object]

    def render(self) -> "RenderableType":
        """Return it as rich draws trees."""
        from rich.text import Text  # noqa: PLC0415
        from rich.tree import Tree  # noqa: PLC0415

        tree = Tree(Text(clean(self.title), style="bold"))
        _grow(tree, self.value)
        return tree


def _grow(tree: "Tree", value: object) -> None:
    from rich.text import Text  # noqa: PLC0415

    if isinstance(value, Mapping):
        items = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list):
        items = [("", item) for item in value]
    else:
        return
    for name, item in items:
        shown = clean(say(name)) if name else ""
        if isinstance(item, Mapping | list) and item:
            _grow(tree.add(Text(shown or "-", style="cyan")), item)
        else:
            label = Text(f"{shown}: " if name else "", style="cyan")
            tree.add(label.append(clean(told(name, item)), style="default"))
