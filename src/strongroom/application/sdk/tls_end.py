# SPDX-License-Identifier: Apache-2.0
"""The RA-TLS end of a service app: a key that never leaves, with evidence (IF-5)."""

from collections.abc import Callable

from strongroom.application.sdk.peers import LocalPeers
from strongroom.core.codec.bundle import Manifest
from strongroom.core.crypto.tlskey import TlsKey
from strongroom.core.rats import Evidence, ServiceGate
from strongroom.services.channel.ra_tls.certificate import show_enclave
from strongroom.services.channel.ra_tls.connection import Endpoint, open_end
from strongroom.services.channel.ra_tls.peer import Introduced

RENEW_S = 120
_VALID_S, _SKEW_S = 3600, 60
_PLAIN_GROUPS = {"intl": ("X25519",), "sm": ()}
"""Groups for plain TLS clients beside the suite's: curl has no X25519MLKEM768 yet."""


class TlsEnd:
    """Makes the server of one app, and its certificate anew before evidence is old."""

    def __init__(
        self,
        gate: ServiceGate,
        manifest: Manifest,
        platform: Callable[[bytes], Evidence],
        peers: LocalPeers,
    ) -> None:
        """Make the key.

        Args:
            gate: for reports and the time.
            manifest: of the app; with `http`, plain TLS clients come in too.
            platform: nonce -> evidence of the platform.
            peers: says who a client is that gives its word.
        """
        self._gate, self._manifest, self._platform = gate, manifest, platform
        self._key = TlsKey.generate(manifest.suite)
        self._peer = Introduced(peers.admit, gate.now)
        self._made: tuple[int, Endpoint] | None = None

    def endpoint(self) -> Endpoint:
        """Return the server; its key stays the same while the enclave lives."""
        now = self._gate.now()
        if self._made is None or not 0 <= now - self._made[0] < RENEW_S:
            self._made = now, self._make(now)
        return self._made[1]

    def _make(self, now: int) -> Endpoint:
        suite_id = self._manifest.suite
        shown = show_enclave(
            suite_id,
            self._platform(self._gate.random(32)),
            self._gate.report,
            (now - _SKEW_S, now + _VALID_S),
            self._key,
        )
        plain = _PLAIN_GROUPS[suite_id] if self._manifest.http else None
        return open_end(suite_id, shown, self._peer, plain)
