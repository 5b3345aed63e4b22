# SPDX-License-Identifier: Apache-2.0
"""`strongroom attest reference`: reference values, from approval to withdrawal."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.arguments import usage_error
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.given import At, hex_bytes, instant
from strongroom.cli.output import Facts, Grid, Line
from strongroom.cli.views import duration, iso, moment, short
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.core.codec.keys import PublicKey
    from strongroom.core.rats.hardware_policy import Scalar
    from strongroom.core.rats.reference_values import ReferenceValue, ReferenceValueSet
    from strongroom.management.keys import Identity

group, attach = noun("Reference values: who approved which, from when until when.")

File = Annotated[Path, typer.Argument(help="Signed set of reference values.")]
Name = Annotated[str, typer.Option(help="What policies call the value.")]
Claim = Annotated[
    str, typer.Option(help="Path of the claim, as measurements.mr_td or svns.isv_svn.")
]
Hex = Annotated[str | None, typer.Option("--value", help="The value, in hex.")]
Number = Annotated[int | None, typer.Option(help="The value, where it is a number.")]
Provider = Annotated[str, typer.Option(help="Who made what is measured.")]
Artefact = Annotated[
    str, typer.Option(help="What the value was computed from, or how it was learnt.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Kind of hardware, as tdx or sev-snp; repeatable."),
]
From = Annotated[
    str | None,
    typer.Option("--from", help="When it begins to count; now if not given."),
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="When it ends: a date, or a duration like 30d."),
]


@command(group, "add")
def add_value(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    file: File,
    *,
    name: Name,
    claim: Claim,
    value: Hex = None,
    number: Number = None,
    provider: Provider,
    artefact: Artefact,
    kind: Kinds = None,
    begin: From = None,
    until: Until = None,
) -> None:
    """Approve a value; the set is made if the file is not there."""
    from strongroom.core.rats.reference_values import (  # noqa: PLC0415
        add,
        first_version,
    )

    identity, now = desk.home.unlock(desk.passphrase()), desk.now()
    wanted = (name, claim, _scalar(value, number), provider, artefact)
    new = replace(
        _approved(wanted, kind, identity, now),
        valid_from=instant(begin) if begin else now,
        valid_until=moment(until, now) if until else None,
    )
    if file.exists():
        made = add(_own(file, identity), new, now)
    else:
        made = first_version(identity.public.name, identity.public.sign, [new], now)
    _write(desk, file, made, identity)


@command(group, "supersede")
def supersede_value(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    file: File,
    *,
    name: Name,
    claim: Claim,
    value: Hex = None,
    number: Number = None,
    provider: Provider,
    artefact: Artefact,
    kind: Kinds = None,
    overlap: Annotated[
        str, typer.Option(help="How long the old values still count, such as 14d.")
    ],
) -> None:
    """Approve a value instead of those before it, which end after an overlap."""
    from strongroom.core.rats.reference_values import supersede  # noqa: PLC0415

    identity, now = desk.home.unlock(desk.passphrase()), desk.now()
    wanted = (name, claim, _scalar(value, number), provider, artefact)
    new = _approved(wanted, kind, identity, now)
    old = _own(file, identity)
    made = supersede(old, new, now + duration(overlap), now)
    _write(desk, file, made, identity)


@command(group, "withdraw")
def withdraw_value(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    file: File,
    *,
    name: Name,
    value: Hex = None,
    number: Number = None,
    every: Annotated[
        bool, typer.Option("--all", help="All values of that name.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; whoever is refused reads it.")],
) -> None:
    """Withdraw a value at once, with the reason; it cannot come back."""
    from strongroom.core.rats.reference_values import withdraw  # noqa: PLC0415

    which = None if every else _scalar(value, number)
    identity, now = desk.home.unlock(desk.passphrase()), desk.now()
    made = withdraw(_own(file, identity), name, which, reason, now)
    _write(desk, file, made, identity)


@command(group, "list")
def list_values(desk: Desk, file: File, *, time: At = None) -> None:
    """List the values of a set, with who approved them and what they count for."""
    from strongroom.core.rats.reference_values import open_references  # noqa: PLC0415

    found = open_references(file.read_bytes())
    now = instant(time) if time else desk.now()
    _show(desk, found.values, now)


def _approved(
    wanted: "tuple[str, str, Scalar, str, str]",
    kinds: list[str] | None,
    identity: "Identity",
    now: int,
) -> "ReferenceValue":
    """Return a value that this party approves of and that counts from now on.

    Args:
        wanted: name, claim, value, provider and artefact.
        kinds: of hardware; None for all.
        identity: who approves.
        now: Unix seconds.
    """
    from strongroom.core.rats.reference_values import ReferenceValue  # noqa: PLC0415

    name, claim, value, provider, artefact = wanted
    return ReferenceValue(
        name=name,
        claim=claim,
        value=value,
        kinds=tuple(kinds or ()),
        provider=provider,
        artefact=artefact,
        approved_by=identity.signing.public.key_id,
        approved_at=now,
        valid_from=now,
    )


def _scalar(value: str | None, number: int | None) -> "Scalar":
    if (value is None) == (number is None):
        raise usage_error(say("say --value or --number, one of them"))
    return hex_bytes(value, "--value").hex() if value is not None else int(number or 0)


def _own(file: Path, identity: "Identity") -> "ReferenceValueSet":
    """Return the set in a file, if this identity's key signed it."""
    from strongroom.core.rats.reference_values import open_references  # noqa: PLC0415
    from strongroom.errors import Untrusted  # noqa: PLC0415

    found = open_references(file.read_bytes())
    if found.signer != identity.signing.public.key_id:
        raise Untrusted.because(
            "reference.signer",
            found.values.owner,
            expected=f"a set of {identity.public.name}",
            got=f"one that key {found.signer.hex()} signed",
            remedy="Keep your own set in another file; a policy may count several.",
        )
    return found.values


