# SPDX-License-Identifier: Apache-2.0
"""The stage under the demonstration: parties' homes, node processes, narration."""

import json
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

READY_S = 30.0


class Failed(Exception):
    """The demonstration went otherwise than told."""


class Party:
    """One party: a home folder of its own, and the command line."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(secrets.token_urlsafe(24))
        self.passphrase.chmod(0o600)
        self.card = folder / f"{name}.identity"

    def command(self, *arguments: object) -> list[str]:
        """Return a command line of this party."""
        start = (sys.executable, "-m", "strongroom", "--home", self.home, "--json")
        return [
            str(part)
            for part in (*start, "--passphrase-file", self.passphrase, *arguments)
        ]

    def ask(self, *arguments: object) -> tuple[int, dict[str, object]]:
        """Run a command; return its exit code and what it printed."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False
        )
        try:
            value = json.loads(done.stdout)
        except ValueError:
            value = {"message": done.stderr.strip() or done.stdout.strip()}
        return done.returncode, value if isinstance(value, dict) else {"rows": value}

    def run(self, *arguments: object) -> dict[str, object]:
        """Run a command that must succeed."""
        code, value = self.ask(*arguments)
        if code:
            words = " ".join(str(part) for part in arguments)
            message = f"{self.name}: strongroom {words}: {json.dumps(value)}"
            raise Failed(message)
        return value

    def text(self, name: str, *arguments: object) -> str:
        """Run a command and return one of the values it printed."""
        return str(self.run(*arguments)[name])


class Stage:
    """The demonstration's folder, its node processes, and what it says."""

    def __init__(self, folder: Path, suite: str) -> None:
        self._folder = folder
        self._suite = suite
        self._console = Console(highlight=False)
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._url = ""
        self._act = 0
        self._refused = 0

    def __enter__(self) -> Self:
        self._console.print(
            f"[bold]Strongroom[/]: insurance underwriting on sealed hospital records, "
            f"suite [bold]{self._suite}[/]\n"
            "[yellow]The TEE is SIMULATED: the chain of proof is real, "
            "the silicon is not.[/]"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close_room()

    def path(self, name: str) -> Path:
        """Return a path inside the demonstration's folder."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def room_file(self) -> Path:
        """The room file that the administrator gives to everyone."""
        return self._folder / "room" / "management" / "room"

    def party(self, name: str) -> Party:
        """Make a party and its identity."""
        party = Party(self._folder / name, name)
        party.run("identity", "create", name, "--suite", self._suite)
        party.run("identity", "export", party.card)
        return party

    def stranger(self, name: str) -> Party:
        """Make a party that joins the room without allowing simulated hardware."""
        party = self.party(name)
        party.run("room", "join", self.room_file)
        return party

    def open_room(self, administrator: Party) -> None:
        """Set up the room and start its two nodes, two processes of two roles."""
        port = _free_port()
        self._url = f"http://127.0.0.1:{port}"
        folder = self._folder / "room"
        administrator.run("room", "init", folder, "--url", self._url)
        administrator.run("room", "join", self.room_file, "--allow", "simulated")
        service = administrator.command("node", "manage", folder, "--port", port)
        compute = administrator.command(
            *("node", "compute", folder / "compute-1", "--url", self._url),
            *("--store", folder / "store"),
        )
        self._nodes = [_start(service), _start(compute)]
        for node in self._nodes:
            _wait_ready(node)
        self.say("service provider: management node up, broker in its enclave")
        self.say("platform provider: compute node up")

    def close_room(self) -> None:
        """End the nodes by their pids."""
        for node in self._nodes:
            node.terminate()
        for node in self._nodes:
            node.wait(timeout=READY_S)
        self._nodes = []

    def python(self, module: str, *arguments: object) -> None:
        """Run a module of the example in a process of its own."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def act(self, title: str) -> None:
        """Begin an act."""
        self._act += 1
        self._console.print(f"\n[bold cyan]{self._act}. {title}[/]")

    def say(self, text: str) -> None:
        """Narrate."""
        self._console.print(f"   {text}", soft_wrap=True)

    def checked(self, what: str, report: dict[str, object]) -> None:
        """Narrate what was verified, check by check."""
        self.say(f"[green]✓[/] {what}")
        checks = report.get("checks")
        for check in checks if isinstance(checks, list) else []:
            self.say(f"    · {check}")

    def must_fail(
        self,
        what: str,
        rule: str,
        party: Party,
        *arguments: object,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        """Run a command that must be refused by `rule`, and show the refusal."""
        before()
        code, value = party.ask(*arguments)
        findings = value.get("findings")
        rows = (
            [row for row in findings if isinstance(row, dict)]
            if isinstance(findings, list)
            else []
        )
        match = next((row for row in rows if row.get("rule") == rule), None)
        if code == 0 or match is None:
            message = (
                f"{what}: expected a refusal by {rule}, got {code}: {json.dumps(value)}"
            )
            raise Failed(message)
        self._refused += 1
        self.say(f"[red]✗[/] {what}: refused")
        for name in ("rule", "owner", "expected", "got", "remedy"):
            self.say(f"    [dim]{name:>8}[/] {match[name]}")

    def expect(self, holds: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
        """Stop the demonstration where something does not hold."""
        if not holds:
            message = f"this does not hold: {what}"
            raise Failed(message)

    @contextmanager
    def flipped_bit(self, dataset: str) -> Iterator[None]:
        """Flip one bit of a stored ciphertext while the context lasts."""
        path = self._folder / "room" / "store" / "objects" / dataset
        self.say(f"one bit of {dataset[:16]} is flipped in the store")
        with _changed(path):
            data = bytearray(path.read_bytes())
            data[-100] ^= 1
            path.write_bytes(data)
            yield

    @contextmanager
    def swapped_bundle(self, app: str, other: str) -> Iterator[None]:
        """Put another bundle in the place of the approved one."""
        folder = self._folder / "room" / "store" / "bundles"
        with _changed(folder / app):
            shutil.copyfile(folder / other, folder / app)
            yield

    def save_log(self) -> None:
        """Copy the public log out of the room."""
        party = Party(self._folder / "auditor", "auditor")
        party.run("audit", "fetch", self.path("log"), "--url", self._url)

    def end(self, seconds: float) -> None:
        """Say how it went."""
        self._console.print(
            f"\n[bold green]Done in {seconds:.0f} s.[/] {self._refused} refusals, "
            "each by the rule that was meant.\n"
            f"Everything is in [bold]{self._folder}[/] to inspect."
        )


@contextmanager
def _changed(path: Path) -> Iterator[None]:
    kept = path.with_suffix(".kept")
    shutil.copyfile(path, kept)
    try:
        yield
    finally:
        kept.replace(path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a node."""
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _wait_ready(node: subprocess.Popen[bytes]) -> None:
    """Wait until a node says that it is ready."""
    if not (node.stdout and node.stdout.readline()):
        message = f"a node did not start: {node.args!r}"
        raise Failed(message)
