# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0 as the monitor's root of trust.

    attestation key (TPM)  quotes the PCRs over the statement's digest
    device key (TPM)       -> key of the counters' journal
    boot key (TPM)         -> device secret of this measured boot -> keys of apps (7.6)

The TPM gives the boot key's secret only while the PCRs hold the measured boot and the
monitor's key is not extended yet. From the first evidence on, nobody gets it before
the TPM is reset, not even root. One process at a time has the device open, and one
measures in each boot of the machine (ADR 0011).
"""

import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.core.codec.record import Record
from strongroom.core.crypto import SecretBuffer, VerifyingKey, suite
from strongroom.core.rats import Event, PlatformFacts, Register
from strongroom.errors import Conflict, Misconfigured, Refused, StrongroomError
from strongroom.hardware.parts import files
from strongroom.hardware.parts.counters import Counters
from strongroom.hardware.parts.keys import COUNTERS, purpose_key
from strongroom.hardware.parts.locks import process_locks
from strongroom.hardware.parts.registers import RegisterBank
from strongroom.hardware.parts.rng import Generator
from strongroom.hardware.tpm2 import commands, keys, pcrs
from strongroom.hardware.tpm2.anchor import AnchoredCounters, make_anchor
from strongroom.hardware.tpm2.client import TpmError
from strongroom.hardware.tpm2.evidence import make_evidence
from strongroom.hardware.tpm2.software import SWTPM, connect

PLATFORM_SVN = 1
"""Of this layer between TPM and monitor; the TPM's own firmware is in its quote."""

_DEVICE, _COUNTERS, _LOCK = "device.cbor", "counters", "lock"
_STATE, _BOOT_KEYS = "swtpm", "boot-keys"
_COUNTERS_LABEL, _BOOT_LABEL = COUNTERS.encode(), b"boot"
_SESSION_NONCE_BYTES = 16


@dataclass(frozen=True)
class _Device(Record):
    TYPE = "strongroom/tpm2-device/v1"

    suite: str
    tpm: str
    pcr: int
    unique: bytes
    attestation_key: bytes
    device_key: keys.WrappedKey
    anchor_index: int
    anchor_base: int


