# SPDX-License-Identifier: Apache-2.0
"""Measurement registers in PCRs: what a monitor's boot leaves in a TPM. Pure.

    firmware    one event for each PCR that measured boot fills: its value
    monitor, template, config
                every event, in this order, extended into ONE PCR, the measuring PCR
    monitor key the last extension of that PCR

So a quote over these PCRs says which software was measured since the TPM's reset and
which key it then made. Nobody, not even the administrator of a machine, can get a
second key into the same boot: the measuring PCR must be zero when measuring begins,
and nothing but a reset of the TPM takes it back there.
"""

from itertools import zip_longest

from strongroom.core.codec import cbor
from strongroom.core.crypto import VerifyingKey, suite
from strongroom.core.crypto.hashing import SHA256
from strongroom.core.rats import Event, HardwareClaims, PlatformFacts, Register
from strongroom.hardware.refusal import refuse

KIND = "tpm2"
BANK = "sha256"
BOOT_PCRS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14)
"""Filled before an operating system runs: firmware (0 to 7, TCG PC Client Platform
Firmware Profile), GRUB and the kernel's EFI stub (8, 9), shim's keys (14)."""

MEASURING_PCRS = (10, 11, 12, 13, 15)
"""Not resettable and not in `BOOT_PCRS`. Others use them too: IMA 10, systemd 11, 12,
13 (system extensions only) and 15."""

DEFAULT_PCR = 13

FIRMWARE, MEASURED = "firmware", ("monitor", "template", "config")
_EVENT, _KEY = b"strongroom/tpm2-event/v1\0", b"strongroom/tpm2-key/v1\0"
_ZERO = bytes(SHA256.digest_bytes)


def device_id_of(attestation_key: bytes) -> bytes:
    """Return what a device is called: SHA-256 of its key's TPMT_PUBLIC."""
    return SHA256.digest(attestation_key)


def boot_events(suite_id: str, values: dict[int, bytes]) -> list[Event]:
    """Return the events of the register "firmware" from the values of `BOOT_PCRS`."""
    row = suite(suite_id)
    return [Event(f"pcr.{pcr}", row.digest(values[pcr])) for pcr in BOOT_PCRS]


def event_digest(suite_id: str, register: str, event: Event) -> bytes:
    """Return what is extended into the measuring PCR for one event."""
    fields = [suite_id, register, event.name, event.digest]
    return SHA256.digest(_EVENT, cbor.encode(fields))


def key_digest(key: VerifyingKey) -> bytes:
    """Return what is extended into the measuring PCR for the monitor's key."""
    return SHA256.digest(_KEY, cbor.encode([key.suite_id, key.raw]))


def extended(value: bytes, digest: bytes) -> bytes:
    """Return the value of a PCR of the SHA-256 bank after an extension."""
    return SHA256.digest(value, digest)


def measured_value(
    suite_id: str, registers: tuple[Register, ...], key: VerifyingKey | None
) -> bytes:
    """Return the measuring PCR after the events of `registers`, then of the key.

    Args:
        suite_id: of the registers.
        registers: all of them, in order.
        key: the monitor's, or None where it is not extended yet.
    """
    value = _ZERO
    for register in registers:
        if register.name in MEASURED:
            for event in register.events:
                digest = event_digest(suite_id, register.name, event)
                value = extended(value, digest)
    return value if key is None else extended(value, key_digest(key))


def require_backed(facts: PlatformFacts, claims: HardwareClaims) -> None:
    """Hold a statement to the PCRs and counts that the TPM signed.

    1. The quote selects, in the SHA-256 bank, `BOOT_PCRS` and one measuring PCR.
    2. The register "firmware" is what the boot PCRs hold.
    3. The measuring PCR is what the other registers' events and the monitor's key
       lead to from zero: nothing was extended before, between or after them.
    4. The statement counts boots as the TPM counts its resets.

    Raises:
        Untrusted: names the step that does not hold.
    """
    # 1
    measuring = _measuring_pcr(claims)
    values = {pcr: claims.measurements[f"pcr.{pcr}"] for pcr in BOOT_PCRS}
    # 2
    firmware = facts.register(FIRMWARE)
    stated = list(firmware.events) if firmware else []
    for event, expected in zip_longest(stated, boot_events(facts.suite_id, values)):
        if event != expected:
            raise refuse(
                KIND,
                "measurement",
                FIRMWARE,
                expected=_shown(expected),
                got=_shown(event),
                remedy="A boot PCR changed after the monitor started, or the statement "
                "was forged: restart the machine and attest again.",
            )
    # 3
    replayed = measured_value(facts.suite_id, facts.registers, facts.monitor_key)
    quoted = claims.measurements[f"pcr.{measuring}"]
    if replayed != quoted:
        raise refuse(
            KIND,
            "measurement",
            f"pcr-{measuring}",
            expected=f"{quoted.hex()[:16]}, as the TPM signed",
            got=f"{replayed.hex()[:16]} from the events and the monitor's key",
            remedy="Other software extended this PCR, or the statement was forged: "
            "restart the machine; if it happens again, provision another PCR.",
        )
    # 4
    if facts.boot_count != claims.fields.get("reset_count"):
        raise refuse(
            KIND,
            "binding",
            "reset-count",
            expected=f"boot {claims.fields.get('reset_count')}, as the TPM signed",
            got=f"boot {facts.boot_count}",
        )


def _measuring_pcr(claims: HardwareClaims) -> int:
    quoted = {
        int(name.removeprefix("pcr."))
        for name in claims.measurements
        if name.startswith("pcr.")
    }
    others = sorted(quoted - set(BOOT_PCRS))
    bank = claims.fields.get("pcr_bank")
    complete = quoted.issuperset(BOOT_PCRS) and bank == BANK
    if complete and len(others) == 1 and others[0] in MEASURING_PCRS:
        return others[0]
    wanted = ", ".join(map(str, BOOT_PCRS))
    raise refuse(
        KIND,
        "measurement",
        "selection",
        expected=f"a {BANK} quote of PCRs {wanted} and one of {MEASURING_PCRS}",
        got=f"one of {bank}: {', '.join(map(str, sorted(quoted))) or 'none'}",
        remedy="Attest with the device that provisioning made.",
    )


def _shown(event: Event | None) -> str:
    return f"{event.name} {event.digest.hex()[:16]}" if event else "no further PCR"
