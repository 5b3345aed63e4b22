# SPDX-License-Identifier: Apache-2.0
"""Appraisal policy: what a relying party expects, written out in full.

Nothing is left open by leaving it out: a policy names every register and its locks,
and "do not check" is the value `not_checked(reason)`, which shows up in every result.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from strongroom.core.codec.record import Record
from strongroom.core.rats.claims import LOCKS
from strongroom.core.rats.registers import REGISTERS
from strongroom.errors import Malformed

HARDWARE_KINDS = (
    "arm-cca",
    "az-snp-vtpm",
    "az-tdx-vtpm",
    "hygon-csv",
    "nitro",
    "sev-snp",
    "sgx",
    "tdx",
)
"""What a policy accepts unless it says otherwise: hardware that shields memory from
the machine's operator, by the names that evidence has (hardware.registry)."""

KINDS_BY_NAME = ("simulated", "tpm2")
"""What a policy accepts only if it names it: a simulated platform proves nothing about
hardware; a TPM measures what was started, but shields no memory."""

_NOT_CHECKED = "not checked: "


def not_checked(reason: str) -> str:
    """Return the text that stands for "any value", with the reason for it.

    Raises:
        Malformed: no reason is given.
    """
    if not reason.strip():
        message = "say why this is not checked"
        raise Malformed(message)
    return _NOT_CHECKED + reason


def not_checked_bytes(reason: str) -> bytes:
    """Return `not_checked` for a field of bytes; no digest begins like it."""
    return not_checked(reason).encode()


def why_not_checked(value: str | bytes) -> str | None:
    """Return the reason if `value` is a `not_checked`, else None."""
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    return text.removeprefix(_NOT_CHECKED) if text.startswith(_NOT_CHECKED) else None


@dataclass(frozen=True, kw_only=True)
class AppRule(Record):
    """One app that is accepted: by measurement, or by signer, product and SVN.

    Every field is compared; a field that is not to be is `not_checked`. Write rules
    with `measured` and `signed`, which fill the other fields with their reason.
    """

    measurement: bytes
    signer: bytes
    product: str
    min_svn: int
    config: bytes

    def __post_init__(self) -> None:
        open_measurement = why_not_checked(self.measurement) is not None
        by_signer = (
            why_not_checked(self.signer) is None
            and why_not_checked(self.product) is None
        )
        if open_measurement and not by_signer:
            message = "an app rule names a measurement, or a signer and a product"
            raise Malformed(message)
        if not (self.measurement and self.signer and self.product and self.config):
            message = "an empty field of an app rule: write not_checked(reason)"
            raise Malformed(message)
        if self.min_svn < 0:
            message = "an SVN is not negative"
            raise Malformed(message)

    @classmethod
    def measured(cls, measurement: bytes, *, config: bytes) -> Self:
        """Accept exactly one app.

        Args:
            measurement: of its bundle, a digest.
            config: digest of the configuration it was started with, or
                `not_checked_bytes(reason)`.
        """
        reason = "the measurement names the app"
        return cls(
            measurement=measurement,
            signer=not_checked_bytes(reason),
            product=not_checked(reason),
            min_svn=0,
            config=config,
        )

    @classmethod
    def signed(
        cls, signer: bytes, product: str, min_svn: int, *, config: bytes
    ) -> Self:
        """Accept a signer's product from an SVN on.

        Args:
            signer: id of the signing key, 32 bytes.
            product: the name in the manifest.
            min_svn: the lowest SVN that is accepted.
            config: as in `measured`.
        """
        return cls(
            measurement=not_checked_bytes("the signer names the app"),
            signer=signer,
            product=product,
            min_svn=min_svn,
            config=config,
        )


@dataclass(frozen=True, kw_only=True)
class AppraisalPolicy(Record):
    """What `owner` expects of a platform and of the app on it.

    Args:
        owner: whose rules these are; every finding names them.
        registers: accepted values by name, for every name in `REGISTERS`.
        locks: names that the app (without an app: the monitor) must have.
        max_platform_age_s: how old platform evidence may be, seconds.
        min_firmware_svn: the lowest firmware SVN that is accepted.
        apps: apps that are accepted; with none, only a platform by itself is.
        kinds: kinds of platform that are accepted, each by name.
    """

    TYPE = "strongroom/appraisal-policy/v1"

    owner: str
    registers: dict[str, tuple[bytes, ...]]
    locks: tuple[str, ...]
    max_platform_age_s: int
    min_firmware_svn: int
    apps: tuple[AppRule, ...]
    kinds: tuple[str, ...] = HARDWARE_KINDS

    def __post_init__(self) -> None:
        if not self.owner or not self.kinds:
            message = "a policy has an owner and accepts some kind of platform"
            raise Malformed(message)
        if set(self.registers) != set(REGISTERS) or not all(self.registers.values()):
            message = (
                f"a policy gives values for {', '.join(REGISTERS)}; for one that is "
                "not to be compared, not_checked_bytes(reason)"
            )
            raise Malformed(message)
        if not self.locks or not all(map(_is_lock_or_open, self.locks)):
            message = "a policy names locks of core.rats.LOCKS, or not_checked(reason)"
            raise Malformed(message)
        if self.max_platform_age_s < 1 or self.min_firmware_svn < 0:
            message = "an age is at least a second and an SVN is not negative"
            raise Malformed(message)

    @cached_property
    def encoded(self) -> bytes:
        """The one encoding of this policy, which names it by its digest."""
        return self.to_bytes()

    @cached_property
    def unchecked(self) -> tuple[str, ...]:
        """What this policy leaves open, each with its reason."""
        fields = [(f"register.{name}", v) for name, v in sorted(self.registers.items())]
        fields.append(("locks", tuple(lock.encode() for lock in self.locks)))
        fields += [
            (f"app.config of rule {n}", (rule.config,))
            for n, rule in enumerate(self.apps)
        ]
        return tuple(
            f"{name}: {reason}"
            for name, values in fields
            for value in values
            if (reason := why_not_checked(value)) is not None
        )


@dataclass(frozen=True)
class ReferenceValues(Record):
    """What a provider says that good registers hold, to make policies from."""

    TYPE = "strongroom/reference-values/v1"

    provider: str
    suite: str
    registers: dict[str, tuple[bytes, ...]]


def _is_lock_or_open(lock: str) -> bool:
    return lock in LOCKS or why_not_checked(lock) is not None
