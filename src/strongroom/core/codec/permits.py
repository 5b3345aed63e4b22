# SPDX-License-Identifier: Apache-2.0
"""What an app's manifest permits: storage, peers (RES-1), and who calls what (SYS-1).

Pure functions over a signed manifest, for whoever serves storage, passes messages
between apps, answers calls or holds limits: call first, serve then. A manifest that
names no storage and no peer allows none; a command without a list of callers answers
everybody.
"""

from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec.bundle import ANY_COMMAND, Manifest
from strongroom.errors import Finding, LimitReached, Refused

OPEN_CHANNEL = "open_channel"
"""The command that only opens a way to be known; "*" does not cover it."""


@dataclass(frozen=True)
class Caller:
    """Who calls a command, as far as was proved.

    Attributes:
        kind: `host`, the ordinary side of the machine; `anyone`, who has proved
            nothing; `key`, a party by its signature; `tls`, whoever holds the key of a
            certificate; `app`, another enclave of the device.
        id: of the key, SHA-256 of the SPKI, or measurement; empty for the first two.
        products: what the product of an enclave is called (`products_of`).
    """

    kind: Literal["host", "anyone", "key", "tls", "app"]
    id: bytes = b""
    products: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What a manifest may call this caller."""
        if not self.id:
            return (self.kind,)
        return tuple(f"{self.kind}:{each}" for each in (self.id.hex(), *self.products))

    def __str__(self) -> str:
        return " or ".join(self.names)


HOST, ANYONE = Caller("host"), Caller("anyone")


def allows_command(manifest: Manifest, command: str, caller: Caller) -> None:
    """Let a caller call a command that the manifest gives it (SYS-1).

    Raises:
        Refused: `command.caller`, the command, or "*", has a list without this caller.
    """
    lists = {each.command: each.callers for each in manifest.callers}
    default = None if command == OPEN_CHANNEL else lists.get(ANY_COMMAND)
    listed = lists.get(command, default)
    if listed is None or {*caller.names, ANYONE.kind} & {*listed}:
        return
    raise Refused.because(
        rule="command.caller",
        owner=f"the app {manifest.name}",
        expected=f"a caller of {command} that it lists: {_list(listed)}",
        got=str(caller),
        remedy=f"Call as one of them, or list this caller for {command} under "
        "[callers] in strongroom.toml, and build anew.",
    )


def allows_namespace(manifest: Manifest, namespace: str) -> None:
    """Let an app use a namespace of storage that its manifest names, letter by letter.

    Raises:
        Refused: `resource.storage`, it names another or none.
    """
    if namespace not in manifest.storage:
        raise Refused.because(
            rule="resource.storage",
            owner=f"the app {manifest.name}",
            expected=f"one of the namespaces it declares: {_list(manifest.storage)}",
            got=repr(namespace),
            remedy="Name it under `storage` in strongroom.toml, and build anew.",
        )


def products_of(product: str, signer: bytes, own_signer: bytes) -> tuple[str, ...]:
    """Return what an app calls the product of another: with its signer, or without.

    A name alone is of a product of the own signer, for anybody may give any name. Who
    names a product trusts its every version by that signer; who names a measurement
    trusts exactly that code.

    Args:
        product: its name, from its verified evidence.
        signer: id of the key that signed it, from the same evidence.
        own_signer: id of the key that signed the app that calls it so.
    """
    whole = f"{product}@{signer.hex()}"
    return (whole, product) if signer == own_signer else (whole,)


def allows_peer(
    manifest: Manifest, measurement: bytes, products: tuple[str, ...]
) -> None:
    """Let an app talk to an app that its manifest names, by measurement or product.

    Args:
        manifest: of the app that wants to talk.
        measurement: of the other, from its verified evidence.
        products: what its product is called (`products_of`).

    Raises:
        Refused: `resource.peer`, it names neither.
    """
    shown = measurement.hex()
    if not {shown, *products} & {*manifest.peers} - {""}:
        raise Refused.because(
            rule="resource.peer",
            owner=f"the app {manifest.name}",
            expected=f"one of the apps it declares: {_list(manifest.peers)}",
            got=f"{' or '.join(products)}, measured {shown[:16]}",
            remedy="Name it under `peers` in strongroom.toml, and build anew.",
        )


def reached(limit: str, declared: int) -> LimitReached:
    """Return the error of an app that went over what it declared; it names the limit.

    Args:
        limit: as the manifest names it.
        declared: how much that is.
    """
    finding = Finding(
        rule=f"resource.{limit}",
        owner="app provider",
        expected=f"at most {declared}, as the manifest declares",
        got="more",
        remedy=f"Have the app use less, or declare more {limit} and sign it anew.",
    )
    message = f"the enclave reached its limit {limit}: {declared}"
    return LimitReached(message, [finding])


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
