# SPDX-License-Identifier: Apache-2.0
"""Attest the machine that this runs on, through its TPM 2.0.

The attestation key is a primary key: the TPM makes the same one from its own seed
each time. Whoever sees the machine pins its public area (`attestation_key`). A
certificate of the TPM's maker for it, by credential activation, is not asked for.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from strongroom.core.rats import HardwareEvidence
from strongroom.errors import Malformed, StrongroomError
from strongroom.hardware.machine import LINUX, Machine
from strongroom.hardware.tpm2 import commands, keys
from strongroom.hardware.tpm2.evidence import make_quote
from strongroom.hardware.tpm2.pcrs import KIND
from strongroom.hardware.tpm2.software import DEVICE, connect

EVENT_LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
QUOTED = tuple(range(16))
"""Those that only a reset takes back."""

MAX_BOUND_BYTES = 64
"""TPM2B_DATA holds a digest of the largest hash of a TPM, and its name."""


@dataclass(frozen=True)
class TpmAttester:
    """Attests this machine; implements `Attester`.

    Attributes:
        where: the TPM's device or socket.
        state: folder of a software TPM's state, where `where` is "swtpm".
        machine: for the event log of measured boot, given where it can be read.
    """

    where: str = DEVICE
    state: Path = Path("swtpm")
    machine: Machine = LINUX

    @property
    def kind(self) -> str:
        """The kind of evidence."""
        return KIND

    def collect(self, bound: bytes) -> HardwareEvidence:
        """Return a quote of PCRs 0 to 15 with `bound` as its nonce.

        Raises:
            Malformed: `bound` has none or more than 64 bytes.
            Misconfigured: no TPM here, or this user may not use it.
            Unavailable: the TPM did not answer.
        """
        if not 0 < len(bound) <= MAX_BOUND_BYTES:
            message = f"a TPM binds 1 to {MAX_BOUND_BYTES} bytes, not {len(bound)}"
            raise Malformed(message)
        with connect(self.where, self.state) as tpm:
            template = keys.attestation_template(b"")
            with keys.primary(tpm, commands.ENDORSEMENT, template) as (key, _):
                parts = make_quote(tpm, key, bound, QUOTED)
        with suppress(OSError):
            parts["event_log"] = self.machine.read(EVENT_LOG)
        return HardwareEvidence(KIND, parts)

    def attestation_key(self) -> bytes:
        """Return the public area (TPMT_PUBLIC) to pin as `trusted_ak_public`."""
        with connect(self.where, self.state) as tpm:
            template = keys.attestation_template(b"")
            with keys.primary(tpm, commands.ENDORSEMENT, template) as (_, public):
                return public

    def missing(self) -> str:
        """Return why this machine gives no such evidence, or "" if it does."""
        try:
            with connect(self.where, self.state) as tpm:
                commands.read_clock(tpm)
        except StrongroomError as error:
            return error.message
        return ""


def attester() -> TpmAttester:
    """Return the attester of this machine."""
    return TpmAttester()
