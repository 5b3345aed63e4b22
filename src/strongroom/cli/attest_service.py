# SPDX-License-Identifier: Apache-2.0
"""`strongroom verifier`: run an attestation service, ask one, read what one signed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from strongroom.cli.arguments import Suite, pairs, usage_error
from strongroom.cli.command import command, noun
from strongroom.cli.desk import NO_PASSPHRASE, Desk
from strongroom.cli.errors import Refusal
from strongroom.cli.extras import needs
from strongroom.cli.given import hex_bytes
from strongroom.cli.node import end_on_term
from strongroom.cli.output import Block, Facts, Grid, Line
from strongroom.cli.verifier_policy import (
    Accepted,
    Required,
    RoomOfPlatforms,
    Validity,
    add_policy,
)
from strongroom.cli.views import duration, iso
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.client.attestation import AttestationService
    from strongroom.core.rats.ear import VerifiedEar
    from strongroom.management.keys import PublicIdentity
    from strongroom.node.verifier_folder import VerifierFolder

group, attach = noun("Attestation service: run one, ask one, read its results.")
DEFAULT_PORT = 8760
_TITLES = {
    "affirming": "affirmed",
    "warning": "accepted with a warning",
    "contraindicated": "refused by the verifier",
}
_STYLES = {"affirming": "green", "warning": "yellow", "contraindicated": "red"}

Folder = Annotated[Path, typer.Argument(help="The attestation service's folder.")]
Service = Annotated[
    Path, typer.Option(help="Public identity of the service, pinned beforehand.")
]
Url = Annotated[str, typer.Option(help="Address of the attestation service.")]
Policy = Annotated[str, typer.Option(help="Name of one of the service's policies.")]
Evidence = Annotated[
    list[str] | None,
    typer.Option(
        "--evidence", help="NAME=FILE of evidence or case folder; repeatable."
    ),
]
Nonce = Annotated[str | None, typer.Option(help="The challenge, in hex.")]


@command(group, "init")
def init(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    folder: Folder,
    *,
    name: Annotated[str, typer.Option(help="Name, lower-case-with-dashes.")] = (
        "verifier"
    ),
    suite: Annotated[
        Suite, typer.Option(help="Algorithms: sm (SM2, SM3, SM4) or intl.")
    ] = "intl",
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Do not encrypt the keys at rest.")
    ] = False,
    room: RoomOfPlatforms = None,
    accept: Accepted = None,
    require: Required = None,
    validity: Validity = "5m",
) -> None:
    """Set up an attestation service with one policy, called default."""
    with needs("node"):
        from strongroom.node.verifier_folder import (  # noqa: PLC0415
            VerifierFolder,
            environment_policy,
            room_anchors,
        )
    found = desk.room(room) if room else None
    policy = environment_policy(
        name, found, tuple(accept or ()), tuple(require or ()), duration(validity)
    )
    made = VerifierFolder(folder)
    passphrase = b"" if no_passphrase else desk.passphrase(new=True)
    made.create(name, suite, passphrase)
    if no_passphrase:
        (folder / NO_PASSPHRASE).touch(mode=0o600)
    made.set_policy("default", policy)
    if found is not None:
        made.store.add(room_anchors(found), desk.now(), anchors=True)
    _show_service(desk, made)


@command(group, "show")
def show(desk: Desk, folder: Folder) -> None:
    """Show who the service is; initiators pin the file public."""
    with needs("node"):
        from strongroom.node.verifier_folder import VerifierFolder  # noqa: PLC0415
    _show_service(desk, VerifierFolder(folder))


@command(group, "serve")
def serve(
    desk: Desk,
    folder: Folder,
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = DEFAULT_PORT,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Run the attestation service until it is told to end."""
    with needs("node"):
        from strongroom.node.run import run_attestation  # noqa: PLC0415
        from strongroom.node.verifier_folder import VerifierFolder  # noqa: PLC0415
    place = VerifierFolder(folder)
    public = place.public
    passphrase = b"" if (folder / NO_PASSPHRASE).exists() else desk.passphrase()
    end_on_term()

    def ready() -> None:
        text = "Attestation service {name}: {address}, port {port}."
        done = say(text, name=public.name, address=address, port=port)
        value = {"ready": True, "role": "verifier", "id": public.id, "port": port}
        desk.printer.show(value, Line(done, "green"))

    run_attestation(place, passphrase, address, port, ready)


@command(group, "ask")
def ask(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    *,
    url: Url,
    service: Service,
    evidence: Evidence = None,
    nonce: Nonce = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=HEX that evidence has bound instead of the nonce; repeatable."
        ),
    ] = None,
    age: Annotated[
        bool,
        typer.Option("--age", help="Take a platform as old as the policy allows."),
    ] = False,
    form: Annotated[
        Literal["jwt", "cwt"], typer.Option(help="How the result is signed.")
    ] = "jwt",
    policy: Policy = "default",
    save: Annotated[
        Path | None, typer.Option(help="Where to keep the signed result.")
    ] = None,
) -> None:
    """Have evidence judged by a service; exit 4 where it is refused."""
    from strongroom.services.attestation.request import (  # noqa: PLC0415
        VerificationRequest,
    )

    if not evidence or not nonce:
        raise usage_error(say("say --evidence and the --nonce that it answers"))
    request = VerificationRequest(
        policy,
        hex_bytes(nonce, "--nonce"),
        _files(evidence),
        {name: hex_bytes(text, "--bound") for name, text in pairs(bound, "--bound")},
        freshness="age" if age else "nonce",
        form=form,
    )
    line = _line(url, service, policy)
    try:
        verified, token = line.verify(request, desk.now())
    finally:
        line.close()
    if save is not None:
        save.write_bytes(token)
    _show_result(desk, verified)


