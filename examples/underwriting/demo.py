# SPDX-License-Identifier: Apache-2.0
"""The main job, live: insurance underwriting on three hospitals' records (AS-3).

    python -m examples.underwriting.demo --suite sm --folder demo-run

Five roles, each with a home folder and processes of its own, share nothing but the
network and the ciphertext store. Every step is the command line that a real party
would type. The folder that remains holds all of it for a reader to inspect.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from examples.underwriting.stage import Party, Stage

HOSPITALS = ("hospital-a", "hospital-b", "hospital-c")
PURPOSE = "underwriting"


def main() -> int:
    """Run the demonstration; exit 1 if anything went otherwise than told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=("sm", "intl"), default="sm")
    parser.add_argument("--folder", type=Path, default=Path("demo-run"))
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    with Stage(folder, arguments.suite) as stage:
        parties = _set_up(stage)
        datasets, app = _bring(stage, parties)
        agreement = _agree(stage, parties, datasets, app)
        _ask(stage, parties["insurer"], agreement)
        _refusals(stage, parties, datasets, app, agreement)
        _check_offline(stage, parties["insurer"])
        stage.end(time.monotonic() - started)
    return 0


def _set_up(stage: Stage) -> dict[str, Party]:
    stage.act("The room opens, and its administrator says who may enter")
    administrator = stage.party("administrator")
    stage.open_room(administrator)
    roles = {
        **dict.fromkeys(HOSPITALS, "data"),
        "model-maker": "algorithm",
        "insurer": "result",
    }
    parties = {name: stage.party(name) for name in roles}
    for name, role in roles.items():
        administrator.run("trusted-list", "add", parties[name].card, "--role", role)
    administrator.run("trusted-list", "publish")
    stage.say(f"trusted list signed and published: {', '.join(roles)}")
    for party in parties.values():
        party.run("room", "join", stage.room_file, "--allow", "simulated")
    shown = parties["hospital-a"].run("room", "verify")
    stage.checked(
        "hospital-a verified the broker's evidence before giving it anything", shown
    )
    stage.must_fail(
        "a party that does not allow simulated hardware refuses the room",
        "platform.kind",
        stage.stranger("careful-bank"),
        "room",
        "verify",
    )
    return parties


def _bring(stage: Stage, parties: dict[str, Party]) -> tuple[dict[str, str], str]:
    stage.act(
        "The model maker fits a model and imports it; the hospitals seal their records"
    )
    stage.python("examples.underwriting.data", "--out", stage.path("records"))
    app_folder = stage.path("model-maker/app")
    shutil.copytree(Path(__file__).parent / "app", app_folder)
    stage.python("examples.underwriting.fit", "--out", app_folder / "model.json")
    maker = parties["model-maker"]
    maker.run(
        "app",
        "build",
        app_folder,
        "-o",
        stage.path("model-maker/app.bundle"),
        "--encrypt",
    )
    app = maker.text(
        "measurement",
        *(
            "app",
            "register",
            stage.path("model-maker/app.bundle"),
            "--purpose",
            PURPOSE,
        ),
        *("--entry-point", "underwrite", "--max-uses", "1000"),
    )
    stage.say(f"app imported with its code encrypted, measurement {app[:16]}")
    datasets: dict[str, str] = {}
    for name in HOSPITALS:
        hospital = parties[name]
        plain = stage.path(f"records/{name}.csv")
        own = stage.path(f"{name}/records.csv")
        shutil.move(plain, own)
        sealed = stage.path(f"{name}/records.sealed")
        hospital.run("data", "seal", own, "-o", sealed, "--name", f"{name} records")
        datasets[name] = hospital.text(
            "dataset",
            *("data", "register", sealed, "--purpose", PURPOSE, "--app", app),
            *("--entry-point", "underwrite", "--recipient", parties["insurer"].card),
            *("--field", "conclusion", "--field", "reason_class", "--max-uses", "100"),
        )
        stage.say(
            f"{name} sealed its records and keeps the plaintext: {datasets[name][:16]}"
        )
    return datasets, app


