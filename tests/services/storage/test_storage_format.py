# SPDX-License-Identifier: Apache-2.0
"""The example of docs/specs/storage.md, opened by us and by pyca's primitives alone."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from strongroom.core.codec import cbor
from tests.services.storage.worlds import KEY, World, place_of

PAGE = (Path(__file__).parents[3] / "docs" / "specs" / "storage.md").read_text()
TEXT = b"age,dose\n41,2\n"
SALT = b"strongroom/storage/v1"


def example(kind: str) -> str:
    return PAGE.split(f"```{kind}\n")[1].split("```")[0]


@pytest.fixture
def objects() -> dict[str, bytes]:
    found: dict[str, str] = {}
    name = ""
    for line in example("objects").splitlines():
        if "/" in line:
            name = line
            found[name] = ""
        else:
            found[name] += line
    return {name: bytes.fromhex(text) for name, text in found.items()}


def test_it_opens(objects: dict[str, bytes]) -> None:
    world = World("intl")
    world.objects = objects
    prefix = next(iter(objects)).partition("/")[0]
    world.counters.values = {
        f"storage/{prefix}/turns": 1,
        f"storage/{prefix}/states": 3,
    }
    assert world.open().read("a") == TEXT


def test_it_is_what_is_written(objects: dict[str, bytes]) -> None:
    world = World("intl")
    world.open(create=True).write("a", TEXT)
    assert world.objects == objects


def test_its_parts_are_as_the_page_says(objects: dict[str, bytes]) -> None:
    place = bytes.fromhex(example("place").replace("\n", ""))
    assert place == place_of("intl").to_bytes()
    root = HKDF(SHA384(), 48, SALT, place).derive(KEY)
    place_id = HKDFExpand(SHA384(), 16, b"P").derive(root)
    key_id = HKDF(SHA384(), 16, SALT, b"key id").derive(KEY)

    def opened(bound: bytes, ident: bytes, sealed: bytes) -> bytes:
        cipher = AESGCM(HKDFExpand(SHA384(), 32, bound).derive(root))
        nonce, rest = sealed[:12], sealed[12:]
        return cipher.decrypt(nonce, rest, place + bound + ident)

    (block_name, block), (node_name, node), (head_name, head) = objects.items()
    three = (3).to_bytes(8, "big")
    assert opened(b"B" + three, b"b/a", block[8:]) == TEXT
    root_text = opened(b"N" + three, b"", node[8:])
    assert root_text == bytes.fromhex(example("node"))
    for name, data in ((block_name, block), (node_name, node)):
        authenticator = data[8:20] + data[-16:]
        assert name == f"{place_id.hex()}/{three.hex()}-{authenticator.hex()}"
    clear = b"SRSTOR1\n\0" + key_id + place_id + three
    assert head.startswith(clear)
    assert head_name == f"{place_id.hex()}/head/{three.hex()}"
    cipher = AESGCM(HKDFExpand(SHA384(), 32, b"H" + three).derive(root))
    end = len(clear) + 12
    text = cipher.decrypt(head[end - 12 : end], head[end:], place + b"H" + head[:end])
    length = (len(node) - 36).to_bytes(8, "big")
    assert cbor.decode(text) == {
        "type": "strongroom/storage-head/v1",
        "root": three + node[8:20] + node[-16:] + length,
        "forget": b"",
    }
