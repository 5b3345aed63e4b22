# SPDX-License-Identifier: Apache-2.0
"""The machine of a host who attacks what others sealed: its files, stores, messages.

One for a process of attacks, apart from the room whose memory is attacked. Each
attempt takes an app of a name of its own, so that no two share any state.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from strongroom.application.sdk.outside import OutsideServices
from strongroom.attack.room import SUITE, app
from strongroom.attack.target import Target
from strongroom.core.codec.bundle import Bundle
from strongroom.core.rats import (
    LOCKS,
    AppraisalPolicy,
    AppRule,
    Endorsements,
    Evidence,
    Trust,
    not_checked_bytes,
)
from strongroom.node.workbench import Workbench
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.services.channel.verifying import Verify
from strongroom.services.isolation import Isolation

_MAX_AGE_S = 300
_BENCHES: dict[str, "Bench"] = {}


class Bench:
    """A workbench whose monitor can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.work = Workbench(folder, SUITE)
        self.device = folder / "node" / "device"
        self.objects = folder / "objects"
        self._names = count()
        self._running = ExitStack()
        self._is_running = False

    def stop(self) -> None:
        """End the monitor and every enclave of it; it starts again when asked for."""
        self._is_running = False
        self._running.close()

    @contextmanager
    def connected(self) -> Iterator[Isolation]:
        """Connect to the monitor, which is started if it does not run.

        Raises:
            StrongroomError: why the device or the monitor does not start.
        """
        if not self._is_running:
            self._running.enter_context(self.work.start())
            self._is_running = True
        with self.work.connect() as isolation:
            yield isolation

    def starts(self) -> bool:
        """Return whether the monitor starts; end it again.

        Raises:
            StrongroomError: why it does not.
        """
        with self.work.start():
            return True

    def app(self, **changes: object) -> bytes:
        """Return a fresh app."""
        name = {"name": f"attacked-{next(self._names)}"}
        return app(self.work.provider, **(name | changes))

    @contextmanager
    def services(self, bundle: bytes) -> Iterator[OutsideServices]:
        """Start an app and have its services; it ends with the context."""
        with (
            self.connected() as isolation,
            OutsideServices(isolation, self.work.policy(), self.work.objects) as made,
        ):
            made.create(bundle)
            yield made

    def verifier(self, bundle: bytes, roots: tuple[bytes, ...] = ()) -> Verify:
        """Return what a client of an app judges evidence by; `roots` if not its own."""
        trusted = Endorsements(roots or self.work.endorsements.roots, ())
        measurement = Bundle.from_bytes(bundle).manifest.measurement

        def verify(evidence: bytes, nonce: bytes, user_data: bytes) -> None:
            now = int(time.time()) + 1
            shown = Evidence.from_bytes(evidence)
            platform, told = verify_evidence(shown, Trust(trusted), now=now)
            rule = AppRule.measured(
                measurement, config=not_checked_bytes("the app has none")
            )
            policy = AppraisalPolicy(
                owner="client",
                kinds=("simulated",),
                locks=LOCKS,
                max_platform_age_s=_MAX_AGE_S,
                min_firmware_svn=0,
                registers={each.name: (each.value,) for each in platform.registers},
                apps=(rule,),
            )
            appraise(platform, told, policy, nonce=nonce, now=now, user_data=user_data)

        return verify


def bench(at: Target) -> Bench:
    """Return the bench of this process; the first one who asks starts it."""
    found = _BENCHES.get(at.folder)
    if found is None:
        folder = Path(at.folder) / "host"
        found = _BENCHES[at.folder] = Bench(folder)
    return found


def close() -> None:
    """End what was started."""
    for each in _BENCHES.values():
        each.stop()
    _BENCHES.clear()


def elsewhere(at: Target) -> Bench:
    """Return another machine, which the caller stops."""
    return Bench(Path(at.folder) / f"other-{os.urandom(4).hex()}")
