# SPDX-License-Identifier: Apache-2.0
"""`strongroom app`: start, try, build, inspect and register a program (R-ALG)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import arguments
from strongroom.cli.calling import add_call
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Block, Facts, Grid, Line
from strongroom.cli.rows import maps
from strongroom.cli.serving import add_serve
from strongroom.cli.views import comma, short, size
from strongroom.cli.words import say
from strongroom.errors import Malformed

if TYPE_CHECKING:
    from strongroom.core.codec.bundle import EntryPoint, Manifest

group, attach = noun("Apps: start one, try it, build, register; serve one, call it.")
add_serve(group)
add_call(group)
Folder = Annotated[Path, typer.Argument(help="The app's folder.")]
BundleFile = Annotated[Path, typer.Argument(help="The bundle.")]


@command(group, "new")
def new(
    desk: Desk,
    folder: Folder,
    *,
    service: Annotated[
        bool,
        typer.Option("--service", help="An app that serves clients, not tasks."),
    ] = False,
) -> None:
    """Write a small example app that runs, to start from."""
    from strongroom.cli.example import write_example, write_service  # noqa: PLC0415

    if service:
        files = write_service(folder)
        hint = say(
            "Build it: `strongroom app build {folder}`; then run it: "
            "`strongroom app serve {folder}.bundle`.",
            folder=folder,
        )
    else:
        files = write_example(folder)
        hint = say(
            "Try it: `strongroom app try {folder} --input records={folder}/.try.csv "
            "--value column='\"age\"'`.",
            folder=folder,
        )
    value = {"folder": str(folder), "files": files}
    desk.printer.show(
        value, Facts("App", [("folder", folder), ("files", comma(files))])
    )
    desk.printer.remark(Line(hint, "dim"))


@command(group, "build")
def build(
    desk: Desk,
    folder: Folder,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Bundle; FOLDER.bundle if not given."),
    ] = None,
    encrypt: Annotated[
        bool,
        typer.Option("--encrypt", help="Keep the code secret; the key stays here."),
    ] = False,
) -> None:
    """Make and sign a bundle: the same folder gives the same measurement anywhere."""
    from strongroom.client.build import build_bundle  # noqa: PLC0415

    target = output or _beside(folder)
    bundle, key = build_bundle(folder, desk.session.identity, encrypt=encrypt)
    if key:
        desk.home.keep_key(bundle.manifest.measurement.hex(), key)
    target.write_bytes(bundle.to_bytes())
    _show(desk, bundle.manifest, bundle.signer.key_id, target)


@command(group, "approve-upgrade")
def approve_upgrade(
    desk: Desk,
    old: Annotated[Path, typer.Argument(help="Bundle that sealed the data.")],
    new: Annotated[Path, typer.Argument(help="Bundle that may open it from now on.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write the approval.")
    ],
) -> None:
    """Let one app open what another of the same signer sealed; name both, and sign."""
    from strongroom.client.apps import approve  # noqa: PLC0415
    from strongroom.core.codec.bundle import Bundle  # noqa: PLC0415

    before, after = (
        Bundle.from_bytes(each.read_bytes()).verify() for each in (old, new)
    )
    output.write_bytes(approve(desk.session.identity.signing, before, after))
    measured = [each.measurement.hex() for each in (before, after)]
    value = {"old": measured[0], "new": measured[1], "approval": str(output)}
    rows: list[tuple[str, object]] = [
        ("sealed by", short(before.measurement)),
        ("opens for", short(after.measurement)),
        ("approval", output),
    ]
    desk.printer.show(value, Facts("Approval of an upgrade", rows))


@command(group, "inspect")
def inspect(desk: Desk, bundle: BundleFile) -> None:
    """Verify a bundle's signature and show what the app is and what may leave it."""
    from strongroom.core.codec.bundle import Bundle  # noqa: PLC0415

    found = Bundle.from_bytes(bundle.read_bytes())
    found.verify()
    _show(desk, found.manifest, found.signer.key_id, bundle)


@command(group, "register")
def register(  # noqa: PLR0913 - the usage policy in options
    desk: Desk,
    bundle: BundleFile,
    *,
    purpose: arguments.Purposes = None,
    entry_point: arguments.EntryPoints = None,
    recipient: arguments.Recipients = None,
    field: arguments.Fields = None,
    max_uses: arguments.MaxUses = None,
    until: arguments.Until = "365d",
    policy: arguments.PolicyFile = None,
) -> None:
    """Verify the room and register an app; secret code with the policy of its key."""
    from strongroom.client.apps import register_app  # noqa: PLC0415
    from strongroom.core.codec.bundle import Bundle  # noqa: PLC0415

    manifest = Bundle.from_bytes(bundle.read_bytes()).verify().manifest
    app = manifest.measurement.hex()
    text = ""
    if manifest.encrypted:
        text = arguments.terms(
            desk,
            purposes=purpose,
            apps=[app],
            entry_points=entry_point,
            recipients=recipient or [arguments.ANY_WORD],
            fields=field or [arguments.ANY_WORD],
            max_uses=max_uses,
            until=until,
            policy=policy,
        )
    elif policy or purpose or entry_point or recipient or field or max_uses:
        message = say("a usage policy protects secret code; this bundle is readable")
        raise arguments.usage_error(message)
    register_app(desk.session, bundle, text)
    desk.printer.show(
        {"app": app, "measurement": app, "name": manifest.name, "policy": text},
        Line(say("Registered."), "green"),
        Facts("App", [("measurement", app)]),
    )


