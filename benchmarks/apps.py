# SPDX-License-Identifier: Apache-2.0
"""A service app of one file, signed."""

from strongroom.core.codec.bundle import EntryPoint, FileEntry, Manifest, seal_bundle
from strongroom.core.crypto import SigningKey, suite


def service_bundle(
    signer: SigningKey,
    name: str,
    source: bytes,
    entries: tuple[EntryPoint, ...],
    peers: tuple[str, ...],
) -> bytes:
    """Return the bundle of an app that offers every function."""
    manifest = Manifest(
        suite=signer.suite_id,
        name=name,
        svn=1,
        kind="service",
        memory_bytes=256 << 20,
        threads=1,
        processes=0,
        cpu_seconds=0,
        interfaces=("report", "open_channel"),
        storage=(),
        peers=peers,
        entry_points=entries,
        files=(
            FileEntry("main.py", len(source), suite(signer.suite_id).digest(source)),
        ),
        encrypted=False,
    )
    return seal_bundle(manifest, {"main.py": source}, signer).to_bytes()
