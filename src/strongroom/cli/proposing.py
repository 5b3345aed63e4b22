# SPDX-License-Identifier: Apache-2.0
"""Fills in what a proposer leaves out, from what this party can know."""

from pathlib import Path

from strongroom.application.cleanroom import InputBinding
from strongroom.cli.desk import Desk
from strongroom.cli.rows import maps
from strongroom.client.agreements import Proposal
from strongroom.core.codec.bundle import Bundle, Manifest
from strongroom.services.sealing import describe


class Draft:
    """An agreement in the making: its app, its inputs, and who owns them.

    Owners are known for sealed files at hand, for this party's own datasets and
    apps, and for those of agreements that concern it. Whom it cannot know, the
    broker names in its refusal.
    """

    def __init__(self, desk: Desk, app: str, inputs: list[tuple[str, str]]) -> None:
        self._desk = desk
        self._owners: list[str] = []
        self._manifest: Manifest | None = None
        self._app = self._read_app(app)
        self._inputs = tuple(
            InputBinding(name, tuple(map(self._read_dataset, text.split(","))))
            for name, text in inputs
        )

    def proposal(  # noqa: PLR0913 - what an agreement says
        self,
        *,
        title: str,
        purpose: str,
        entry_points: tuple[str, ...],
        recipients: tuple[str, ...],
        signers: tuple[str, ...],
        fields: tuple[str, ...],
        min_group: int,
        max_uses: int,
        valid_s: int,
    ) -> Proposal:
        """Return the proposal, with defaults where the proposer said nothing."""
        own = self._desk.session.identity.public.id
        chosen = recipients or (own,)
        everyone = signers or (*self._find_owners(), *chosen)
        return Proposal(
            title=title,
            purpose=purpose,
            app=self._app,
            entry_points=entry_points,
            inputs=self._inputs,
            recipients=chosen,
            signers=tuple(dict.fromkeys((own, *everyone))),
            fields=fields or self._find_fields(entry_points),
            min_group=min_group,
            max_uses=max_uses,
            valid_s=valid_s,
        )

    def _read_app(self, text: str) -> str:
        file = Path(text)
        if not file.is_file():
            return text
        self._manifest = Bundle.from_bytes(file.read_bytes()).verify().manifest
        return self._manifest.measurement.hex()

    def _read_dataset(self, text: str) -> str:
        path = Path(text)
        if not path.is_file():
            return text
        with path.open("rb") as file:
            info = describe(file.fileno())
        self._owners.append(info.header.owner)
        return info.dataset_id

    def _find_owners(self) -> list[str]:
        session = self._desk.session
        wanted = {name for binding in self._inputs for name in binding.datasets}
        datasets = maps(session.ask("dataset.list", {}), "datasets")
        apps = maps(session.ask("app.list", {}), "apps")
        known = [row["owner"] for row in datasets if row.get("dataset") in wanted]
        known += [row["owner"] for row in apps if row.get("app") == self._app]
        return [*self._owners, *map(str, known)]

    def _find_fields(self, entry_points: tuple[str, ...]) -> tuple[str, ...]:
        manifest = self._manifest or self._ask_manifest()
        if manifest is None:
            return ()
        found = [e for e in manifest.entry_points if e.name in entry_points]
        return tuple(dict.fromkeys(f for entry in found for f in entry.output.fields))

    def _ask_manifest(self) -> Manifest | None:
        for row in maps(self._desk.session.ask("app.list", {}), "apps"):
            data = row.get("manifest")
            if row.get("app") == self._app and isinstance(data, bytes):
                return Manifest.from_bytes(data)
        return None
