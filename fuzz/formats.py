# SPDX-License-Identifier: Apache-2.0
"""Our own formats and documents of people, as functions of bytes.

Where a parser wants a choice beside its bytes, the first byte makes it.
"""

import atexit
import os
import socket
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from strongroom.application.broker.events import Event, read_event
from strongroom.application.runtime.output import Output, check_output
from strongroom.cli.cases import Case, read_case
from strongroom.client.endorsement_refresh import Answer, Refreshed, refresh
from strongroom.client.endorsement_sources import Wanted, read_wanted
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import OutputRule
from strongroom.core.codec.foreign_cbor import decode
from strongroom.core.codec.foreign_cose import ForeignSign1, elliptic_key, point_key
from strongroom.core.codec.note import Note, NoteKey, decode_base64
from strongroom.core.codec.tlog import Checkpoint, TilePath
from strongroom.core.crypto import pem
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.errors import StrongroomError, error_from_value
from strongroom.management.endorsements import Document, EndorsementStore, Incoming
from strongroom.management.endorsements.documents import describe
from strongroom.services.sealing.files import Head, read_head
from strongroom.system.monitor.gate import COMMANDS, check_command, recv_frame

ROLES = (
    "tcb_info",
    "qe_identity",
    "root_ca_crl",
    "vcek",
    "pck_crl_issuer_chain",
    "trust_anchor",
    "revoked",
)
_READINGS = ("as-is", "certificates", "rim")
_OUTPUTS: tuple[Literal["json", "table"], ...] = ("json", "table")
_NOW = 1_750_000_000
_FOLDER = tempfile.TemporaryDirectory(prefix="strongroom-fuzz-")
atexit.register(_FOLDER.cleanup)
_SCRATCH = Path(_FOLDER.name)


def foreign_sign1(data: bytes) -> ForeignSign1:
    """Read a COSE_Sign1 of other people."""
    return ForeignSign1.of(decode(data), "token")


def foreign_key(data: bytes) -> ForeignKey:
    """Read a public key, in any form that evidence has one in."""
    kind, rest = data[:1], data[1:]
    match kind:
        case b"s":
            return ForeignKey.from_spki(rest)
        case b"p":
            return ForeignKey.from_pem(rest)
        case b"c":
            return elliptic_key(decode(rest), "key")
        case b"x":
            return ForeignKey.from_point("P-256", rest)
        case _:
            return point_key(data, "key")


def pem_blocks(data: bytes) -> list[bytes]:
    """Read certificates in PEM."""
    return pem.read(data, b"CERTIFICATE")


def checkpoint(data: bytes) -> Checkpoint:
    """Read a signed note, and the checkpoint in it."""
    return Checkpoint.parse(Note.parse(data).text)


def note_key(data: bytes) -> NoteKey:
    """Read the key of a log."""
    return NoteKey.parse(data.decode(errors="replace"))


def tile_path(data: bytes) -> TilePath:
    """Read the path of a tile, which whoever asks a log has written."""
    return TilePath.parse(data.decode(errors="replace"))


def base64_text(data: bytes) -> bytes:
    """Read canonical base64."""
    return decode_base64(data.decode(errors="replace"), "text")


def error_report(data: bytes) -> StrongroomError:
    """Read what a service answered instead."""
    return error_from_value(cbor.decode(data))


def journal_event(data: bytes) -> Event:
    """Read an event of a broker's journal: [name, body]."""
    match cbor.decode(data):
        case [name, body]:
            return read_event(name, body)
        case other:
            return read_event(other, other)


def gate_frame(data: bytes) -> object:
    """Receive a frame and hold it against the commands of either side."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        while (frame := recv_frame(ours)) is not None:
            frame.close()
            command = COMMANDS.get(frame.number)
            check_command(frame, command.side if command else "host")
    return None


def sealed_head(data: bytes) -> Head:
    """Read the start of a sealed file."""
    fd = os.memfd_create("sealed")
    try:
        os.write(fd, data)
        return read_head(fd)
    finally:
        os.close(fd)


def endorsement(data: bytes) -> Document:
    """Describe a document that somebody brings for a store."""
    role = ROLES[(data[0] if data else 0) % len(ROLES)]
    return describe(Incoming(role, ("tdx",), data[1:], "fuzz"), _NOW)


def vendor_answer(data: bytes) -> tuple[Refreshed, ...]:
    """Take what a vendor's service answered to a refresh."""
    number = data[0] if data else 0
    reading = _READINGS[number % len(_READINGS)]
    chain = "Chain" if number > len(_READINGS) else ""
    wanted = Wanted("https://vendor", ROLES[-2], ("tdx",), "as-is", chain)
    if reading == "certificates":
        wanted = Wanted("https://vendor", ROLES[-2], ("tdx",), "certificates", chain)
    elif reading == "rim":
        wanted = Wanted("https://vendor", ROLES[-2], ("tdx",), "rim", chain)
    store = cast("EndorsementStore", _Describing())
    return refresh(store, [wanted], _Answering(data[1:]), _NOW)


class _Answering:
    """Answers with the same to every question, in the body and in a header."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def fetch(self, url: str) -> Answer:
        """Return what there is."""
        del url
        text = self._data.decode("latin-1")
        return Answer(self._data, {"chain": text})


class _Describing:
    """Describes what a store would take in, and keeps nothing."""

    def add(
        self, documents: Iterable[Incoming], now: int, *, anchors: bool
    ) -> list[Document]:
        """Return what would be new."""
        del anchors
        return [describe(each, now) for each in documents]


def app_output(data: bytes) -> Output:
    """Hold an app's result against a rule."""
    kind = _OUTPUTS[(data[0] if data else 0) % len(_OUTPUTS)]
    rule = OutputRule("json", ("a", "n"), 100, 1 << 20, 2, "n")
    return check_output(
        kind, data[1:], replace(rule, type=kind), replace(rule, type=kind)
    )


def sources_file(data: bytes) -> tuple[Wanted, ...]:
    """Read a file that says where vendors publish."""
    file = _SCRATCH / "sources.toml"
    file.write_bytes(data)
    return read_wanted(file)


def case_file(data: bytes) -> Case | None:
    """Read the folder of a case, whose other files may be missing."""
    (_SCRATCH / "case.json").write_bytes(data)
    try:
        return read_case(_SCRATCH)
    except OSError:
        return None