@command(group, "read")
def read(
    desk: Desk,
    token: Annotated[Path, typer.Argument(help="A signed result.")],
    *,
    service: Service,
    evidence: Evidence = None,
    nonce: Nonce = None,
) -> None:
    """Verify a signed result offline; exit 4 where it refuses the environment."""
    from strongroom.core.rats import not_checked_bytes  # noqa: PLC0415
    from strongroom.core.rats.ear import (  # noqa: PLC0415
        evidence_digest,
        verify_ear,
    )

    key = _public(service).verifying
    not_given = not_checked_bytes("not given on the command line")
    digest = evidence_digest(key.suite_id, _files(evidence)) if evidence else not_given
    verified = verify_ear(
        token.read_bytes(),
        key,
        nonce=hex_bytes(nonce, "--nonce") if nonce else not_given,
        evidence_digest=digest,
        now=desk.now(),
    )
    _show_result(desk, verified)


@command(group, "room")
def room(
    desk: Desk,
    *,
    url: Url,
    service: Service,
    policy: Policy = "default",
    without_app: Annotated[
        bool,
        typer.Option("--without-app", help="Do not ask the broker itself (RA-2)."),
    ] = False,
) -> None:
    """Attest the room's broker: the service judges the platform, you the app."""
    from strongroom.client.room_attestation import (  # noqa: PLC0415
        attest_broker,
        attest_broker_alone,
    )

    attest = attest_broker_alone if without_app else attest_broker
    line = _line(url, service, policy)
    transport = desk.transport()
    try:
        found = attest(transport, desk.room(), line, desk.owner(), desk.now())
    finally:
        transport.close()
        line.close()
    value = {
        "status": found.environment.status,
        "app": {
            "product": found.app.product,
            "measurement": found.app.measurement,
            "enclave": found.app.enclave_id,
        },
        "submodules": _submodules(found.environment),
    }
    rows = [
        ("environment", say(_TITLES[found.environment.status])),
        ("app", found.app.product),
        ("measurement", found.app.measurement.hex()),
    ]
    done = say("Environment and app are what they should be.")
    desk.printer.show(value, Line(done, "green"), Facts("Attestation", rows))


add_policy(group)


def _line(url: str, service: Path, policy: str) -> "AttestationService":
    from strongroom.client.attestation import AttestationService  # noqa: PLC0415

    return AttestationService(url, _public(service).verifying, policy)


def _public(file: Path) -> "PublicIdentity":
    from strongroom.management.keys import PublicIdentity  # noqa: PLC0415

    return PublicIdentity.from_bytes(file.read_bytes())


def _files(evidence: list[str] | None) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, path in pairs(evidence, "--evidence"):
        if name in found:
            raise usage_error(say("{name} is given twice", name=name))
        found[name] = _evidence(Path(path))
    return found


def _evidence(path: Path) -> bytes:
    """Return a file of evidence, or the evidence of a case folder as such a file."""
    if not path.is_dir():
        return path.read_bytes()
    from strongroom.cli.cases import read_case  # noqa: PLC0415

    return read_case(path).evidence.to_bytes()


def _show_service(desk: Desk, folder: "VerifierFolder") -> None:
    public, file, log = folder.public, folder.root / "public", folder.log_key.to_text()
    value = {
        "name": public.name,
        "id": public.id,
        "public": os.fspath(file),
        "log": log,
    }
    rows = [
        ("name", public.name),
        ("id", public.id),
        ("public identity", file),
        ("key of the log", log),
    ]
    desk.printer.show(value, Facts("Attestation service", rows))


def _show_result(desk: Desk, verified: "VerifiedEar") -> None:
    """Print a result; of a bad one the findings by part, and end with exit code 4."""
    from strongroom.errors import Refused  # noqa: PLC0415

    ear = verified.ear
    value: dict[str, object] = {
        "status": verified.status,
        "nonce": ear.nonce,
        "expires_at": iso(ear.expires_at),
        "submodules": _submodules(verified),
    }
    status = say("The environment is {status}.", status=say(_TITLES[verified.status]))
    blocks: list[Block] = [Line(status, _STYLES[verified.status]), _parts(verified)]
    try:
        verified.require_good()
    except Refused as error:
        bad = [
            Refusal(name, error.message, each.findings)
            for name, each in ear.submodules.items()
            if each.status == "contraindicated"
        ]
        desk.printer.show({**error.to_value(), **value}, *blocks, *bad)
        raise typer.Exit(error.exit_code) from error
    desk.printer.show(value, *blocks)


def _parts(verified: "VerifiedEar") -> Grid:
    cells = [
        (
            name,
            each.attester.kind or "-",
            say(_TITLES[each.status]),
            each.verifier.tcb_status or "-",
            "; ".join((*each.verifier.unchecked, *each.verifier.not_proven)) or "-",
        )
        for name, each in verified.ear.submodules.items()
    ]
    columns = ("part", "kind", "verdict", "TCB", "left open")
    return Grid("What was judged", columns, cells)


def _submodules(verified: "VerifiedEar") -> dict[str, object]:
    return {
        name: {
            "status": each.status,
            "attester": each.attester.to_value(),
            "verifier": each.verifier.to_value(),
        }
        for name, each in verified.ear.submodules.items()
    }
