# SPDX-License-Identifier: Apache-2.0
"""Policy over hardware claims: one language for all kinds of hardware.

What a policy does not allow is refused: debug-enabled hardware always, kinds and TCB
statuses unless they are named. What runs (the launch measurement) is compared by a
rule, or the policy says that it is not, and why: leaving it out is no way to say it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

ACCEPTED_TCB = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
)
"""TCB statuses of a platform that its owner keeps up to date (Intel's words)."""

MAX_TIME = 253_402_300_799
"""The end of the year 9999: the last second that a date can name."""

NEVER_ACCEPTED = "Revoked"
"""The TCB status that no policy can accept."""

Scalar: TypeAlias = str | int | bool
"""What a claim is compared with: text (bytes in hex), a number, or yes and no."""

Check = Literal[
    "is",
    "one_of",
    "none_of",
    "at_least",
    "at_most",
    "bits_set",
    "bits_clear",
    "reference",
]

LAUNCH: dict[str, tuple[str, ...]] = {
    "arm-cca": ("measurements.rim",),
    "az-snp-vtpm": ("measurements.pcr",),
    "az-tdx-vtpm": ("measurements.pcr",),
    "hygon-csv": ("measurements.measure",),
    "nitro": ("measurements.pcr",),
    "nvidia-gpu": ("measurements.measurement",),
    "sev-snp": ("measurements.measurement",),
    "sgx": ("measurements.mr_enclave", "measurements.mr_signer"),
    "tdx": ("measurements.mr_td",),
    "tpm2": ("measurements.pcr",),
}
"""By kind, the claims that say what was started; one of them has to be accounted for.

"ra-tls" says it by the evidence inside; "ibm-se" does not say it at all."""

CONTAINED: dict[str, tuple[str, ...]] = {
    "az-snp-vtpm": ("sev-snp",),
    "az-tdx-vtpm": ("tdx",),
    "ra-tls": ("arm-cca", "hygon-csv", "nitro", "sev-snp", "sgx", "tdx", "tpm2"),
}
"""By kind, what evidence of it may have inside."""

_ROOTS = (
    "bound",
    "bound_as",
    "device",
    "fields",
    "format",
    "issued_at",
    "key",
    "measurements",
    "svns",
    "tcb",
)
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_MANY = ("one_of", "none_of")
_NAMING = ("is", "one_of", "reference")
"""Checks that say what a launch measurement is, not only what it is not."""
_MAX_PATH, _KEY_ID_BYTES = 256, 32


@dataclass(frozen=True, kw_only=True)
class ClaimRule(Record):
    """One claim and what it has to be; a claim that is absent does not pass.

    Args:
        id: names the rule in findings, lower-case.
        kinds: the kinds of hardware that it is about; none: every kind.
        claim: path of the claim, `measurements.mr_td`, `fields.policy`, `tcb.date`.
        check: how it is compared. `is`, `one_of`, `none_of`: equal, hex in either
            case; of a list every element. `at_least`, `at_most`: numbers.
            `bits_set`, `bits_clear`: a mask, a number or hex as long as the claim, byte
            by byte as the claim is written. `reference`: any value of that name that
            is valid at the time.
        values: what it is compared with; one, or for `one_of`, `none_of` some.
        remedy: what to do where it does not hold; the usual one where it is "".
    """

    id: str
    kinds: tuple[str, ...] = ()
    claim: str
    check: Check
    values: tuple[Scalar, ...]
    remedy: str = ""

    def __post_init__(self) -> None:
        _require_id(self.id)
        _require_path(self.claim, f"rule {self.id}")
        one = len(self.values) == 1
        if not (one or (self.values and self.check in _MANY)):
            message = f"rule {self.id}: {self.check} has one value, not more or none"
            raise Malformed(message)
        if not all(_fits(self.check, value) for value in self.values):
            message = f"rule {self.id}: {self.check} cannot have this value"
            raise Malformed(message)

    def concerns(self, kind: str) -> bool:
        """Whether the rule is about hardware of this kind."""
        return not self.kinds or kind in self.kinds


@dataclass(frozen=True, kw_only=True)
class NotChecked(Record):
    """A claim that a policy leaves open, with the reason, which every result repeats.

    `claim` may be the beginning of a path: "measurements" stands for all of them.
    """

    kinds: tuple[str, ...] = ()
    claim: str
    reason: str

    def __post_init__(self) -> None:
        _require_path(self.claim, "not_checked")
        if not self.reason.strip():
            message = f"say why {self.claim} is not checked"
            raise Malformed(message)

    def concerns(self, kind: str) -> bool:
        """Whether it is left open for hardware of this kind."""
        return not self.kinds or kind in self.kinds


@dataclass(frozen=True, kw_only=True)
class TcbException(Record):
    """TCB statuses accepted beside the usual ones, for a while and for a reason.

    Args:
        kinds: as in `ClaimRule`.
        statuses: as the vendor spells them.
        advisories: the only advisories that such a platform may have.
        until: Unix seconds; from then on it is not accepted any more.
        reason: why, for whoever reads the results.
    """

    kinds: tuple[str, ...] = ()
    statuses: tuple[str, ...]
    advisories: tuple[str, ...]
    until: int
    reason: str

    def __post_init__(self) -> None:
        timed = 0 <= self.until <= MAX_TIME
        if not self.statuses or not self.reason.strip() or not timed:
            message = "an exception has TCB statuses, an end and a reason"
            raise Malformed(message)
        _require_no_revoked(self.statuses)

    def covers(
        self, kind: str, status: str, advisories: Iterable[str], now: int
    ) -> bool:
        """Whether a platform of this status is accepted at `now`."""
        return (
            (not self.kinds or kind in self.kinds)
            and status in self.statuses
            and set(advisories) <= set(self.advisories)
            and now < self.until
        )


@dataclass(frozen=True, kw_only=True)
class HardwarePolicy(Record):
    """What `owner` expects of hardware.

    Args:
        owner: whose rules these are; every finding names them.
        kinds: kinds of hardware that are accepted, each by name.
        inner_kinds: kinds that are accepted inside other evidence only.
        tcb_statuses: accepted where a kind has a TCB status.
        tcb_exceptions: accepted beside them, for a while.
        rules: what claims have to be, each compared, whatever the others said.
        not_checked: launch measurements (and others) that are left open.
        reference_signers: ids of the keys whose reference values count.
        min_reference_version: sets of reference values older than that do not count.
    """

    TYPE = "strongroom/hardware-policy/v2"

    owner: str
    kinds: tuple[str, ...]
    inner_kinds: tuple[str, ...] = ()
    tcb_statuses: tuple[str, ...] = ACCEPTED_TCB
    tcb_exceptions: tuple[TcbException, ...] = ()
    rules: tuple[ClaimRule, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    reference_signers: tuple[bytes, ...] = ()
    min_reference_version: int = 0

    def __post_init__(self) -> None:
        if not self.owner or not self.kinds:
            message = "a policy has an owner and accepts some kind of hardware"
            raise Malformed(message)
        _require_no_revoked(self.tcb_statuses)
        self._require_rules()
        for kind in (*self.kinds, *self.inner_kinds):
            self._require_launch(kind)

    def _require_rules(self) -> None:
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) != len(ids):
            message = "two rules of a policy have one id"
            raise Malformed(message)
        named = [each.kinds for each in self.rules]
        named += [each.kinds for each in self.not_checked]
        named += [each.kinds for each in self.tcb_exceptions]
        odd = {kind for kinds in named for kind in kinds}
        odd -= {*self.kinds, *self.inner_kinds}
        if odd:
            message = f"rules about kinds that are not accepted: {sorted(odd)}"
            raise Malformed(message)
        if any(len(each) != _KEY_ID_BYTES for each in self.reference_signers):
            message = f"reference_signers are key ids of {_KEY_ID_BYTES} bytes"
            raise Malformed(message)
        by_reference = any(rule.check == "reference" for rule in self.rules)
        if by_reference and not self.reference_signers:
            message = "a policy with reference values names whose count"
            raise Malformed(message)

    @classmethod
    def default(cls, owner: str, kinds: tuple[str, ...]) -> Self:
        """Return a policy on state alone: debug, TCB, what is bound; not what runs.

        Evidence of these kinds may have inside what its kind has.
        """
        inner = {each for kind in kinds for each in CONTAINED.get(kind, ())}
        reason = "no reference values were given; any program on this hardware passes"
        return cls(
            owner=owner,
            kinds=kinds,
            inner_kinds=tuple(sorted(inner - set(kinds))),
            not_checked=(NotChecked(claim="measurements", reason=reason),),
        )

    def accepts(self, kind: str, *, inside: bool) -> bool:
        """Whether hardware of this kind is wanted, by itself or inside other."""
        return kind in self.kinds or (inside and kind in self.inner_kinds)

    def rules_for(self, kind: str) -> tuple[ClaimRule, ...]:
        """Return the rules about hardware of this kind."""
        return tuple(rule for rule in self.rules if rule.concerns(kind))

    def unchecked_for(self, kind: str) -> tuple[str, ...]:
        """Return what is left open for this kind, each with its reason."""
        return tuple(
            f"{kind}.{each.claim}: {each.reason}"
            for each in self.not_checked
            if each.concerns(kind)
        )

    def names_launch(self, kind: str) -> bool:
        """Whether a rule says what may have been started on hardware of this kind."""
        rules = self.rules_for(kind)
        ruled = [rule.claim for rule in rules if rule.check in _NAMING]
        wanted = LAUNCH.get(kind, ())
        return any(_within(claim, path) for claim in ruled for path in wanted)

    def _require_launch(self, kind: str) -> None:
        wanted = LAUNCH.get(kind)
        if wanted is None or self.names_launch(kind):
            return
        left = (each.claim for each in self.not_checked if each.concerns(kind))
        if any(_within(path, claim) for claim in left for path in wanted):
            return
        message = (
            f"a policy that accepts {kind} says what {' or '.join(wanted)} is ("
            f"{', '.join(_NAMING)}), or in not_checked why it does not"
        )
        raise Malformed(message)


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}.")


def _fits(check: Check, value: Scalar) -> bool:
    number = type(value) is int
    if check in ("at_least", "at_most"):
        return number
    if check in ("bits_set", "bits_clear"):
        if isinstance(value, str):
            return bool(_HEX.fullmatch(value))
        return number and value >= 0
    return check != "reference" or (isinstance(value, str) and bool(value))


def _require_id(identifier: str) -> None:
    if not _ID.fullmatch(identifier):
        message = f"a rule's id is lower-case-with-dashes, not {identifier[:64]!r}"
        raise Malformed(message)


def _require_path(path: str, where: str) -> None:
    parts = path.split(".")
    if parts[0] not in _ROOTS or not all(parts) or len(path) > _MAX_PATH:
        message = f"{where}: {path[:64]!r} is no claim; one begins with " + ", ".join(
            _ROOTS
        )
        raise Malformed(message)


def _require_no_revoked(statuses: tuple[str, ...]) -> None:
    if NEVER_ACCEPTED in statuses:
        message = "no policy accepts a platform whose TCB is revoked"
        raise Malformed(message)