class TpmDevice:
    """An open TPM; implements `RootOfTrust`, made by `open` only.

    Attributes:
        model: what the TPM calls itself; a software TPM says so here.
        device_id: 32 bytes, public: the digest of the attestation key.
        boot_count: how often the TPM has been reset.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        with ExitStack() as held:
            held.callback(os.close, lock)
            self._record = _Device.from_bytes(files.read_public(folder / _DEVICE))
            self._suite = suite(self._record.suite)
            self._folder = folder
            self._tpm = connect(self._record.tpm, folder / _STATE)
            held.callback(self._tpm.close)
            self.model = commands.model(self._tpm)
            self._require_fresh_pcr()
            self._attestation_key = self._open_attestation_key()
            held.callback(self._flush_quietly)
            self._random = Generator(lambda n: commands.get_random(self._tpm, n))
            self._kernel = Generator()
            self._counters = self._open_counters(held)
            self.boot_count = commands.read_clock(self._tpm).reset_count
            self.device_id = pcrs.device_id_of(self._record.attestation_key)
            self._registers = RegisterBank(self._suite.id)
            self._measure_firmware()
            self._secret: SecretBuffer | None = None
            held.callback(self._wipe)
            self._monitor_key: VerifyingKey | None = None
            self._lock = threading.RLock()
            self._held = held.pop_all()

    @classmethod
    def provision(
        cls, folder: Path, suite_id: str, tpm: str = SWTPM, pcr: int = pcrs.DEFAULT_PCR
    ) -> bytes:
        """Make a device in `folder`, once; return what verifiers pin it by.

        The record that makes the folder a device is written last.

        Args:
            folder: of mode 0700, made if missing.
            suite_id: of the monitor's keys and registers; the TPM's are P-256 and
                SHA-256 whatever it is.
            tpm: "swtpm" for a software TPM in this folder, else the path of a device
                ("/dev/tpmrm0") or of a Unix socket.
            pcr: the measuring PCR, which no other software of the machine extends.

        Returns:
            The public area of the attestation key (TPMT_PUBLIC), which stands for
            the TPM because whoever provisions has the machine before them: no
            certificate of the TPM's maker is asked for.

        Raises:
            Conflict: there is a device already.
            Misconfigured: no TPM there, or a PCR that is not for measuring.
        """
        row = suite(suite_id)
        if pcr not in pcrs.MEASURING_PCRS:
            message = f"PCR {pcr} is not one to measure into: {pcrs.MEASURING_PCRS}"
            raise Misconfigured(message)
        files.make_private(folder)
        lock = files.lock(folder / _LOCK)
        try:
            if (folder / _DEVICE).exists():
                message = f"{folder} already holds a device: it is provisioned once"
                raise Conflict(message)
            with connect(tpm, folder / _STATE) as line:
                random = Generator(lambda n: commands.get_random(line, n))
                unique = random.bytes(keys.UNIQUE_BYTES)
                template = keys.attestation_template(unique)
                with keys.primary(line, commands.ENDORSEMENT, template) as (_, public):
                    device_key = keys.make_hmac_key(line)
                with keys.secret_of(line, device_key, _COUNTERS_LABEL) as secret:
                    Counters.create(folder / _COUNTERS, row, secret)
                index, base = make_anchor(line)
            record = _Device(
                suite_id, tpm, pcr, unique, public, device_key, index, base
            )
            files.make_private(folder / _BOOT_KEYS)
            files.write_public(folder / _DEVICE, record.to_bytes())
        finally:
            os.close(lock)
        return public

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Power on: take the lock, find the TPM, read what measured boot left in it.

        Raises:
            NotFound: there is no device.
            Conflict: another monitor has it open.
            Untrusted, Stale, Tampered: another TPM, or files that are old or altered.
            Misconfigured: the TPM is missing, or something was measured already.
        """
        files.require_private(folder)
        files.require_private(folder / _DEVICE)
        return cls(folder, files.lock(folder / _LOCK))

    @property
    def kind(self) -> str:
        """The kind of platform."""
        return pcrs.KIND

    @property
    def suite_id(self) -> str:
        """The one suite of this device."""
        return self._record.suite

    def extend(self, name: str, event_name: str, digest: bytes) -> None:
        """Measure an event into the register called `name`, and into the TPM.

        Raises:
            NotFound: there is no such register.
            LimitReached: its event log is full.
            Malformed: the digest is not of this device's suite.
            Conflict: the boot is measured, or an earlier register comes after a later
                one: all share one PCR, in order.
        """
        event = Event(event_name, digest)
        with self._lock:
            self._require_in_order(name)
            self._registers.extend(name, event)
            value = pcrs.event_digest(self.suite_id, name, event)
            commands.pcr_extend(self._tpm, self._record.pcr, value)

    def registers(self) -> tuple[Register, ...]:
        """Return the measurement registers as they stand."""
        return self._registers.read()

    def attest(self, *, nonce: bytes, monitor_key: VerifyingKey, now: int) -> bytes:
        """Return evidence of this TPM; hardware.rooted verifies it.

        The first time, the key is extended into the measuring PCR: from then on this
        boot has this key and no other.

        Raises:
            Conflict: another key than the first time.
            Malformed: the nonce is not 8 to 64 bytes, or the key of another suite.
        """
        with self._lock:
            facts = PlatformFacts(
                kind=pcrs.KIND,
                model=self.model,
                suite_id=self.suite_id,
                device_id=self.device_id,
                firmware_svn=PLATFORM_SVN,
                boot_count=self.boot_count,
                debug=False,
                registers=self._registers.read(),
                monitor_key=monitor_key,
                nonce=nonce,
                issued_at=now,
                locks=process_locks(),
            )
            self._bind(monitor_key)
            return make_evidence(
                self._tpm, self._attestation_key, facts, self._record.pcr
            )

    def derive(self, purpose: str, context: bytes) -> SecretBuffer:
        """Return 32 bytes for `purpose` under the app root key of `context`.

        The caller closes them. Every device, measured boot, context and purpose has
        its own.
        """
        with self._lock:
            return purpose_key(self._suite, self._boot_secret(), purpose, context)

    def counter(self, name: str) -> int:
        """Return the monotonic counter called `name`; one never incremented is 0."""
        return self._counters.value("app/" + name)

    def increment(self, name: str) -> int:
        """Add one durably and return the new value."""
        with self._lock:
            return self._counters.increment("app/" + name)

    def random(self, n: int) -> bytes:
        """Return `n` random bytes of the TPM's generator.

        Raises:
            Unavailable: the generator has failed a health test.
        """
        return self._random.bytes(n)

    def fill(self, secret: SecretBuffer) -> None:
        """Fill `secret` with the kernel's random bytes, no copy on the way.

        The TPM's would pass through memory that cannot be wiped.

        Raises:
            Unavailable: the kernel's failed a health test; `secret` is wiped.
        """
        self._kernel.fill(secret)

    def close(self) -> None:
        """Wipe every key and let go of the TPM; closing twice is harmless."""
        self._held.close()

    def _open_attestation_key(self) -> int:
        template = keys.attestation_template(self._record.unique)
        handle, public = commands.create_primary(
            self._tpm, commands.ENDORSEMENT, template
        )
        if public != self._record.attestation_key:
            raise Refused.because(
                rule="device.tpm",
                owner="device",
                expected="the TPM that this device was provisioned with",
                got=f"another one, or one that was cleared ({self.model})",
                remedy="Put the disk back into its machine, or provision a new device.",
            )
        return handle

    def _open_counters(self, held: ExitStack) -> AnchoredCounters:
        record = self._record
        key = held.enter_context(
            keys.secret_of(self._tpm, record.device_key, _COUNTERS_LABEL)
        )
        anchor = (record.anchor_index, record.anchor_base)
        path = self._folder / _COUNTERS
        counters = AnchoredCounters(self._tpm, anchor, path, self._suite, key)
        held.callback(counters.close)
        return counters

    def _require_fresh_pcr(self) -> None:
        pcr = self._record.pcr
        found = commands.pcr_read(self._tpm, [pcr]).get(pcr)
        if found is None:
            message = f"{self._tpm.name} has no SHA-256 bank: enable it in the firmware"
            raise Misconfigured(message)
        if any(found):
            message = (
                f"PCR {pcr} of {self._tpm.name} is not zero: a monitor has measured "
                "since the last reset, or other software uses this PCR (10 IMA, 11 to "
                "13 and 15 systemd). A monitor starts once in each boot: restart the "
                "machine. If it is still so, provision with another PCR."
            )
            raise Misconfigured(message)

    def _measure_firmware(self) -> None:
        values = commands.pcr_read(self._tpm, pcrs.BOOT_PCRS)
        for event in pcrs.boot_events(self.suite_id, values):
            self._registers.extend(pcrs.FIRMWARE, event)

    def _require_in_order(self, name: str) -> None:
        if self._secret is not None or self._monitor_key is not None:
            message = "this boot is measured: nothing can be measured into it any more"
            raise Conflict(message)
        if name == pcrs.FIRMWARE:
            message = "the register firmware is filled by the TPM's boot PCRs alone"
            raise Conflict(message)
        filled = [each.name for each in self._registers.read() if each.events]
        if name in pcrs.MEASURED and filled[-1] not in (pcrs.FIRMWARE, name):
            order = pcrs.MEASURED.index
            if order(filled[-1]) > order(name):
                message = f"register {name} comes before {filled[-1]}"
                raise Conflict(message)

    def _boot_secret(self) -> SecretBuffer:
        """Return the device secret of this measured boot; the TPM gives it once.

        Raises:
            Refused: something else was measured into the TPM meanwhile.
        """
        if self._secret is None:
            pcr = self._record.pcr
            values = commands.pcr_read(self._tpm, pcrs.BOOT_PCRS)
            values[pcr] = pcrs.measured_value(
                self.suite_id, self._registers.read(), None
            )
            policy = keys.pcr_policy(values)
            nonce = commands.get_random(self._tpm, _SESSION_NONCE_BYTES)
            try:
                self._secret = keys.secret_of(
                    self._tpm,
                    self._boot_key(policy),
                    _BOOT_LABEL,
                    tuple(sorted(values)),
                    nonce,
                )
            except TpmError as error:
                if error.rc != "POLICY_FAIL":
                    raise
                raise Refused.because(
                    rule="device.boot",
                    owner="device",
                    expected=f"PCR {pcr} as this monitor measured",
                    got="something that other software measured",
                    remedy="Find out what else extends this PCR; restart the machine.",
                ) from error
        return self._secret

    def _boot_key(self, policy: bytes) -> keys.WrappedKey:
        path = self._folder / _BOOT_KEYS / policy.hex()
        if path.exists():
            return keys.WrappedKey.from_bytes(files.read_public(path))
        key = keys.make_hmac_key(self._tpm, policy)
        files.write_public(path, key.to_bytes())
        return key

    def _bind(self, key: VerifyingKey) -> None:
        if self._monitor_key is None:
            self._boot_secret()
            commands.pcr_extend(self._tpm, self._record.pcr, pcrs.key_digest(key))
            self._monitor_key = key
        elif self._monitor_key != key:
            message = "this boot is bound to another monitor key"
            raise Conflict(message)

    def _flush_quietly(self) -> None:
        """Unload the attestation key; a TPM that is gone has done so itself."""
        try:
            commands.flush(self._tpm, self._attestation_key)
        except StrongroomError:
            return

    def _wipe(self) -> None:
        if self._secret is not None:
            self._secret.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
