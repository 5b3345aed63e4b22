# SPDX-License-Identifier: Apache-2.0
"""Machines that are not there: each with the semantics of one attestation device.

They answer with what a `answer` gives for the bytes to bind, mostly evidence of a
kind's own forge, so that what an attester collects can be verified.
"""

import errno
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cbor2

from strongroom.core.crypto.hashing import SM3
from strongroom.hardware.hygon_csv import attest as csv
from strongroom.hardware.nitro import attest as nitro
from strongroom.hardware.sgx import attest as sgx
from strongroom.hardware.tsm.report import FOLDER

Answer = Callable[[bytes], bytes]


def failure(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


@dataclass
class FakeMachine:
    """Files by path; what is not there is missing, what fails says how."""

    files: dict[str, bytes] = field(default_factory=dict)
    failing: dict[str, list[int]] = field(default_factory=dict)
    """Error numbers that uses of a path give, one after another, before it works."""

    log: list[str] = field(default_factory=list)

    def use(self, path: str, what: str) -> None:
        self.log.append(f"{what} {path}")
        numbers = self.failing.get(path.rpartition("/")[2], [])
        if numbers:
            raise failure(numbers.pop(0), path)

    def read(self, path: str) -> bytes:
        self.use(path, "read")
        if path not in self.files:
            raise failure(errno.ENOENT, path)
        return self.files[path]

    def write(self, path: str, data: bytes) -> None:
        self.use(path, "write")
        if path not in self.files:
            raise failure(errno.ENOENT, path)
        self.files[path] = data

    def make_folder(self, path: str) -> None:
        self.use(path, "mkdir")
        raise failure(errno.ENOENT, path)

    def remove_folder(self, path: str) -> None:
        self.use(path, "rmdir")
        raise failure(errno.ENOENT, path)

    def ioctl(
        self,
        path: str,
        code: int,
        argument: bytearray,
        buffers: Mapping[int, bytearray],
    ) -> None:
        del code, argument, buffers
        self.use(path, "ioctl")
        raise failure(errno.ENOENT, path)


@dataclass
class _Entry:
    generation: int = 0
    inblob: bytes = b""
    privlevel: int | None = None


@dataclass
class FakeTsm(FakeMachine):
    """Linux's configfs-tsm (drivers/virt/coco/guest/report.c)."""

    provider: str = "sev_guest"
    answer: Answer = bytes
    auxblob: bytes | None = b""
    intruders: int = 0
    """How many reports someone else spoils by writing to their entry."""

    counting: str = "{}\n"
    entries: dict[str, _Entry] = field(default_factory=dict)
    privlevels: list[int | None] = field(default_factory=list)

    def make_folder(self, path: str) -> None:
        self.use(path, "mkdir")
        folder, _, name = path.rpartition("/")
        if folder != FOLDER:
            raise failure(errno.ENOENT, path)
        if name in self.entries:
            raise failure(errno.EEXIST, path)
        if not self.provider:
            raise failure(errno.ENXIO, path)
        self.entries[name] = _Entry()

    def remove_folder(self, path: str) -> None:
        self.use(path, "rmdir")
        del self.entries[path.rpartition("/")[2]]

    def write(self, path: str, data: bytes) -> None:
        entry, name = self._place(path, "write")
        if name == "inblob" and len(data) <= 64:
            entry.inblob = data
        elif name == "privlevel":
            entry.privlevel = int(data)
        else:
            raise failure(errno.EINVAL, path)
        entry.generation += 1

    def read(self, path: str) -> bytes:
        if not path.startswith(FOLDER):
            return super().read(path)
        entry, name = self._place(path, "read")
        match name:
            case "generation":
                return self.counting.format(entry.generation).encode()
            case "provider":
                return f"{self.provider}\n".encode()
            case "outblob":
                return self._report(entry, path)
            case "auxblob" if self.auxblob is not None:
                return self.auxblob
        raise failure(errno.ENOENT, path)

    def _report(self, entry: _Entry, path: str) -> bytes:
        if len(entry.inblob) != 64:
            raise failure(errno.EINVAL, path)
        self.privlevels.append(entry.privlevel)
        if self.intruders:
            self.intruders -= 1
            entry.inblob = b"\xee" * 64
            entry.generation += 1
        return self.answer(entry.inblob)

    def _place(self, path: str, what: str) -> tuple[_Entry, str]:
        self.use(path, what)
        folder, _, name = path.rpartition("/")
        entry = self.entries.get(folder.rpartition("/")[2])
        if entry is None:
            raise failure(errno.ENOENT, path)
        return entry, name


@dataclass
class FakeGramine(FakeMachine):
    """Gramine's /dev/attestation in an enclave."""

    answer: Answer = bytes
    attestation_type: bytes = b"dcap"

    def __post_init__(self) -> None:
        self.files |= {sgx.TYPE: self.attestation_type, sgx.REPORT_DATA: bytes(64)}

    def read(self, path: str) -> bytes:
        if path == sgx.QUOTE:
            self.use(path, "read")
            return self.answer(self.files[sgx.REPORT_DATA])
        return super().read(path)


@dataclass
class FakeNsm(FakeMachine):
    """Amazon's /dev/nsm (drivers/misc/nsm.c) and the module behind it."""

    answer: Answer = bytes
    error: str = ""
    requests: list[object] = field(default_factory=list)

    def ioctl(
        self,
        path: str,
        code: int,
        argument: bytearray,
        buffers: Mapping[int, bytearray],
    ) -> None:
        self.use(path, "ioctl")
        if path != nitro.DEVICE:
            raise failure(errno.ENOENT, path)
        assert code == 0xC0200A00
        _, asked, _, room = struct.unpack("<QQQQ", argument)
        request, response = buffers[0], buffers[16]
        assert (asked, room) == (len(request), len(response))
        reply = self._reply(cbor2.loads(bytes(request)))[:room]
        response[: len(reply)] = reply
        struct.pack_into("<Q", argument, 24, len(reply))

    def _reply(self, request: object) -> bytes:
        self.requests.append(request)
        if self.error:
            return cbor2.dumps({"Error": self.error})
        if isinstance(request, dict):
            nonce = request["Attestation"]["nonce"]
            return cbor2.dumps({"Attestation": {"document": self.answer(nonce)}})
        return cbor2.dumps({"DescribeNSM": {"module_id": "i-0", "max_pcrs": 32}})


@dataclass
class FakeCsv(FakeMachine):
    """Hygon's /dev/csv-guest and the secure processor behind it.

    `answer` is given user data and mnonce, 80 bytes, and gives a whole report.
    """

    answer: Answer = bytes

    def ioctl(
        self,
        path: str,
        code: int,
        argument: bytearray,
        buffers: Mapping[int, bytearray],
    ) -> None:
        self.use(path, "ioctl")
        if path != csv.DEVICE:
            raise failure(errno.ENOENT, path)
        assert code == 0xC0104401
        page = buffers[0]
        assert struct.unpack("<QiI", argument)[1] == len(page) == 4096
        asked, digest = bytes(page[:80]), bytes(page[80:112])
        if SM3.digest(asked) != digest:
            raise failure(errno.EIO, path)
        report = self.answer(asked)
        page[: len(report)] = report
