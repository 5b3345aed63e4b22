# SPDX-License-Identifier: Apache-2.0
"""What every command finds on its desk: home, passphrase, session, printer, clock."""

import getpass
import os
import time
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.cli.output import Printer
from strongroom.cli.words import say
from strongroom.errors import Malformed, Misconfigured, StrongroomError

if TYPE_CHECKING:
    from strongroom.application.cleanroom.room import Room
    from strongroom.cli.parties import Contacts
    from strongroom.client.broker import Transport
    from strongroom.client.home import Home
    from strongroom.client.session import Session

NO_PASSPHRASE = "no-passphrase"  # noqa: S105 - a file's name
"""The file of a home whose identity was made without a passphrase."""


class Desk:
    """One command's surroundings; everything slow is made when first asked for."""

    def __init__(self, printer: Printer) -> None:
        self.printer = printer
        self.root = Path(
            os.environ.get("STRONGROOM_HOME") or Path.home() / ".strongroom"
        )
        self.passphrase_file: Path | None = None
        self.trace = False
        self._open = ExitStack()

    def close(self) -> None:
        """Close every connection that the command opened; twice is harmless."""
        self._open.close()

    def now(self) -> int:
        """Return the time in Unix seconds; the command line may read the clock."""
        return int(time.time())

    @cached_property
    def home(self) -> "Home":
        """The party's folder."""
        from strongroom.client.home import Home  # noqa: PLC0415

        return Home(self.root)

    @cached_property
    def contacts(self) -> "Contacts":
        """The parties that this home knows by name."""
        from strongroom.cli.parties import Contacts  # noqa: PLC0415

        return Contacts(self.home)

    @cached_property
    def session(self) -> "Session":
        """The party at work, its identity unlocked; asks for the passphrase."""
        from strongroom.client.session import Session  # noqa: PLC0415
        from strongroom.core.crypto import reuse_freed_memory  # noqa: PLC0415

        reuse_freed_memory()
        self.home.public_identity()
        session = Session(self.home, self.passphrase(), self.now)
        return self._open.enter_context(session)

    def transport(self, url: str | None = None) -> "Transport":
        """Return the HTTP paths of the room at `url`, or of the one joined."""
        from strongroom.client.broker import Transport  # noqa: PLC0415

        transport = Transport(url or self.home.room().url)
        self._open.callback(transport.close)
        return transport

    def room(self, file: Path | None = None) -> "Room":
        """Return the room in a room file, or the one joined.

        Raises:
            Untrusted: not signed by the administrator that it names.
        """
        from strongroom.application.cleanroom.room import Room  # noqa: PLC0415
        from strongroom.core.codec.signed import open_record, peek_record  # noqa: PLC0415

        if file is None:
            return self.home.room()
        signed = file.read_bytes()
        claimed, _ = peek_record(Room, signed)
        return open_record(Room, signed, claimed.administrator.verifying)

    def owner(self) -> str:
        """Return whose rules are applied here, for the findings of a refusal."""
        try:
            return self.home.public_identity().name
        except StrongroomError:
            return "verifier"

    def passphrase(self, *, new: bool = False) -> bytes:
        """Return the passphrase: from the file given, or typed without echo.

        Args:
            new: ask twice, for an identity that is being made.

        Raises:
            Misconfigured: there is neither a file nor a terminal.
        """
        if self.passphrase_file is not None:
            return self.passphrase_file.read_bytes().removesuffix(b"\n")
        if not new and (self.root / NO_PASSPHRASE).exists():
            return b""
        typed = _ask(say("Passphrase"))
        if new and _ask(say("The same passphrase again")) != typed:
            message = say("the two passphrases differ")
            raise Malformed(message)
        if new and not typed:
            message = say("an empty passphrase protects nothing; say --no-passphrase")
            raise Malformed(message)
        return typed


def _ask(prompt: str) -> bytes:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        message = say(
            "there is no terminal to type a passphrase; use --passphrase-file"
        )
        raise Misconfigured(message) from error
    return getpass.getpass(f"{prompt}: ").encode()
