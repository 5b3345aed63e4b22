# SPDX-License-Identifier: Apache-2.0
"""Routes by names and links: what is in a bundle, an app's folder, a store's names."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from strongroom.attack.asking import any_works
from strongroom.attack.bench import Bench, bench
from strongroom.attack.room import APP
from strongroom.attack.target import Target
from strongroom.client.build import build_bundle
from strongroom.core.codec import cbor, cose
from strongroom.core.codec.bundle import Bundle
from strongroom.core.crypto import suite
from strongroom.errors import StrongroomError

_PATHS = (
    "../escaped",
    "a/../../escaped",
    "/tmp/escaped",  # noqa: S108 - the attack
    "a//escaped",
    "./escaped",
    "..\\escaped",
    "escaped\0.py",
    "",
)
_MEASURED, _SIGNED = b"strongroom/app-measurement/v1\0", "strongroom/app-signature/v1"


def names_in_manifest(at: Target) -> bool:
    """Start bundles, properly signed, whose files have names that lead out."""
    host = bench(at)
    return _any_starts(host, [_with_path(host, path) for path in _PATHS])


def names_in_content(at: Target) -> bool:
    """Start bundles whose content has more files than the manifest, or others."""
    host = bench(at)
    value = Bundle.from_bytes(host.app()).to_value()
    content = cbor.decode(bytes(_bytes(value["content"])))
    files = dict(content) if isinstance(content, dict) else {}
    return _any_starts(
        host,
        [
            cbor.encode({**value, "content": cbor.encode({**files, path: b"escaped"})})
            for path in _PATHS
        ],
    )


def link_in_folder(at: Target) -> bool:
    """Have a maker build an app from a folder with a link to a file of hers."""
    return _built(at, lambda link, file: link.symlink_to(file))


def folder_link_in_folder(at: Target) -> bool:
    """Have a maker build an app from a folder with a link to a folder of hers."""
    return _built(at, lambda link, file: link.symlink_to(file.parent))


def hard_link_in_folder(at: Target) -> bool:
    """Have a maker build an app from a folder with a hard link to a file of hers."""
    return _built(at, lambda link, file: link.hardlink_to(file))


def _built(at: Target, put: Callable[[Path, Path], None]) -> bool:
    """Return whether the file's content is in the bundle."""
    host = bench(at)
    secret = os.urandom(32)
    folder = host.device.parent / f"maker-{os.urandom(4).hex()}"
    private, source = folder / "private", folder / "source"
    private.mkdir(parents=True)
    source.mkdir()
    (private / "key").write_bytes(secret)
    for each in APP.iterdir():
        if each.is_file():
            (source / each.name).write_bytes(each.read_bytes())
    put(source / "extra", private / "key")
    bundle, _ = build_bundle(source, host.work.provider, encrypt=False)
    return secret in bundle.to_bytes()


def store_names(at: Target) -> bool:
    """Have an app ask its host to keep objects under names that lead out."""
    return _asked(at, [("ledger", name) for name in _PATHS])


def store_spaces(at: Target) -> bool:
    """Have an app ask its host to keep objects in a namespace that leads out."""
    outside = ("..", "../node", "../../escaped", "/tmp/escaped", "ledger/../..")  # noqa: S108
    return _asked(at, [(space, "escaped") for space in outside])


def _asked(at: Target, asks: list[tuple[str, str]]) -> bool:
    """Return whether any object came to lie outside of the app's own store."""
    host = bench(at)
    folder = host.objects.parent.parent
    before = _outside(host, folder)
    last: StrongroomError | None = None
    with host.services(host.app()) as app:
        for space, name in asks:
            try:
                app.call("ask_host", namespace=space, name=name, data="escaped")
            except StrongroomError as error:
                last = error
    if _outside(host, folder) - before:
        return True
    if last is not None:
        raise last
    return False


def _outside(host: Bench, folder: Path) -> set[Path]:
    ours = host.objects / "ledger"
    found = {each for each in folder.rglob("*") if not each.is_relative_to(ours)}
    return found | set(Path("/tmp").glob("escaped*"))  # noqa: S108 - the attack


def _with_path(host: Bench, path: str) -> bytes:
    """Return a bundle of one file under any name, signed by its maker."""
    row = suite(host.work.suite_id)
    value = Bundle.from_bytes(host.app()).to_value()
    manifest, data = value["manifest"], b"escaped"
    entry = {"path": path, "size": len(data), "digest": row.digest(data)}
    changed = {**_map(manifest), "files": [entry]}
    measured = row.digest(_MEASURED, cbor.encode(changed))
    signer = host.work.provider.signing
    return cbor.encode(
        {
            **value,
            "manifest": changed,
            "signature": cose.sign1(signer, _SIGNED, measured),
            "content": cbor.encode({path: data}),
        }
    )


def _any_starts(host: Bench, bundles: list[bytes]) -> bool:
    """Return True if one starts; else raise the refusal of the last."""

    def start(bundle: bytes) -> None:
        with host.services(bundle):
            pass

    return any_works(partial(start, bundle) for bundle in bundles)


def _map(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
