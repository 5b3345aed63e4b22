# SPDX-License-Identifier: Apache-2.0
"""What devices and kernels answer to attesters, as functions of bytes.

A device that answers anything at all must get an attester to refuse, never to hang:
the answers of a TPM come from a real socket, those of a kernel from a fake of it.
"""

import errno
import socket
from collections.abc import Callable, Iterator, Mapping
from unittest import mock

from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats import HardwareEvidence
from strongroom.hardware.hygon_csv.attest import MNONCE_BYTES, PAGE_BYTES, report
from strongroom.hardware.nitro.attest import NitroAttester
from strongroom.hardware.tpm2 import client, commands
from strongroom.hardware.tpm2.attest import TpmAttester
from strongroom.hardware.tpm2.client import PASSWORD, Tpm
from strongroom.hardware.tsm.report import TsmReport, make_report

_HANDLE, _MAC_BYTES = 0x80000000, 32
_ALL_PCRS = range(24)


def _random(tpm: Tpm) -> object:
    return commands.get_random(tpm, 2 * commands.SHA256_BYTES + 1)


def _collect(tpm: Tpm) -> object:
    with mock.patch("strongroom.hardware.tpm2.attest.connect", return_value=tpm):
        return TpmAttester().collect(b"nonce")


def _hmac(tpm: Tpm) -> None:
    with SecretBuffer(_MAC_BYTES) as secret:
        commands.hmac(tpm, _HANDLE, b"label", PASSWORD, secret)


_CALLS: tuple[Callable[[Tpm], object], ...] = (
    lambda tpm: commands.create_primary(tpm, commands.OWNER, b""),
    lambda tpm: commands.create(tpm, _HANDLE, b""),
    lambda tpm: commands.load(tpm, _HANDLE, b"", b""),
    lambda tpm: commands.quote(tpm, _HANDLE, b"nonce", _ALL_PCRS),
    lambda tpm: commands.pcr_read(tpm, _ALL_PCRS),
    lambda tpm: commands.start_pcr_policy(tpm, b"", _ALL_PCRS),
    lambda tpm: commands.nv_counter(tpm, 1),
    commands.read_clock,
    commands.model,
    _collect,
    _random,
    _hmac,
)


def tpm_answers(data: bytes) -> object:
    """Run a command, which the first byte chooses, on a TPM that answers the rest.

    Each answer has two bytes of length before it.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        theirs,
        Tpm(ours.detach(), "the TPM") as tpm,
        mock.patch.object(client, "_PAUSE_S", 0),
    ):
        for answer in _packets(data[1:]):
            theirs.send(answer)
        theirs.shutdown(socket.SHUT_WR)
        return _CALLS[(data[0] if data else 0) % len(_CALLS)](tpm)


def _packets(data: bytes) -> Iterator[bytes]:
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        if end > 2:  # noqa: PLR2004 - a packet of nothing is the end of a line
            yield data[2:end]
        data = data[end:]


class Answers:
    """A machine whose every file and device gives the next part of `data`.

    Parts are separated by NUL NUL; a part "!" and a number is that error of Linux's.
    """

    def __init__(self, data: bytes) -> None:
        self._parts = iter(data.split(b"\0\0"))

    def read(self, path: str) -> bytes:
        """Return the next part."""
        part = next(self._parts, None)
        if part is None or part.startswith(b"!"):
            number = part[1] if part and len(part) > 1 else errno.ENOENT
            raise OSError(number, "made up", path)
        return part

    def write(self, path: str, data: bytes) -> None:
        """Take anything."""

    def make_folder(self, path: str) -> None:
        """Take any name."""

    def remove_folder(self, path: str) -> None:
        """Take any name."""

    def ioctl(
        self,
        path: str,
        code: int,
        argument: bytearray,
        buffers: Mapping[int, bytearray],
    ) -> None:
        """Put the next part into the last buffer, and its length into `argument`."""
        del code
        part = self.read(path)
        room = buffers[max(buffers)]
        room[: len(part)] = part[: len(room)]
        argument[-8:] = len(part).to_bytes(8, "little")


def tsm_report(data: bytes) -> TsmReport:
    """Make a report through configfs-tsm."""
    return make_report(Answers(data), bytes(64), 0)


def nitro_evidence(data: bytes) -> HardwareEvidence:
    """Attest with a security module that answers `data`."""
    return NitroAttester(Answers(data)).collect(b"nonce")


def hygon_report(data: bytes) -> bytes:
    """Take the report from a page that the driver gave back."""
    nonce = data[:MNONCE_BYTES].ljust(MNONCE_BYTES, b"\0")
    return report(data[MNONCE_BYTES:][:PAGE_BYTES].ljust(PAGE_BYTES, b"\0"), nonce)
