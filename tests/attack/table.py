# SPDX-License-Identifier: Apache-2.0
"""Runs victim and attackers and makes the table of docs/threat-model.md.

python -m tests.attack.table   (as root: it takes three users' places)
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.attack.program import masked

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
VICTIM, STRANGER = 12345, 23456
ACTORS = {"same user": VICTIM, "another user": STRANGER, "root": 0}
BEGIN, END = "<!-- attack-table:begin -->", "<!-- attack-table:end -->"

Outcomes = dict[str, dict[str, str]]


def run_as(uid: int, *arguments: str) -> list[str]:
    """Return a command line that runs a module of ours as a user."""
    ids = ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return ["setpriv", *ids, sys.executable, "-B", "-m", *arguments]


def attack() -> Outcomes:
    """Return every attack's outcome by actor."""
    with tempfile.TemporaryDirectory(prefix="strongroom-attack-") as name:
        Path(name).chmod(0o755)  # so that only the victim's own modes protect it
        folder = Path(name) / "victim"
        folder.mkdir(mode=0o700)
        os.chown(folder, VICTIM, VICTIM)
        environment = {"PATH": os.environ["PATH"], "HOME": name, "TMPDIR": str(folder)}
        with subprocess.Popen(
            run_as(VICTIM, "tests.attack.victim", str(folder)),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as victim:
            told = json.loads(victim.stdout.readline()) if victim.stdout else {}
            target = Path(name) / "target.json"
            target.write_text(json.dumps(_target(told, folder)))
            outcomes = {actor: _attack_as(uid, target) for actor, uid in ACTORS.items()}
            if victim.stdin:
                victim.stdin.close()
    return outcomes


def _attack_as(uid: int, target: Path) -> dict[str, str]:
    done = subprocess.run(
        run_as(uid, "tests.attack.attacker", str(target)),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/tmp"},
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes: dict[str, str] = json.loads(done.stdout)
    return outcomes


def _target(told: dict[str, object], folder: Path) -> dict[str, str]:
    """Add what only a test may know: the secrets themselves, to recognise them by."""
    monitor = str(told["monitor"])
    return {
        **{name: str(told[name]) for name in ("heap", "secret", "scratch")},
        "monitor": monitor,
        "enclave": str(_enclave_of(int(monitor))),
        "planted": masked(bytes.fromhex(str(told["heap_masked"]))).hex(),
        "hidden": masked(bytes.fromhex(str(told["secret_masked"]))).hex(),
        "device": (folder / "device" / "duk.key").read_bytes().hex(),
        "folder": str(folder),
    }


def _enclave_of(monitor: int) -> int:
    """Return the enclave's process: the one below the monitor with 15 locks on it."""
    parents = {
        int(path.name): int(
            path.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]
        )
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and path.joinpath("stat").exists()
    }
    below = {monitor}
    for _ in parents:
        below |= {pid for pid, parent in parents.items() if parent in below}
    filtered = [
        pid for pid in below if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()
    ]
    return max(filtered)


def table(outcomes: Outcomes) -> str:
    """Return the table as Markdown."""
    lines = [
        f"| attack | {' | '.join(ACTORS)} | grade |",
        f"| --- |{' --- |' * (len(ACTORS) + 1)}",
    ]
    for name in outcomes["root"]:
        cells = [outcomes[actor][name] for actor in ACTORS]
        shown = [f"**{cell}**" if cell == "read" else cell for cell in cells]
        grade = "SIM" if name == "device key in the device file" else "OS"
        lines.append(f"| {name} | {' | '.join(shown)} | {grade} |")
    return "\n".join(lines)


def committed() -> str:
    """Return the table that docs/threat-model.md holds."""
    found = re.search(f"{BEGIN}\n(.*?)\n{END}", PAGE.read_text(), re.DOTALL)
    return found[1].strip() if found else ""


def main() -> None:
    """Write the table into the page."""
    fresh = table(attack())
    page = PAGE.read_text()
    text = re.sub(
        f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{fresh}\n{END}", page, flags=re.DOTALL
    )
    PAGE.write_text(text)
    print(fresh)  # noqa: T201


if __name__ == "__main__":
    main()