def _agree(
    stage: Stage, parties: dict[str, Party], datasets: dict[str, str], app: str
) -> str:
    stage.act("All five parties sign the same bytes")
    insurer = parties["insurer"]
    signers = [part for name in parties for part in ("--signer", parties[name].card)]
    agreement = insurer.text(
        "agreement",
        *(
            "agreement",
            "propose",
            "--title",
            "Underwriting, spring",
            "--purpose",
            PURPOSE,
        ),
        *("--app", app, "--entry-point", "underwrite"),
        *("--input", "records=" + ",".join(datasets[name] for name in HOSPITALS)),
        *("--recipient", insurer.card, *signers),
        *("--field", "conclusion", "--field", "reason_class"),
        *("--max-uses", "50", "--valid", "30d"),
    )
    for name in ("model-maker", "hospital-a", "hospital-b"):
        parties[name].run("agreement", "sign", agreement, "--yes")
    missing = insurer.run("agreement", "show", agreement)["missing"]
    stage.say(f"agreement {agreement[:16]} waits; the signature missing is {missing}")
    stage.must_fail(
        "no key moves before the last signature",
        "agreement.signatures",
        insurer,
        *("task", "run", agreement, "--entry-point", "underwrite"),
        *("--value", f"applicant=@{stage.path('applicant.json')}"),
        before=lambda: _write_applicant(stage, 0),
    )
    parties["hospital-c"].run("agreement", "sign", agreement, "--yes")
    state = insurer.run("agreement", "show", agreement)["state"]
    stage.say(f"hospital-c signed; the agreement is {state}")
    return agreement


def _applicants(stage: Stage) -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = json.loads(
        stage.path("records/applicants.json").read_text()
    )
    return loaded


def _write_applicant(stage: Stage, number: int) -> Path:
    path = stage.path("applicant.json")
    path.write_text(json.dumps(_applicants(stage)[number]["applicant"]))
    return path


def _ask(stage: Stage, insurer: Party, agreement: str) -> None:
    stage.act("The insurer asks with three identity elements and receives a conclusion")
    for number, row in enumerate(_applicants(stage)):
        path = _write_applicant(stage, number)
        out = stage.path(f"insurer/conclusion-{number + 1}.json")
        insurer.run(
            *("task", "run", agreement, "--entry-point", "underwrite"),
            *("--value", f"applicant=@{path}", "--wait", "-o", out),
        )
        answer = json.loads(out.read_text())
        stage.say(
            f"applicant {number + 1}: {answer['conclusion']} ({answer['reason_class']})"
        )
        stage.expect(
            answer["conclusion"] == row["expected"], "the conclusion the model gives"
        )
    stage.say("which hospital holds an applicant was shown to nobody")


def _refusals(
    stage: Stage,
    parties: dict[str, Party],
    datasets: dict[str, str],
    app: str,
    agreement: str,
) -> None:
    stage.act("Three things that must not work")
    insurer = parties["insurer"]
    applicant = ("--value", f"applicant=@{_write_applicant(stage, 0)}")
    run = (
        "task",
        "run",
        agreement,
        "--entry-point",
        "underwrite",
        *applicant,
        "--wait",
    )
    with stage.flipped_bit(datasets["hospital-b"]):
        stage.must_fail("tampered data", "floe.segment", insurer, *run)
    other = stage.path("model-maker/other")
    shutil.copytree(stage.path("model-maker/app"), other)
    source = other / "underwrite.py"
    source.write_text(source.read_text() + "\n# one line more\n")
    maker = parties["model-maker"]
    maker.run("app", "build", other, "-o", stage.path("model-maker/other.bundle"))
    unapproved = maker.text(
        "measurement", "app", "register", stage.path("model-maker/other.bundle")
    )
    stage.say(
        f"the same app with one line more measures {unapproved[:16]}, not {app[:16]}"
    )
    with stage.swapped_bundle(app, unapproved):
        stage.must_fail("an app that nobody approved", "app.measurement", insurer, *run)
    stage.must_fail(
        "the insurer asks for a raw record",
        "agreement.entry-point",
        insurer,
        *("task", "run", agreement, "--entry-point", "show_record", *applicant),
    )


def _check_offline(stage: Stage, insurer: Party) -> None:
    stage.act("With the room gone, anyone can still check")
    stage.save_log()
    stage.close_room()
    receipt = insurer.run(
        "receipt", "verify", stage.path("insurer/conclusion-1.json.receipt")
    )
    stage.checked("receipt verified offline", receipt)
    log = insurer.run("audit", "verify", stage.path("log"))
    stage.checked("log verified offline", log)


if __name__ == "__main__":
    sys.exit(main())
