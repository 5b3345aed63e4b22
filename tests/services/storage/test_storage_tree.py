# SPDX-License-Identifier: Apache-2.0
"""The tree of protected storage: a map that is copied as it changes, and balanced."""

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import Malformed
from strongroom.services.storage.nodes import FANOUT, Node, split
from strongroom.services.storage.objects import Box, Ref
from strongroom.services.storage.place import Keys
from strongroom.services.storage.tree import Tree
from tests.services.storage.worlds import MemoryStore, World, place_of

NUMBERS = st.integers(0, 2000)
CHANGES = st.one_of(
    st.dictionaries(NUMBERS, st.booleans(), max_size=60),
    st.tuples(NUMBERS, NUMBERS, st.booleans()).map(
        lambda span: dict.fromkeys(range(min(span[:2]), max(span[:2])), span[2])
    ),
)


def key_of(number: int) -> bytes:
    return b"%04d" % number


def ref_of(number: int, version: int) -> Ref:
    return Ref(version, number.to_bytes(12, "big"), bytes(16), number)


def box() -> Box:
    with SecretBuffer(32) as secret:
        keys = Keys(secret, place_of("intl"))
    return Box(keys, MemoryStore(), World("intl").random)


def depth(tree: Tree, root: Ref) -> int:
    """Return the level of the root; every node below is one lower than its parent."""
    node = tree._load(root)
    if node.level:
        levels = {depth(tree, tree._below(node, n)) for n in range(len(node.keys))}
        assert levels == {node.level - 1}
    return node.level


@given(
    rounds=st.lists(CHANGES, max_size=8), spans=st.lists(st.tuples(NUMBERS, NUMBERS))
)
@settings(max_examples=60)
def test_it_holds_what_a_dict_would(
    rounds: list[dict[int, bool]], spans: list[tuple[int, int]]
) -> None:
    sealed = box()
    tree, root, model = Tree(sealed), None, dict[bytes, Ref]()
    live: set[Ref] = set()
    for version, changes in enumerate(rounds, 1):
        wanted: dict[bytes, Ref | None] = {
            key_of(n): ref_of(n, version) if stays else None
            for n, stays in changes.items()
        }
        old = root
        before = dict(model)
        root, dead = tree.update(root, wanted, version)
        for key, ref in wanted.items():
            model.pop(key, None)
            if ref is not None:
                model[key] = ref
        tree = Tree(sealed)  # nothing remembered
        assert dict(tree.items(root, b"", b"\xff")) == model
        assert dict(tree.items(old, b"", b"\xff")) == before
        now = set(tree.objects(root))
        assert set(dead) == live - now
        assert len(dead) == len(set(dead))
        live = now
        for key in wanted:
            assert tree.find(root, key) == model.get(key)
    ordered = sorted(model)
    for start, stop in spans:
        found = [key for key, _ in tree.items(root, key_of(start), key_of(stop))]
        assert found == [k for k in ordered if key_of(start) <= k < key_of(stop)]
    if root is not None:
        assert depth(tree, root) <= 3


def test_a_tree_that_shrinks_gets_lower() -> None:
    tree = Tree(box())
    everything = {key_of(n): ref_of(n, 1) for n in range(5000)}
    root, _ = tree.update(None, everything, 1)
    assert root is not None
    assert depth(tree, root) == 2
    root, _ = tree.update(root, dict.fromkeys(list(everything)[10:]), 2)
    assert root is not None
    assert depth(tree, root) == 0
    root, _ = tree.update(root, dict.fromkeys(everything), 3)
    assert root is None


def test_a_tree_emptied_key_by_key_stays_full_enough() -> None:
    tree = Tree(box())
    root, _ = tree.update(None, {key_of(n): ref_of(n, 1) for n in range(2000)}, 1)
    for n in range(2000):
        if n % 20:
            root, _ = tree.update(root, {key_of(n): None}, 2)
    nodes = [ref for ref in tree.objects(root) if ref.nonce[:4] != bytes(4)]
    assert len(nodes) <= 8


def test_no_change_writes_nothing() -> None:
    sealed = box()
    tree = Tree(sealed)
    root, _ = tree.update(None, {b"a": ref_of(1, 1)}, 1)
    assert tree.update(root, {}, 2) == (root, [])


@given(
    level=st.integers(0, 16),
    keys=st.sets(st.binary(max_size=9), min_size=1, max_size=FANOUT),
    data=st.data(),
)
def test_a_node_has_one_encoding(
    level: int, keys: set[bytes], data: st.DataObject
) -> None:
    ordered = tuple(sorted(keys))
    node = Node(level, ordered, tuple(ref_of(n, 7) for n in range(len(ordered))))
    encoded = node.to_bytes()
    assert Node.parse(encoded) == node
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for bad in (encoded[:cut], encoded + b"\0"):
        with pytest.raises(Malformed):
            Node.parse(bad)


@given(st.binary(max_size=200))
def test_bytes_are_a_node_or_refused(data: bytes) -> None:
    try:
        node = Node.parse(data)
    except Malformed:
        return
    assert node.to_bytes() == data


def test_keys_out_of_order_are_no_node() -> None:
    for keys in ((b"b", b"a"), (b"a", b"a")):
        bad = Node(0, keys, (ref_of(1, 1), ref_of(2, 1))).to_bytes()
        with pytest.raises(Malformed):
            Node.parse(bad)


@given(st.integers(0, 1000))
def test_entries_are_split_evenly(count: int) -> None:
    nodes = split(0, [(key_of(n), ref_of(n, 1)) for n in range(count)])
    sizes = [len(node.keys) for node in nodes]
    assert sum(sizes) == count
    assert len(sizes) == -(-count // FANOUT)
    assert not sizes or max(sizes) - min(sizes) <= 1
