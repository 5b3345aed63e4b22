# SPDX-License-Identifier: Apache-2.0
"""Where the TPM is: a device of the kernel, a socket, or swtpm started for its owner.

swtpm is TPM 2.0 in software. It gets one end of a nameless socket pair, so nobody else
can talk to it, and ends with the process at the other end: switching the device on is
the reset of its TPM. Its state is as safe as the folder that it lies in.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from strongroom.errors import Misconfigured, StrongroomError
from strongroom.hardware.tpm2 import commands
from strongroom.hardware.tpm2.client import Tpm

SWTPM = "swtpm"
DEVICE = "/dev/tpmrm0"
_END_S = 5.0
_SYSTEM_FOLDERS = "/usr/local/bin:/usr/bin:/bin"
_NEEDS = (
    "a machine with a TPM 2.0, its driver loaded, and the right to use it "
    "(group tss, or root)"
)


class SoftwareTpm(Tpm):
    """A line to a swtpm that ends with it."""

    def __init__(self, fd: int, process: "subprocess.Popen[bytes]") -> None:
        super().__init__(fd, SWTPM)
        self._process = process

    def close(self) -> None:
        """Switch the TPM off, in order if it still answers."""
        if self._process.poll() is None:
            try:
                commands.shutdown(self)
            except StrongroomError:
                self._process.kill()
        super().close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def connect(where: str, state: Path) -> Tpm:
    """Return the line to a TPM.

    Args:
        where: "swtpm" to start one, else the path of a device or a Unix socket.
        state: the folder of the state of a swtpm that is started.

    Raises:
        Misconfigured: there is none.
    """
    if where == SWTPM:
        return _start(state)
    path = Path(where)
    try:
        if path.is_socket():
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.connect(os.fspath(path))
            return Tpm(link.detach(), where)
        return Tpm(os.open(path, os.O_RDWR | os.O_CLOEXEC), where)
    except OSError as error:
        message = f"{where}: {error.strerror}: this needs {_NEEDS}"
        raise Misconfigured(message) from error


def _start(state: Path) -> SoftwareTpm:
    program = shutil.which(SWTPM) or shutil.which(SWTPM, path=_SYSTEM_FOLDERS)
    if program is None:
        message = "swtpm is missing: install it (Debian: apt-get install swtpm)"
        raise Misconfigured(message)
    try:
        state.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        message = f"{state}: {error.strerror}: a software TPM keeps its state there"
        raise Misconfigured(message) from error
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        process = subprocess.Popen(  # noqa: S603 - the distribution's program
            [
                *(program, "socket", "--tpm2", "--fd", str(number)),
                *("--tpmstate", f"dir={state.resolve()},mode=0600"),
                *("--flags", "not-need-init,startup-clear"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(number,),
            start_new_session=True,  # Ctrl-C ends the monitor first, then this
        )
    return SoftwareTpm(ours.detach(), process)
