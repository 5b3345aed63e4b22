# SPDX-License-Identifier: Apache-2.0
"""What an app's manifest lets it reach beyond itself (RES-1): storage and peers.

Pure functions over a signed manifest, for whoever serves storage or passes messages
between apps: call first, serve then. A manifest that names nothing allows nothing.
"""

from strongroom.core.codec.bundle import Manifest
from strongroom.errors import Refused


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


def allows_peer(manifest: Manifest, measurement: bytes, product: str) -> None:
    """Let an app talk to an app that its manifest names, by measurement or product.

    Args:
        manifest: of the app that wants to talk.
        measurement: of the other, from its verified evidence.
        product: its name, from the same evidence, where one signer signed both; ""
            for an app of another signer, who may give any name. A manifest that names
            a product trusts its every version by the own signer; one that names a
            measurement trusts exactly that code.

    Raises:
        Refused: `resource.peer`, it names neither.
    """
    shown = measurement.hex()
    if not {shown, product} & {*manifest.peers} - {""}:
        raise Refused.because(
            rule="resource.peer",
            owner=f"the app {manifest.name}",
            expected=f"one of the apps it declares: {_list(manifest.peers)}",
            got=f"{product or 'an app of another signer'}, measured {shown[:16]}",
            remedy="Name it under `peers` in strongroom.toml, and build anew.",
        )


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
