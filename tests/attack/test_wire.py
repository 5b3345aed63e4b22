# SPDX-License-Identifier: Apache-2.0
"""What an eavesdropper on every wire and a thief of every disk gets: no plaintext."""

import base64
import os
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from strongroom.application.cleanroom.task import RESULT_KEY_INFO
from strongroom.client import tasks
from tests.integration.world import World

_ALL = 0x0003
_OUTGOING = 4
_SOL_PACKET, _STATISTICS = 263, 6
_BUFFER_BYTES = 64 << 20
_IPV4, _IPV6, _TCP = 0x0800, 0x86DD, 6
_UNIQUE_KEY = "duk.key"
"""The simulated device's own fuse, the one place where its key may be."""

COLUMNS = "full_name,national_id,phone,cholesterol_mg_dl"
ROWS = {
    "hospital": [
        "Wilhelmina Achterberg,666-41-778120,+1-303-555-0142,263.5",
        "Thaddeus Okonkwo-Reyes,666-19-004417,+1-415-555-0119,181.25",
    ],
    "clinic": [
        "Perpetua Vanterpool,666-73-915508,+1-212-555-0177,307.75",
        "Caspian Ljungqvist,666-08-330291,+1-617-555-0103,142.5",
    ],
}
APPLICANT = ("Perpetua Vanterpool", "666-73-915508", "+1-212-555-0177")
CONCLUSION = "decline-high-cholesterol-class-4"
SOURCE = '''
import json
import pyarrow.compute as pc

UNDERWRITING_SECRET_THRESHOLD = 240.125  # the maker's own trade secret, row seventeen

def main(rows, name):
    """Look the applicant up in all of the hospitals' rows, as trained last winter."""
    wanted = json.loads(name)
    for table in rows:
        found = table.filter(pc.equal(table["national_id"], wanted[1]))
        for level in found["cholesterol_mg_dl"].to_pylist():
            if level > UNDERWRITING_SECRET_THRESHOLD:
                return {"total": "decline-high-cholesterol-class-4", "count": 1}
    return {"total": "accept", "count": 0}

def slow(rows, name):
    return main(rows, name)
'''


@dataclass
class Capture:
    """Everything that passes the loopback interface, put together by connection."""

    flows: dict[bytes, dict[int, bytes]] = field(default_factory=dict)
    drops: int = 0

    def __post_init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)
        )
        self._socket.bind(("lo", 0))
        for option in (socket.SO_RCVBUF, 33):  # 33: SO_RCVBUFFORCE
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        self._socket.settimeout(0.2)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self) -> list[bytes]:
        """Stop; return the bytes of every direction of every connection."""
        self._ended.set()
        self._thread.join()
        counts = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8)
        self.drops = struct.unpack("II", counts)[1]
        self._socket.close()
        return [_stream(parts) for parts in self.flows.values()]

    def _read(self) -> None:
        while True:
            try:
                frame, address = self._socket.recvfrom(1 << 17)
            except TimeoutError:
                if self._ended.is_set():
                    return
                continue
            if address[2] == _OUTGOING:  # on loopback each packet is seen twice
                self._keep(frame[14:], int.from_bytes(frame[12:14], "big"))

    def _keep(self, packet: bytes, kind: int) -> None:
        if kind == _IPV4 and packet[9] == _TCP:
            start, end = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
            ends, tcp = packet[12:20], packet[start : end or None]
        elif kind == _IPV6 and packet[6] == _TCP:
            ends, tcp = packet[8:40], packet[40:]
        else:
            return
        payload = tcp[(tcp[12] >> 4) * 4 :]
        if payload:
            flow = self.flows.setdefault(ends + tcp[:4], {})
            flow[int.from_bytes(tcp[4:8], "big")] = payload


def _stream(parts: dict[int, bytes]) -> bytes:
    """Put segments in the order of their sequence numbers, which may wrap."""
    first = next(iter(parts))
    return b"".join(
        parts[at] for at in sorted(parts, key=lambda at: (at - first) % (1 << 32))
    )


