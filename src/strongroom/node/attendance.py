# SPDX-License-Identifier: Apache-2.0
"""Re-attestation: a compute node proves itself to the broker on a period (RA-2)."""

import threading
from collections.abc import Callable

from strongroom.core.rats import Evidence
from strongroom.errors import Refused, StrongroomError, Unavailable
from strongroom.node.management import ManagementNode, bytes_of
from strongroom.node.periodic import Periodic
from strongroom.services.isolation import Isolation

FIRST_RETRY_S = 1.0
_TIMES_A_PERIOD = 3

Told = Callable[[StrongroomError | None], None]
"""Is told why the node left service, and None when it is in service (again)."""


class Attendance(Periodic):
    """Checks in three times a period in a thread of its own; a context manager."""

    def __init__(
        self, management: ManagementNode, isolation: Isolation, kind: str, told: Told
    ) -> None:
        super().__init__()
        self._management, self._isolation, self._kind = management, isolation, kind
        self._told = told
        self._serving = threading.Event()
        self._said: str | None = None

    def wait_for_service(self, wait_s: float) -> bool:
        """Wait at most `wait_s` for being in service; return whether it is."""
        return self._serving.wait(wait_s)

    def check_in(self) -> float:
        """Attest once; return the period in seconds.

        Raises:
            Refused: this node may not serve; the findings say why.
            Unavailable: no answer.
        """
        asked = self._management.post("/v1/nodes/challenge", {})
        nonce = bytes_of(asked["nonce"])
        evidence = Evidence(
            kind=self._kind, platform=self._isolation.evidence(nonce), app=b""
        )
        answer = self._management.post(
            "/v1/nodes/check-in",
            {
                "nonce": nonce,
                "evidence": evidence.to_bytes(),
                "head": self._isolation.log_head(),
            },
        )
        period_s = answer["period_s"]
        if not isinstance(period_s, int) or period_s < 1:
            message = "the broker names no period"
            raise Unavailable(message)
        return float(period_s)

    def _run(self) -> None:
        wait_s = FIRST_RETRY_S
        while True:
            try:
                wait_s = self.check_in() / _TIMES_A_PERIOD
            except Refused as error:
                self._serving.clear()
                self._tell(error)
            except StrongroomError:
                wait_s = FIRST_RETRY_S  # silence: the broker counts it, not we
            else:
                self._serving.set()
                self._tell(None)
            if self._ended.wait(wait_s):
                return

    def _tell(self, error: Refused | None) -> None:
        """Say what changed, once."""
        said = "" if error is None else ",".join(each.rule for each in error.findings)
        if said != self._said:
            self._said = said
            self._told(error)
