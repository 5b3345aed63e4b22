# SPDX-License-Identifier: Apache-2.0
"""Parties by name: a home remembers the identities that it was shown.

`contacts/NAME` holds a public identity. A name in a file is its own claim; that a
party is on the trusted list is checked by the broker, by id.
"""

import re
from pathlib import Path

from strongroom.cli.words import say
from strongroom.client.home import Home
from strongroom.errors import NotFound, StrongroomError
from strongroom.management.keys import PublicIdentity

ID = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class Contacts:
    """The parties that one home can name."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def read(self, file: Path) -> PublicIdentity:
        """Return the identity in an exported file, and remember it by its name.

        A name that another party has already is not given a second time.
        """
        identity = PublicIdentity.from_bytes(file.read_bytes())
        if self._known(identity.name) is None:
            self._home.write(f"contacts/{identity.name}", identity.to_bytes())
        return identity

    def resolve(self, text: str) -> str:
        """Return the id of a party: an id itself, a known name, or an identity file.

        Raises:
            NotFound: none of them.
        """
        if ID.fullmatch(text):
            return text
        known = self._known(text) if _NAME.fullmatch(text) else None
        if known is not None:
            return known.id
        file = Path(text)
        if file.is_file():
            return self.read(file).id
        message = say(
            "no party {text} is known here: give an id, an identity file, or a name "
            "in {folder}",
            text=text,
            folder=self._home.root / "contacts",
        )
        raise NotFound(message)

    def signer(self, text: str) -> str:
        """Return the id of the key that a party signs with: of whom `resolve` takes.

        What names nobody is returned as it is: it may be the id of a key.
        """
        try:
            party = self.resolve(text)
        except NotFound:
            return text
        known = (self._known(name) for name in self.names().values())
        keys = (each.sign.key_id.hex() for each in known if each and each.id == party)
        return next(keys, text)

    def names(self) -> dict[str, str]:
        """Return the names of all known parties by their ids."""
        folder = self._home.root / "contacts"
        names = sorted(path.name for path in folder.glob("[a-z0-9]*"))
        found = [self._known(name) for name in names]
        return {each.id: each.name for each in [*found, *self._own()] if each}

    def _known(self, name: str) -> PublicIdentity | None:
        for identity in self._own():
            if identity.name == name:
                return identity
        try:
            return PublicIdentity.from_bytes(self._home.read(f"contacts/{name}"))
        except NotFound:
            return None

    def _own(self) -> list[PublicIdentity]:
        """Return this home's party, and the administrator of its room."""
        found = []
        try:
            found.append(self._home.public_identity())
            found.append(self._home.room().administrator)
        except StrongroomError:
            pass
        return found