def _write(
    desk: Desk, file: Path, values: "ReferenceValueSet", identity: "Identity"
) -> None:
    from strongroom.core.rats.reference_values import sign_references  # noqa: PLC0415

    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(sign_references(identity.signing, values))
    fresh.replace(file)
    _show(desk, values, desk.now())


def _show(desk: Desk, values: "ReferenceValueSet", now: int) -> None:
    signer: PublicKey = values.signer
    value = {
        "owner": values.owner,
        "signer": signer.key_id.hex(),
        "version": values.version,
        "issued_at": iso(values.issued_at),
        "values": [_value(each, now) for each in values.values],
    }
    rows = [
        ("owner", values.owner),
        ("signer", signer.key_id.hex()),
        ("version", values.version),
        ("issued", iso(values.issued_at)),
    ]
    table = [
        (
            each.name,
            each.claim,
            short(str(each.value)),
            _state(each, now),
            iso(each.valid_from),
            iso(each.valid_until) if each.valid_until is not None else "",
            each.provider,
            each.artefact,
        )
        for each in values.values
    ]
    columns = (
        "name",
        "claim",
        "value",
        "state",
        "from",
        "until",
        "provider",
        "artefact",
    )
    note = say("A policy counts them if its reference_signers name the signer.")
    desk.printer.show(
        value,
        Facts("Reference values", rows),
        Grid("Values", columns, table),
        Line(note),
    )


_TITLES = {
    "valid": "valid",
    "not yet valid": "not yet valid",
    "expired": "expired",
    "withdrawn": "withdrawn",
}


def _state(value: "ReferenceValue", now: int) -> str:
    state = say(_TITLES[value.state(now)])
    return f"{state}: {value.withdrawn.reason}" if value.withdrawn else state


def _value(each: "ReferenceValue", now: int) -> dict[str, object]:
    gone = each.withdrawn
    end = each.valid_until
    return {
        "name": each.name,
        "claim": each.claim,
        "value": each.value,
        "kinds": list(each.kinds),
        "provider": each.provider,
        "artefact": each.artefact,
        "approved_by": each.approved_by.hex(),
        "approved_at": iso(each.approved_at),
        "valid_from": iso(each.valid_from),
        "valid_until": iso(end) if end is not None else None,
        "state": each.state(now),
        "withdrawn": gone
        and {"by": gone.by.hex(), "at": iso(gone.at), "reason": gone.reason},
    }
