# SPDX-License-Identifier: Apache-2.0
"""What the tests of the crypto service share: one use of a key for each purpose."""

from collections.abc import Callable, Mapping
from typing import Protocol

from strongroom.core.crypto import SecretBuffer
from strongroom.services import crypto
from strongroom.services.crypto import ALGORITHMS, Handle, KeyRing, KeySpec, Policy
from strongroom.services.crypto.records import Purpose

NOW = 1_750_000_000
PURPOSES: tuple[Purpose, ...] = ("encrypt", "sign", "mac", "derive", "wrap", "agree")
ENVELOPE = {"sm": "hpke-sm2", "intl": "hpke-mlkem768-x25519"}

Use = Callable[[KeyRing, Handle], object]


class MakeRing(Protocol):
    """Makes a ring that is closed after the test."""

    def __call__(
        self, suite: str = "sm", also: Mapping[str, str] = {}, imports: str = ""
    ) -> KeyRing:
        """Return it, with `also` and `imports` of its policy."""


def uses(suite_id: str) -> dict[Purpose, Use]:
    """Return one operation for each purpose; it raises unless the key is for it."""

    def agreement(ring: KeyRing, handle: Handle) -> object:
        if suite_id == "intl":
            peer = ring.public(ring.generate("agree", "x25519", "peer"))
            return crypto.agree(ring, handle, peer, "agreed")
        own = ring.generate("agree", "sm2-exchange", "once")
        other = ring.public(ring.generate("agree", "sm2-exchange", "peer"))
        side = crypto.Sm2Side(other, other)
        return crypto.agree_sm2(ring, handle, own, side, "agreed", initiator=True)

    cipher = "sm4-gcm" if suite_id == "sm" else "aes-256-gcm"

    def wrapping(ring: KeyRing, handle: Handle) -> object:
        data_key = ring.generate("encrypt", cipher, "d", extractable=True)
        return crypto.wrap(ring, handle, data_key)

    return {
        "encrypt": lambda ring, handle: crypto.encrypt(ring, handle, b"data"),
        "sign": lambda ring, handle: crypto.sign(ring, handle, b"data"),
        "mac": lambda ring, handle: crypto.mac(ring, handle, b"data"),
        "derive": lambda ring, handle: ring.derive(
            KeySpec("encrypt", cipher, "derived"), handle
        ),
        "wrap": wrapping,
        "agree": agreement,
    }


def first_of(suite_id: str, purpose: Purpose) -> str:
    """Return the first algorithm of a suite that serves a purpose."""
    return next(
        name
        for name in Policy(suite_id).allowed
        if purpose in ALGORITHMS[name].purposes
    )


def outside(raw: bytes) -> SecretBuffer:
    """Return secret memory that holds `raw`."""
    buffer = SecretBuffer(len(raw))
    buffer.view[:] = raw
    return buffer
