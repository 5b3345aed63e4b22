# SPDX-License-Identifier: Apache-2.0
"""Measurement values from the things that are measured, before anything was started.

A unified kernel image (UKI) gives PCR 4, as UEFI firmware extends it (TCG PC Client
Platform Firmware Profile 3.3.4.5 and 10.4), and PCR 11, as systemd-stub and
systemd-pcrphase do (UAPI Unified Kernel Image, "UKI TPM PCR Measurements"). An app
bundle gives the app's measurement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from strongroom.core.codec.bundle import Bundle
from strongroom.errors import Malformed
from strongroom.hardware.tcg.algorithms import SIZES, Algorithm, hasher
from strongroom.services.attestation.pe import PeImage

SECTIONS = (
    ".linux",
    ".osrel",
    ".cmdline",
    ".initrd",
    ".ucode",
    ".splash",
    ".dtb",
    ".uname",
    ".sbat",
    ".pcrpkey",
)
"""Sections that PCR 11 measures, in the order in which it does; .pcrsig is left out,
since it holds what is expected of PCR 11."""

PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready")
"""Phases of the boot that systemd-pcrphase measures, in order."""

_VARIANT = (".profile", ".dtbauto", ".efifw", ".hwids")
_BOOT = b"Calling EFI Application from Boot Option"
_SEPARATOR = bytes(4)


@dataclass(frozen=True)
class Measured:
    """One event that a register is extended with."""

    register: str
    event: str
    digest: bytes


@dataclass(frozen=True)
class Prediction:
    """What registers will hold, and the events that make them so."""

    bank: str
    registers: dict[str, bytes]
    events: tuple[Measured, ...]


def measure_uki(
    data: bytes,
    *,
    bank: Algorithm = "sha256",
    phases: Sequence[str] = (),
    before: Sequence[bytes] = (),
    inner_kernel: bool = False,
) -> Prediction:
    """Return what PCR 4 and PCR 11 hold after a unified kernel image was started.

    PCR 4, which firmware extends:
    1. EV_EFI_ACTION: that an application is called from a boot option.
    2. EV_SEPARATOR: four zero bytes.
    3. EV_EFI_BOOT_SERVICES_APPLICATION: the Authenticode digest of every image that
       is loaded: boot loaders, the UKI, and the kernel inside where the stub lets
       firmware load it.
    PCR 11, which the stub extends:
    4. For each section in `SECTIONS` that the image has: its name with a zero byte,
       then its data.
    5. Each phase that was reached, its name without a zero byte.

    Not covered: images whose sections depend on the machine (profiles, .dtbauto) are
    refused; what the stub takes from beside the image (add-ons, credentials) goes to
    PCR 12 and 13; a firmware that starts other applications first extends PCR 4 more.

    Args:
        data: the image.
        bank: of the PCRs.
        phases: reached ones, from the first on.
        before: boot loaders (shim, systemd-boot) in the order of their start.
        inner_kernel: whether the stub has firmware load `.linux` (by LoadImage).

    Raises:
        Malformed: no PE image, no UKI, or phases out of order.
    """
    digest = hasher(bank)
    image = PeImage.parse(data)
    kernel = image.section(".linux")
    found = [name for name in _VARIANT if image.section(name) is not None]
    if kernel is None or found:
        lack = f"sections that vary: {', '.join(found)}" if found else "no .linux"
        message = f"not a unified kernel image with one set of values: {lack}"
        raise Malformed(message)
    if tuple(phases) != PHASES[: len(phases)]:
        message = f"phases come in the order {', '.join(PHASES)}, from the first on"
        raise Malformed(message)
    # 1, 2
    pcr4 = [("EV_EFI_ACTION", digest(_BOOT)), ("EV_SEPARATOR", digest(_SEPARATOR))]
    # 3
    loaded = [PeImage.parse(each) for each in before] + [image]
    loaded += [PeImage.parse(kernel)] if inner_kernel else []
    pcr4 += [
        ("EV_EFI_BOOT_SERVICES_APPLICATION", each.authenticode(digest))
        for each in loaded
    ]
    # 4
    pcr11 = []
    for name in SECTIONS:
        content = image.section(name)
        if content is not None:
            pcr11 += [(f"{name} (name)", digest(f"{name}\0".encode()))]
            pcr11 += [(name, digest(content))]
    # 5
    pcr11 += [(phase, digest(phase.encode())) for phase in phases]
    events = {"pcr.4": pcr4, "pcr.11": pcr11}
    return Prediction(
        bank=bank,
        registers={
            name: _extended(bank, [each for _, each in rows])
            for name, rows in events.items()
        },
        events=tuple(
            Measured(name, event, value)
            for name, rows in events.items()
            for event, value in rows
        ),
    )


def measure_bundle(data: bytes) -> bytes:
    """Return the measurement of an app bundle, whose signature holds.

    Raises:
        Malformed: not a bundle.
        Untrusted: not signed by the signer that it names.
    """
    return Bundle.from_bytes(data).verify().measurement


def _extended(bank: Algorithm, digests: Sequence[bytes]) -> bytes:
    digest = hasher(bank)
    return reduce(lambda old, new: digest(old + new), digests, bytes(SIZES[bank]))
