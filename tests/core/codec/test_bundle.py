# SPDX-License-Identifier: Apache-2.0
"""A bundle that was altered in any way is refused before its first instruction."""

import dataclasses
import os

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec.bundle import (
    Bundle,
    CodeKey,
    EntryPoint,
    FileEntry,
    Manifest,
    OutputRule,
    Parameter,
    seal_bundle,
)
from strongroom.core.crypto import SigningKey, suite
from strongroom.errors import Malformed, StrongroomError, Tampered, Untrusted

SUITES = ("sm", "intl")
FILES = {"main.py": b"def main():\n    return {}\n", "data/model.json": b"{}"}


def signer(suite_id: str, fill: int = 7) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([fill]) * row.sign_seed_bytes)


def manifest(suite_id: str, *, encrypted: bool = False) -> Manifest:
    digest = suite(suite_id).digest
    return Manifest(
        suite=suite_id,
        name="demo",
        svn=1,
        kind="task",
        memory_bytes=1 << 26,
        threads=1,
        processes=0,
        cpu_seconds=0,
        interfaces=(),
        storage=(),
        peers=(),
        entry_points=(
            EntryPoint(
                name="main",
                function="main:main",
                parameters=(Parameter(name="rows", type="table", many=False),),
                output=OutputRule("json", ("n",), 1, 1024, 0, ""),
            ),
        ),
        files=tuple(FileEntry(p, len(d), digest(d)) for p, d in sorted(FILES.items())),
        encrypted=encrypted,
    )


def code_key(suite_id: str) -> CodeKey:
    row = suite(suite_id)
    return CodeKey(os.urandom(row.aead_key_bytes), os.urandom(row.nonce_bytes))


@pytest.mark.parametrize("suite_id", SUITES)
def test_a_signed_bundle_gives_back_its_files(suite_id: str) -> None:
    bundle = seal_bundle(manifest(suite_id), FILES, signer(suite_id))
    assert Bundle.from_bytes(bundle.to_bytes()).verify().files() == FILES


@pytest.mark.parametrize("suite_id", SUITES)
def test_an_encrypted_bundle_hides_its_code_and_opens_with_the_key(
    suite_id: str,
) -> None:
    key = code_key(suite_id)
    bundle = seal_bundle(
        manifest(suite_id, encrypted=True), FILES, signer(suite_id), key
    )
    assert FILES["main.py"] not in bundle.to_bytes()
    assert bundle.verify().files(key.key) == FILES


def test_encryption_with_another_nonce_keeps_the_measurement() -> None:
    sealed = [
        seal_bundle(
            manifest("intl", encrypted=True), FILES, signer("intl"), code_key("intl")
        )
        for _ in range(2)
    ]
    assert sealed[0].content != sealed[1].content
    assert sealed[0].manifest.measurement == sealed[1].manifest.measurement


def test_a_wrong_code_key_opens_nothing() -> None:
    bundle = seal_bundle(
        manifest("intl", encrypted=True), FILES, signer("intl"), code_key("intl")
    )
    with pytest.raises(Tampered):
        bundle.verify().files(bytes(32))
    with pytest.raises(Untrusted, match="code-key"):
        bundle.verify().files()


@pytest.mark.parametrize("suite_id", SUITES)
def test_an_altered_manifest_is_refused(suite_id: str) -> None:
    bundle = seal_bundle(manifest(suite_id), FILES, signer(suite_id))
    altered = dataclasses.replace(
        bundle, manifest=dataclasses.replace(bundle.manifest, svn=2)
    )
    with pytest.raises(Untrusted, match=r"bundle\.measurement"):
        altered.verify()


def test_a_signature_of_someone_else_is_refused() -> None:
    bundle = seal_bundle(manifest("intl"), FILES, signer("intl"))
    other = seal_bundle(manifest("intl"), FILES, signer("intl", 8))
    with pytest.raises(Untrusted):
        dataclasses.replace(bundle, signature=other.signature).verify()


@pytest.mark.parametrize("change", ["altered", "added", "missing"])
def test_other_files_than_the_manifest_names_are_refused(change: str) -> None:
    files = dict(FILES)
    if change == "altered":
        files["main.py"] += b"#"
    elif change == "added":
        files["more.py"] = b""
    else:
        del files["main.py"]
    bundle = seal_bundle(manifest("intl"), files, signer("intl"))
    with pytest.raises(Untrusted, match=r"bundle\.content"):
        bundle.verify().files()


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", "a/./b", "", "a\\b", "a\0b"])
def test_a_path_that_leaves_the_folder_is_malformed(path: str) -> None:
    with pytest.raises(Malformed):
        FileEntry(path, 0, b"")


def test_the_parser_is_total_over_truncation() -> None:
    data = seal_bundle(manifest("intl"), FILES, signer("intl")).to_bytes()
    for length in range(len(data)):
        with pytest.raises(Malformed):
            Bundle.from_bytes(data[:length])


@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_no_flipped_byte_gives_other_files(noise: bytes, place: int) -> None:
    data = bytearray(seal_bundle(manifest("intl"), FILES, signer("intl")).to_bytes())
    start = place % len(data)
    data[start : start + len(noise)] = noise
    try:
        files = Bundle.from_bytes(bytes(data)).verify().files()
    except StrongroomError:
        return
    assert files == FILES
