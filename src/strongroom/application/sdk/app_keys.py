# SPDX-License-Identifier: Apache-2.0
"""The key ring of the app in an enclave: under its sealing key, kept if it says so.

A manifest that names the namespace `keys` under `storage` has the ring kept there, in
a place of its own that `store` and `load` do not reach: saved at every change and
taken up again after a restart. Rollback of it is refused as that of all storage.
"""

import time
from collections.abc import Callable

from strongroom.core.codec.keys import PublicKey as PartyKey
from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats import ServiceGate
from strongroom.errors import Malformed, NotFound
from strongroom.services.crypto import KeyRing, Policy, PublicKey, counter_of
from strongroom.services.storage import Storage

NAMESPACE = "keys"
OWNER = "key ring"

_SUITE_SIGNATURES = {"sm": "sm2-sm3", "intl": "ed25519"}
_LABEL = "keys"
_BLOCK = "ring"


class GateEntropy:
    """The device's random generator, asked over the gate."""

    def __init__(self, gate: ServiceGate) -> None:
        self._gate = gate

    def bytes(self, n: int) -> bytes:
        """Return `n` random bytes."""
        return self._gate.random(n)

    def fill(self, secret: SecretBuffer) -> None:
        """Fill `secret` with random bytes."""
        secret.view[:] = self._gate.random(len(secret))


def within_a_second(clock: Callable[[], int]) -> Callable[[], int]:
    """Return `clock`, asked again a second later at the earliest.

    It tells when keys were made, in seconds, and is far away: over the gate.
    """
    asked, said = float("-inf"), 0

    def now() -> int:
        nonlocal asked, said
        # also counts while the machine is suspended
        moment = time.clock_gettime(time.CLOCK_BOOTTIME)
        if moment - asked >= 1:
            asked, said = moment, clock()
        return said

    return now


def open_keys(gate: ServiceGate, suite_id: str, kept: Storage | None) -> KeyRing:
    """Return the ring of this app, empty unless it was kept before.

    Its root is a sealing key of the app, so keys derived from it are of this device
    and this very app (HW-3).

    Raises:
        Stale, Tampered: the store did not give what was written last.
    """
    data = _kept(kept)
    root, policy = gate.sealing_key(_LABEL), Policy(suite_id)
    entropy, clock = GateEntropy(gate), within_a_second(gate.now)
    if data is None:
        ring = KeyRing(root, policy, clock=clock, entropy=entropy)
    else:
        ring = KeyRing.restore(
            data,
            root,
            policy,
            counter=counter_of(data),  # the storage knows the newest
            clock=clock,
            entropy=entropy,
        )
    if kept is not None:
        ring.keep(lambda export: kept.write(_BLOCK, export))
    return ring


def public_key(data: bytes) -> PublicKey:
    """Return a signer's public key: of the crypto service, or of a party.

    Raises:
        Malformed: neither.
    """
    try:
        return PublicKey.from_bytes(data)
    except Malformed:
        party = PartyKey.from_bytes(data)
    return PublicKey(_SUITE_SIGNATURES[party.suite], party.verifying().raw)


def _kept(storage: Storage | None) -> bytes | None:
    try:
        return storage.read(_BLOCK) if storage else None
    except NotFound:
        return None
