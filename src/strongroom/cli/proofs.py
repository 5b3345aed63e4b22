# SPDX-License-Identifier: Apache-2.0
"""What verified evidence says, check by check, and what no evidence can say."""

from typing import TYPE_CHECKING

from strongroom.cli.views import Check, comma, iso, short
from strongroom.cli.words import say
from strongroom.core.rats import Trust
from strongroom.services.attestation import verify_evidence

if TYPE_CHECKING:
    from strongroom.application.cleanroom.room import Room
    from strongroom.client.broker import VerifiedBroker
    from strongroom.client.home import PartyPolicy
    from strongroom.client.receipts import VerifiedReceipt
    from strongroom.core.rats import AppClaims, PlatformClaims

SIMULATED, TPM2 = "simulated", "tpm2"


_SOFTWARE_TPM = "SW"
"""How swtpm calls itself among its vendor strings."""


def grade_of(kind: str, model: str = "") -> str:
    """Return what the hardware part of evidence of this kind rests on.

    A TPM leaves isolation to the kernel; one that is software, or that does not say
    what it is, is graded as simulated.
    """
    if kind == TPM2:
        return "OS" if model and _SOFTWARE_TPM not in model.split() else "SIM"
    return "SIM" if kind == SIMULATED else "HW"


def unproved(kind: str, unchecked: tuple[str, ...] = ()) -> list[str]:
    """Return what evidence of this kind leaves open, in words."""
    rows = []
    if kind == SIMULATED:
        rows.append(
            say(
                "that the machine's owner cannot look inside: the hardware is simulated"
            )
        )
    if kind == TPM2:
        rows.append(
            say(
                "that the machine's operator cannot look inside: a TPM shields no "
                "memory, and this one may be a program"
            )
        )
    rows += [
        say("that the app is a good one: the parties approve it by its measurement"),
        say("that the data are true"),
        say("that the room will go on answering"),
    ]
    return rows + list(unchecked)


def broker_checks(
    found: "VerifiedBroker", room: "Room", policy: "PartyPolicy", now: int
) -> list[Check]:
    """Return what was checked of a broker whose appraisal went well."""
    platform, app = verify_evidence(found.evidence, Trust(room.endorsements), now=now)
    checks = evidence_checks(platform, app, policy.max_platform_age_s, now)
    if app is None:
        return checks
    bound = say("the evidence binds the keys of room {id}", id=short(found.id))
    return [*checks, Check("keys", bound)]


def evidence_checks(
    platform: "PlatformClaims", app: "AppClaims | None", most: int, now: int
) -> list[Check]:
    """Return what was checked of evidence whose appraisal went well.

    Args:
        platform: of the verified evidence.
        app: of the same; None for a platform by itself.
        most: how old platform evidence may be, seconds.
        now: Unix seconds.
    """
    grade = grade_of(platform.kind, platform.model)
    kind = f"{platform.kind} ({platform.model})" if platform.model else platform.kind
    age = say(
        "{age} s, at most {most} s are accepted",
        age=max(0, now - platform.issued_at),
        most=most,
    )
    registers = comma(
        [f"{each.name} {short(each.value)}" for each in platform.registers]
    )
    checks = [
        Check("platform", f"{kind}, {say('signed by a root of the room')}", grade),
        Check("device", platform.device_id.hex(), grade),
        Check("firmware", f"SVN {platform.firmware_svn}", grade),
        Check("registers", registers, grade),
        Check("age of platform evidence", age, grade),
        Check("debugging", say("on") if platform.debug else say("off"), grade),
    ]
    if app is None:
        return checks
    return [
        *checks,
        Check("locks", comma(app.locks), "OS"),
        Check("app", f"{app.product} SVN {app.svn}, {short(app.measurement)}", grade),
        Check("configuration", short(app.config), grade),
        Check("memory", f"{app.memory_bytes} B", "OS"),
        Check("challenge", say("fresh, answered at {time}", time=iso(app.issued_at))),
    ]


def receipt_checks(found: "VerifiedReceipt") -> list[Check]:
    """Return what was checked of a receipt that holds."""
    receipt, app, gone = found.receipt, found.app, found.destruction
    grade = grade_of(found.result.kind)
    return [
        Check(
            "platform",
            f"{found.result.kind}, {say('signed by a root of the room')}",
            grade,
        ),
        Check("app", f"{app.product} SVN {app.svn}, {short(app.measurement)}", grade),
        Check("locks", comma(app.locks), "OS"),
        Check(
            "receipt", say("signed by the enclave of attempt {n}", n=receipt.attempt)
        ),
        Check("inputs", comma([short(each) for each in receipt.inputs])),
        Check("time", f"{iso(receipt.started_at)} - {iso(receipt.finished_at)}"),
        Check(
            "destroyed",
            say(
                "enclave {id} is gone since {time}",
                id=short(gone.enclave_id),
                time=iso(gone.destroyed_at),
            ),
            grade,
        ),
        Check(
            "log",
            say(
                "entry {index} of {size}, proved under the signed checkpoint",
                index=found.log_index,
                size=found.log_size,
            ),
        ),
    ]