@dataclass(frozen=True)
class Loot:
    """What was seen and stolen, the secrets to look for, and what is public."""

    wire: list[bytes]
    files: dict[Path, bytes]
    secrets: dict[str, bytes]
    public: dict[str, bytes]
    drops: int

    def hits(self, needle: bytes) -> list[str]:
        """Return every place that holds the needle; a file's name is part of it."""
        seen = [f"connection {n}" for n, data in enumerate(self.wire) if needle in data]
        return seen + [
            str(path)
            for path, data in self.files.items()
            if needle in data or needle in os.fsencode(path)
        ]


@pytest.fixture(scope="module", params=["intl", "sm"])
def loot(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Loot:
    if os.geteuid():
        pytest.skip("capturing the wire takes root (AF_PACKET)")
    world = World(tmp_path_factory.mktemp("wire"), str(request.param))
    capture = Capture()
    try:
        world.open()
        secrets, public = _main_job(world)
    finally:
        world.close()
        wire = capture.end()
    return Loot(wire, _files(world), secrets, public, capture.drops)


def _main_job(world: World) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Run it whole; return what nobody may see, and what anybody may."""
    ids = {
        owner: world.dataset(owner, "\n".join([COLUMNS, *rows, ""]))
        for owner, rows in ROWS.items()
    }
    app = world.app("underwriting", source=SOURCE, encrypt=True)
    agreement = world.agreement(app, list(ids.values()))
    elements = ", ".join(f'"{element}"' for element in APPLICANT)
    task = world.ask(agreement, f"[{elements}]")
    assert CONCLUSION.encode() in world.done(task)
    insurer = world.parties["insurer"]
    target = world.folder / "again"
    receipt = tasks.fetch(insurer, task, target)[0].receipt
    secrets = _texts() | {
        f"data key of {owner}": world.parties[owner].home.data_key(
            name, world.parties[owner].identity
        )
        for owner, name in ids.items()
    }
    maker = world.parties["maker"]
    secrets["code key"] = maker.home.data_key(app, maker.identity)
    info = RESULT_KEY_INFO + task.encode()
    secrets["result key"] = insurer.identity.kem.open(receipt.result_key, info)
    for node in (world.room_folder.management, world.room_folder.compute()):
        key = (node / "device" / _UNIQUE_KEY).read_bytes()
        secrets[f"device unique key of {node.name}"] = key
    sealed = (world.room_folder.store / "objects" / ids["clinic"]).read_bytes()
    public = {
        "dataset id": ids["hospital"].encode(),
        "agreement's result, encrypted": receipt.result.encode(),
        "column names": b"cholesterol_mg_dl",
        "a ciphertext": sealed[-64:],
    }
    return secrets, public


def _texts() -> dict[str, bytes]:
    """Return rows, cells, elements of identity, the conclusion and lines of code."""
    rows = [row for rows in ROWS.values() for row in rows]
    cells = [cell for row in rows for cell in row.split(",")[:3]]
    lines = [line.strip() for line in SOURCE.splitlines() if len(line.strip()) > 30]
    named = {
        "row": rows,
        "cell": cells,
        "applicant": APPLICANT,
        "code": lines,
        "conclusion": (CONCLUSION, CONCLUSION.split("-", 1)[1]),
    }
    return {
        f"{kind}: {text}": text.encode()
        for kind, all_ in named.items()
        for text in all_
    }


def _files(world: World) -> dict[Path, bytes]:
    """Return every file of the room, and what parties wrote to store anywhere."""
    found = [path for path in world.room_folder.root.rglob("*") if path.is_file()]
    found += [*world.folder.glob("*.sealed"), *world.folder.glob("*.bundle")]
    return {path: path.read_bytes() for path in found if path.name != _UNIQUE_KEY}


def _forms(secret: bytes) -> Iterator[bytes]:
    """Return a secret as it could be written."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")


def test_the_search_sees_what_is_there(loot: Loot) -> None:
    assert loot.drops == 0
    for name, value in loot.public.items():
        hits = loot.hits(value)
        assert [hit for hit in hits if hit.startswith("connection")], name
        assert [hit for hit in hits if hit.startswith("/")], name


def test_no_secret_is_on_a_wire_or_a_disk(loot: Loot) -> None:
    assert len(loot.secrets) > 25
    found = {
        name: hits
        for name, secret in loot.secrets.items()
        for form in _forms(secret)
        if (hits := loot.hits(form))
    }
    assert found == {}
