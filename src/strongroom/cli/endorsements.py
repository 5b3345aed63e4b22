# SPDX-License-Identifier: Apache-2.0
"""`strongroom endorsements`: what vendors publish for verifiers, kept offline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Grid, Line
from strongroom.cli.views import iso, short
from strongroom.cli.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.core.crypto import VerifyingKey
    from strongroom.management.endorsements import Document, EndorsementStore

group, attach = noun("Vendors' endorsements, kept offline: import, list, refresh.")
SOURCES = "sources.toml"
_DAY_S = 86_400
_TITLES = {"new": "new", "unchanged": "unchanged", "failed": "failed"}

Store = Annotated[
    Path | None,
    typer.Option("--store", help="The store; `endorsements` in the home if not given."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Kind of hardware, as tdx or sev-snp; repeatable."),
]


@command(group, "import")
def import_(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    paths: Annotated[
        list[Path], typer.Argument(help="Files, folders of documents, case folders.")
    ],
    *,
    store: Store = None,
    kind: Kinds = None,
    role: Annotated[
        str | None,
        typer.Option(help="Role of a single file; its name's first part otherwise."),
    ] = None,
    anchors: Annotated[
        bool,
        typer.Option("--anchors", help="Take roots too: I have compared them myself."),
    ] = False,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="The files are bundles of `export`.")
    ] = False,
    signer: Annotated[
        Path | None,
        typer.Option(help="Public identity of who must have signed the bundles."),
    ] = None,
) -> None:
    """Take endorsements into the store; roots only with --anchors."""
    from strongroom.management.endorsements import (  # noqa: PLC0415
        import_bundle,
        read_sources,
    )

    held, now = _store(desk, store), desk.now()
    new: list[Document] = []
    for path in paths:
        if bundle:
            who = _signer(signer)
            data = path.read_bytes()
            new += import_bundle(held, data, now, signer=who, anchors=anchors)
        else:
            documents = read_sources(path, kind or [], role)
            new += held.add(documents, now, anchors=anchors)
    done = say("{count} endorsements are new in the store.", count=len(new))
    _show(desk, new, Line(done, "green"))


@command(group, "revoke")
def revoke(
    desk: Desk,
    keys: Annotated[
        list[str],
        typer.Argument(
            help="Ids in hex, or files with a certificate or a public key each."
        ),
    ],
    *,
    store: Store = None,
    kind: Kinds = None,
) -> None:
    """Refuse keys from now on, for every kind of evidence unless kinds are given."""
    from strongroom.hardware.registry import HARDWARE, VERIFIERS  # noqa: PLC0415
    from strongroom.management.endorsements import revocation  # noqa: PLC0415

    kinds = kind or [*HARDWARE, *VERIFIERS]
    documents = [revocation(key, kinds) for key in keys]
    new = _store(desk, store).add(documents, desk.now(), anchors=False)
    done = say("{count} keys are revoked that were not before.", count=len(new))
    _show(desk, new, Line(done, "green"))


@command(group, "export")
def export(
    desk: Desk,
    file: Annotated[Path, typer.Argument(help="Where to write the bundle.")],
    *,
    store: Store = None,
    kind: Kinds = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign it as the party of this home.")
    ] = False,
) -> None:
    """Write the store into one file, for a machine behind an air gap."""
    from strongroom.management.endorsements import export_bundle  # noqa: PLC0415

    key = desk.home.unlock(desk.passphrase()).signing if sign else None
    data = export_bundle(_store(desk, store), desk.now(), kinds=kind or (), key=key)
    file.write_bytes(data)
    done = say("The endorsements are in {file}.", file=file)
    value = {"file": str(file), "bytes": len(data), "signed": sign}
    desk.printer.show(value, Line(done))


@command(group, "list")
def list_(desk: Desk, *, store: Store = None, kind: Kinds = None) -> None:
    """List the store, with the days that each endorsement has left."""
    found = [
        each
        for each in _store(desk, store).index().documents
        if not kind or set(kind) & set(each.kinds)
    ]
    _show(desk, found)


@command(group, "prune")
def prune(desk: Desk, *, store: Store = None) -> None:
    """Remove what has expired, roots apart."""
    gone = _store(desk, store).prune(desk.now())
    done = say("{count} endorsements were removed.", count=len(gone))
    _show(desk, gone, Line(done))


@command(group, "remove")
def remove(
    desk: Desk,
    digest: Annotated[str, typer.Argument(help="SHA-256 of the document, in hex.")],
    *,
    store: Store = None,
) -> None:
    """Remove one endorsement, a root too."""
    from strongroom.errors import NotFound  # noqa: PLC0415

    gone = _store(desk, store).remove(digest)
    if not gone:
        message = say("the store has no endorsement {digest}", digest=digest)
        raise NotFound(message)
    done = say("{count} endorsements were removed.", count=len(gone))
    _show(desk, gone, Line(done))


@command(group, "refresh")
def refresh(
    desk: Desk,
    *,
    store: Store = None,
    sources: Annotated[
        Path | None,
        typer.Option(help="What to fetch; sources.toml in the store if not given."),
    ] = None,
) -> None:
    """Fetch what a sources file names; off unless that file says enabled = true."""
    from strongroom.client.endorsement_refresh import (  # noqa: PLC0415
        HttpFetcher,
        refresh as run,
    )
    from strongroom.client.endorsement_sources import read_wanted  # noqa: PLC0415

    folder = _folder(desk, store)
    wanted = read_wanted(sources or folder / SOURCES)
    fetcher = HttpFetcher()
    try:
        done = run(_store(desk, store), wanted, fetcher, desk.now())
    finally:
        fetcher.close()
    value = {"documents": [vars(each) for each in done]}
    cells = [
        (each.role, say(_TITLES[each.outcome]), each.url, each.error) for each in done
    ]
    desk.printer.show(
        value, Grid("Endorsements", ("role", "outcome", "source", "why"), cells)
    )
    if any(each.outcome == "failed" for each in done):
        raise typer.Exit(1)


def _folder(desk: Desk, store: Path | None) -> Path:
    from strongroom.client.home import ENDORSEMENTS  # noqa: PLC0415

    return store or desk.root / ENDORSEMENTS


def _store(desk: Desk, store: Path | None) -> "EndorsementStore":
    from strongroom.management.endorsements import EndorsementStore  # noqa: PLC0415

    return EndorsementStore(_folder(desk, store))


def _signer(file: Path | None) -> "VerifyingKey | None":
    from strongroom.management.keys import PublicIdentity  # noqa: PLC0415

    if file is None:
        return None
    return PublicIdentity.from_bytes(file.read_bytes()).verifying


def _show(desk: Desk, documents: "Sequence[Document]", *before: Line) -> None:
    now = desk.now()
    values = [
        {
            "digest": each.digest,
            "role": each.role,
            "kinds": list(each.kinds),
            "subject": each.subject,
            "source": each.source,
            "imported_at": iso(each.imported_at),
            "not_after": None if each.not_after is None else iso(each.not_after),
            "days_left": _days(each, now),
            "expired": each.expired(now),
        }
        for each in documents
    ]
    cells = [
        (
            short(each.digest),
            each.role,
            ", ".join(each.kinds),
            each.subject,
            "-" if each.not_after is None else iso(each.not_after),
            say("expired") if each.expired(now) else _left(each, now),
            each.source,
        )
        for each in documents
    ]
    columns = ("digest", "role", "kinds", "subject", "until", "days left", "source")
    grid = Grid("Endorsements", columns, cells)
    desk.printer.show({"documents": values}, *before, grid)


def _days(document: "Document", now: int) -> int | None:
    return None if document.not_after is None else (document.not_after - now) // _DAY_S


def _left(document: "Document", now: int) -> object:
    days = _days(document, now)
    return "-" if days is None else days
