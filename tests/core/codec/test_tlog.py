# SPDX-License-Identifier: Apache-2.0
"""Merkle trees, notes, checkpoints and tiles against RFC 6962 and C2SP."""

import base64
import hashlib

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec.merkle import (
    Tree,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)
from strongroom.core.codec.note import Note, NoteKey, sign_note
from strongroom.core.codec.tlog import (
    Checkpoint,
    TilePath,
    decode_bundle,
    encode_bundle,
    tile_bytes,
    tile_paths,
)
from strongroom.core.crypto import SUITES, SigningKey, suite
from strongroom.errors import Malformed, NotFound, Tampered, Untrusted

SUITE_IDS = sorted(SUITES)
ORIGIN = "example.com/log"

# Source: google/certificate-transparency, merkletree tests; the leaves and the roots
# after each of them.
LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def grown(suite_id: str, size: int) -> Tree:
    tree = Tree(tree_hash(suite_id))
    for index in range(size):
        assert tree.append(tree.hashing.leaf(b"%d" % index)) == index
    return tree


def signer(suite_id: str, fill: int = 7) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([fill]) * row.sign_seed_bytes)


def naive_root(suite_id: str, entries: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, written as the RFC writes it."""
    hashing = tree_hash(suite_id)
    if not entries:
        return hashing.digest(b"")
    if len(entries) == 1:
        return hashing.leaf(entries[0])
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = entries[:split], entries[split:]
    return hashing.node(naive_root(suite_id, left), naive_root(suite_id, right))


def test_known_roots_of_certificate_transparency() -> None:
    tree = Tree(tree_hash("intl"))
    assert tree.root() == hashlib.sha256(b"").digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.append(tree.hashing.leaf(bytes.fromhex(leaf)))
        assert tree.root().hex() == root
    assert [tree.root(size).hex() for size in range(1, 9)] == list(ROOTS)


def test_known_proofs_of_certificate_transparency() -> None:
    """The audit path of RFC 6962 section 2.1.3 for its tree of seven leaves."""
    tree = Tree(tree_hash("intl"))
    for leaf in LEAVES[:7]:
        tree.append(tree.hashing.leaf(bytes.fromhex(leaf)))
    one = [tree.hashes(0, place, 1) for place in range(7)]
    pair = [tree.hashes(1, place, 1) for place in range(3)]
    node = tree.hashing.node
    rest = node(pair[2], one[6])
    assert tree.inclusion_proof(0) == [one[1], pair[1], rest]
    assert tree.inclusion_proof(3) == [one[2], pair[0], rest]
    assert tree.inclusion_proof(4) == [one[5], one[6], tree.hashes(2, 0, 1)]
    assert tree.inclusion_proof(6) == [pair[2], tree.hashes(2, 0, 1)]
    assert tree.consistency_proof(3) == [one[2], one[3], pair[0], rest]
    assert tree.consistency_proof(4) == [rest]
    assert tree.consistency_proof(6) == [pair[2], one[6], tree.hashes(2, 0, 1)]


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_every_proof_of_small_trees(suite_id: str) -> None:
    size = 33
    tree, hashing = grown(suite_id, size), tree_hash(suite_id)
    entries = [b"%d" % index for index in range(size)]
    for new in range(size + 1):
        root = tree.root(new)
        assert root == naive_root(suite_id, entries[:new])
        for index in range(new):
            verify_inclusion(
                hashing,
                index=index,
                size=new,
                leaf_hash=hashing.leaf(entries[index]),
                proof=tree.inclusion_proof(index, new),
                root=root,
            )
        for old in range(new + 1):
            verify_consistency(
                hashing,
                old_size=old,
                old_root=tree.root(old),
                new_size=new,
                new_root=root,
                proof=tree.consistency_proof(old, new),
            )


@pytest.mark.parametrize("suite_id", SUITE_IDS)
@given(data=st.data())
def test_a_wrong_inclusion_proof_is_refused(suite_id: str, data: st.DataObject) -> None:
    tree, hashing = grown(suite_id, 20), tree_hash(suite_id)
    size = data.draw(st.integers(2, 20))
    index = data.draw(st.integers(0, size - 1))
    proof, leaf = tree.inclusion_proof(index, size), hashing.leaf(b"%d" % index)
    place = data.draw(st.integers(0, len(proof) - 1))
    wrong = [
        (index, size, leaf, [*proof[:place], bytes(32), *proof[place + 1 :]]),
        (index, size, leaf, proof[:place] + proof[place + 1 :]),
        (index, size, leaf, [*proof, bytes(32)]),
        (index, size, leaf, [part + b"\0" for part in proof]),
        (index, size, hashing.leaf(b"other"), proof),
        (size, size, leaf, proof),
        (-1, size, leaf, proof),
        ((index + 1) % size, size, leaf, proof),
    ]
    for at, of, start, path in wrong:
        with pytest.raises(Tampered, match=r"tlog\.inclusion"):
            verify_inclusion(
                hashing,
                index=at,
                size=of,
                leaf_hash=start,
                proof=path,
                root=tree.root(size),
            )


@pytest.mark.parametrize("suite_id", SUITE_IDS)
@given(data=st.data())
def test_a_wrong_consistency_proof_is_refused(
    suite_id: str, data: st.DataObject
) -> None:
    tree, hashing = grown(suite_id, 20), tree_hash(suite_id)
    new = data.draw(st.integers(2, 20))
    old = data.draw(st.integers(1, new - 1))
    proof = tree.consistency_proof(old, new)
    place = data.draw(st.integers(0, len(proof) - 1))
    wrong = [
        (old, tree.root(old), [*proof[:place], bytes(32), *proof[place + 1 :]]),
        (old, tree.root(old), proof[:place] + proof[place + 1 :]),
        (old, tree.root(old), [*proof, bytes(32)]),
        (old, tree.root(old), []),
        (old, tree.root(old), [b"short"]),
        (old, bytes(32), proof),
        (new, tree.root(old), []),
        (new, tree.root(new), [bytes(32)]),
        (new + 1, tree.root(new), proof),
        (0, tree.root(old), []),
    ]
    for size, root, path in wrong:
        with pytest.raises(Tampered, match=r"tlog\.consistency"):
            verify_consistency(
                hashing,
                old_size=size,
                old_root=root,
                new_size=new,
                new_root=tree.root(new),
                proof=path,
            )


def test_trees_know_their_bounds() -> None:
    tree = grown("intl", 3)
    for action in (
        lambda: tree.root(4),
        lambda: tree.root(-1),
        lambda: tree.inclusion_proof(3),
        lambda: tree.inclusion_proof(-1),
        lambda: tree.consistency_proof(4),
        lambda: tree.consistency_proof(-1, 2),
        lambda: tree.hashes(1, 1, 1),
        lambda: tree.hashes(9, 0, 1),
    ):
        with pytest.raises(NotFound):
            action()
    with pytest.raises(Malformed):
        tree_hash("other")


# Source: c2sp.org/signed-note and c2sp.org/tlog-checkpoint. The notes there are
# examples without keys, so only their form is checked.
SPEC_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe"
    "4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
# Source: golang.org/x/mod sumdb, the public key of sum.golang.org.
GO_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_specification_examples_parse() -> None:
    note = Note.parse(SPEC_CHECKPOINT.encode())
    checkpoint = Checkpoint.parse(note.text)
    assert checkpoint.size == 20852163
    assert checkpoint.to_text() == note.text
    (line,) = note.signatures
    assert line.name == "example.com/behind-the-sofa"
    assert len(line.signature) == 64


def test_key_ids_are_those_of_go() -> None:
    key = NoteKey.parse(GO_KEY)
    assert key.name == "sum.golang.org"
    assert key.key_id.hex() == "033de0ae"
    assert key.to_text() == GO_KEY


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_checkpoints_round_trip(suite_id: str) -> None:
    key = signer(suite_id)
    trusted = NoteKey.parse(NoteKey(ORIGIN, key.public).to_text())
    head = Checkpoint(ORIGIN, 3, grown(suite_id, 3).root())
    assert Checkpoint.verify(head.sign(key), trusted) == head


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_notes_of_others_are_refused(suite_id: str) -> None:
    key, other = signer(suite_id), signer(suite_id, 9)
    trusted = NoteKey(ORIGIN, key.public)
    note = Checkpoint(ORIGIN, 3, bytes(32)).sign(key)
    with pytest.raises(Untrusted, match=r"note\.signature"):
        Checkpoint.verify(note, NoteKey(ORIGIN, other.public))
    with pytest.raises(Untrusted, match=r"note\.signature"):
        Checkpoint.verify(note, NoteKey("elsewhere", key.public))
    with pytest.raises(Untrusted):
        Checkpoint.verify(note.replace(b"\n3\n", b"\n4\n"), trusted)
    stranger = Checkpoint("elsewhere", 3, bytes(32)).to_text()
    with pytest.raises(Malformed):
        Checkpoint.verify(sign_note(stranger, ORIGIN, key), trusted)


def test_signatures_of_strangers_are_passed_over() -> None:
    key = signer("intl")
    note = Checkpoint(ORIGIN, 3, bytes(32)).sign(key)
    extra = b"".join(
        b"\xe2\x80\x94 witness%d " % number + base64.b64encode(bytes(9)) + b"\n"
        for number in range(16)
    )
    assert Checkpoint.verify(note + extra, NoteKey(ORIGIN, key.public)).size == 3


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n— a+b AAAAAAAA\n",
        "text\n\n—  AAAAAAAA\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— name AAAAAAB=\n",
        "text\n\n— name AAAAAAA\n",
        "te\txt\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 65,
        "text\n\n— name " + "AAAA" * (1 << 17) + "\n",
    ],
)
def test_notes_that_are_none(wrong: str) -> None:
    with pytest.raises(Malformed):
        Note.parse(wrong.encode())


@given(st.binary(max_size=60))
def test_note_and_bundle_parsing_is_total(data: bytes) -> None:
    with pytest.raises(Malformed):
        Note.parse(data)
    try:
        entries = decode_bundle(data)
    except Malformed:
        return
    assert encode_bundle(entries) == data


@pytest.mark.parametrize(
    "wrong",
    [
        "a\n1\n",
        "\n1\nAAAA\n",
        "a\n01\n" + base64.b64encode(bytes(32)).decode() + "\n",
        "a\n-1\n" + base64.b64encode(bytes(32)).decode() + "\n",
        "a\n1\n" + base64.b64encode(bytes(31)).decode() + "\n",
        "a\n1\n" + base64.b64encode(bytes(32)).decode() + "\nextension\n",
        f"a\n{1 << 63}\n" + base64.b64encode(bytes(32)).decode() + "\n",
    ],
)
def test_checkpoints_that_are_none(wrong: str) -> None:
    with pytest.raises(Malformed):
        Checkpoint.parse(wrong)


def test_texts_and_keys_that_no_note_can_hold() -> None:
    for text, name in (
        ("no newline", "a"),
        ("a\tb\n", "a"),
        ("a\n", ""),
        ("a\n", "b c"),
    ):
        with pytest.raises(Malformed):
            sign_note(text, name, signer("intl"))
    for line in ("", "a+b+c", GO_KEY + " ", GO_KEY.replace("033d", "033e"), "a+0+AAAA"):
        with pytest.raises(Malformed):
            NoteKey.parse(line)


def test_tile_paths_are_those_of_the_specification() -> None:
    assert TilePath(0, 1234067).path == "tile/0/x001/x234/067"
    assert TilePath(None, 5, 12).path == "tile/entries/005.p/12"
    merkle = [tile for tile in tile_paths(70_000) if tile.level is not None]
    assert [tile.width for tile in merkle if tile.width < 256] == [112, 17, 1]
    assert len([tile for tile in merkle if tile.level == 0]) == 274
    assert [tile.path for tile in tile_paths(256)] == [
        "tile/entries/000",
        "tile/0/000",
        "tile/1/000.p/1",
    ]
    assert not list(tile_paths(0))
    assert not list(tile_paths(300, 300))
    assert [tile.path for tile in tile_paths(257, 256)] == [
        "tile/entries/001.p/1",
        "tile/0/001.p/1",
    ]


@given(st.none() | st.integers(0, 63), st.integers(0, 10**10), st.integers(1, 256))
def test_tile_paths_round_trip(level: int | None, index: int, width: int) -> None:
    tile = TilePath(level, index, width)
    assert TilePath.parse(tile.path) == tile


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "tile/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000/",
        "tile/entries/../000",
        "tile/0/\u0660\u0660\u0660",
    ],
)
def test_tile_paths_that_are_none(wrong: str) -> None:
    with pytest.raises(Malformed):
        TilePath.parse(wrong)


def test_tiles_are_hashes_of_complete_subtrees() -> None:
    tree = grown("intl", 600)
    assert tile_bytes(tree, TilePath(0, 2, 88)) == tree.hashes(0, 512, 88)
    first = grown("intl", 256).root()
    assert tile_bytes(tree, TilePath(1, 0, 2))[:32] == first
    with pytest.raises(NotFound):
        tile_bytes(tree, TilePath(1, 0, 3))
    with pytest.raises(Malformed):
        encode_bundle([bytes(1 << 16)])
