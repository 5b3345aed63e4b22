# SPDX-License-Identifier: Apache-2.0
"""What is attacked and where it is, as the attackers are told.

The secrets are among it, since who searches has to know what for. They come through
a pipe: no file, argument or environment variable ever holds them.
"""

from dataclasses import dataclass
from pathlib import Path

from strongroom.core.codec.record import Record


@dataclass(frozen=True)
class Target(Record):
    """A room with two enclaves in which secrets are planted.

    Attributes:
        folder: of the room.
        monitor: its process.
        processes: the monitor's and all below it but the spare enclave's.
        enclave: the first process of the enclave.
        heap: address of a secret in ordinary memory, 32 bytes.
        secret: address of one in secret memory, 32 bytes.
        scratch: address of 32 bytes that can be written over.
        ordinary, hidden, filed, device: the secrets: in ordinary memory, in secret
            memory, in a file inside the enclave, in the device's fuse.
        spare: the first process of an enclave that need not survive: debuggers do not
            know the registers of every processor, and so cannot put all back.
        spare_secret: address of a secret in its secret memory, 32 bytes.
        spare_scratch: address of 32 bytes that its code can be made to copy to.
        spare_hidden: that secret.
        handle: of the enclave, as if stolen from its owner.
        bundle, policy: what starts another enclave of the same app.
        brief: the bundle of one that may use a second of processor time.
    """

    folder: str
    monitor: int
    processes: tuple[int, ...]
    enclave: int
    heap: int
    secret: int
    scratch: int
    ordinary: bytes
    hidden: bytes
    filed: bytes
    device: bytes
    spare: int
    spare_secret: int
    spare_scratch: int
    spare_hidden: bytes
    handle: bytes
    bundle: bytes
    brief: bytes
    policy: bytes

    @property
    def socket(self) -> Path:
        """Where the gate of its monitor is."""
        return Path(self.folder) / "node" / "monitor.sock"

    @property
    def planted(self) -> tuple[bytes, ...]:
        """The secrets that an app planted."""
        return (self.ordinary, self.hidden, self.filed)