@command(group, "list")
def list_(desk: Desk) -> None:
    """List your apps in the room, and those of agreements that concern you."""
    from strongroom.core.codec.bundle import Manifest  # noqa: PLC0415

    values, cells = [], []
    for row in maps(desk.session.ask("app.list", {}), "apps"):
        data = row.get("manifest")
        if not isinstance(data, bytes):
            message = "the broker's apps have no manifest"
            raise Malformed(message)
        manifest = Manifest.from_bytes(data)
        app, owner, uses = manifest.measurement.hex(), row["owner_name"], row["uses"]
        kept = {k: row[k] for k in ("signer", "owner", "owner_name", "policy", "uses")}
        values.append({**_value(manifest), **kept})
        entries = comma([each.name for each in manifest.entry_points])
        cells.append((short(app), manifest.name, entries, owner, uses))
    columns = ("measurement", "name", "entry points", "owner", "uses")
    desk.printer.show({"apps": values}, Grid("Apps", columns, cells))


@command(group, "try")
def try_(
    desk: Desk,
    folder: Folder,
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="A dataset: NAME=FILE; may be repeated."),
    ] = None,
    value: arguments.Values = None,
    entry_point: Annotated[
        str | None, typer.Option(help="Entry point; may be left out if there is one.")
    ] = None,
) -> None:
    """Run an app here on your own data, without a room, and check what it returns."""
    from strongroom.cli.extras import needs  # noqa: PLC0415

    with needs("apps"):
        from strongroom.cli.trial import run_trial  # noqa: PLC0415
    files = [(name, Path(path)) for name, path in arguments.pairs(inputs, "--input")]
    values = arguments.json_values(value)
    output = run_trial(desk, folder, entry_point, files, values)
    text = output.data.decode("utf-8", "replace").rstrip()
    rows = [
        ("type", output.media_type),
        ("rows", output.rows if output.rows is not None else "-"),
        ("fields", comma(output.columns)),
    ]
    desk.printer.show(
        {
            "media_type": output.media_type,
            "rows": output.rows,
            "fields": list(output.columns),
            "result": text,
        },
        Line(say("The result keeps to the app's output rule:"), "green"),
        Line(text),
        Facts("Result", rows),
    )


def _beside(folder: Path) -> Path:
    place = folder.resolve()
    return place.with_name(f"{place.name}.bundle")


def _value(manifest: "Manifest") -> dict[str, object]:
    """Return a manifest for programs; the digest of every file is in the bundle."""
    return {
        "measurement": manifest.measurement.hex(),
        "name": manifest.name,
        "svn": manifest.svn,
        "suite": manifest.suite,
        "encrypted": manifest.encrypted,
        "memory_bytes": manifest.memory_bytes,
        "threads": manifest.threads,
        "processes": manifest.processes,
        "http": manifest.http,
        "callers": {each.command: list(each.callers) for each in manifest.callers},
        "files": [{"path": f.path, "size": f.size} for f in manifest.files],
        "entry_points": [each.to_value() for each in manifest.entry_points],
    }


def _show(desk: Desk, manifest: "Manifest", signer: bytes, file: Path) -> None:
    rows: list[tuple[str, object]] = [
        ("measurement", manifest.measurement.hex()),
        ("name", f"{manifest.name} (SVN {manifest.svn})"),
        ("suite", manifest.suite),
        ("signed by key", signer.hex()),
        ("code", say("encrypted") if manifest.encrypted else say("readable")),
        ("memory", size(manifest.memory_bytes)),
        ("threads", manifest.threads),
        ("file", file),
    ]
    blocks: list[Block] = [
        Facts("App", rows),
        Grid(
            "Files", ("path", "size"), [(f.path, size(f.size)) for f in manifest.files]
        ),
        *(_entry(each) for each in manifest.entry_points),
    ]
    if manifest.callers:
        lists = [(each.command, comma(each.callers)) for each in manifest.callers]
        blocks.append(Grid("Who may call", ("command", "callers"), lists))
    value = {**_value(manifest), "signer": signer, "bundle": str(file)}
    desk.printer.show(value, *blocks)


def _entry(entry: "EntryPoint") -> Block:
    rule = entry.output
    takes = [f"{p.name}: {p.type}{'*' if p.many else ''}" for p in entry.parameters]
    group_rule = f"{rule.group_column} >= {rule.min_group}" if rule.min_group else "-"
    return Facts(
        say("Entry point {name}", name=entry.name),
        [
            ("function", entry.function),
            ("takes", comma(takes)),
            ("returns", rule.type),
            ("fields that may leave", comma(rule.fields)),
            ("at most", f"{rule.max_rows} {say('rows')}, {size(rule.max_bytes)}"),
            ("smallest group", group_rule),
        ],
    )
