# SPDX-License-Identifier: Apache-2.0
"""The unified interface: fifteen functions, the same from inside and outside (IF).

`INTERFACES` is the standard's table; the number of a row is the method that the
ordinary side calls through the gate. Arguments and results are plain values, so that
any language that can write CBOR can call them (SYS-5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Protocol

CONVERSE: Final = 16
"""The method that carries the messages of a channel after its offer (7.5 c to e)."""

ENTRIES: Final = 17
"""The method that tells the names of the app's entry points."""

CARRIED: Final = 18
"""The method that carries the bytes of RA-TLS connections into the app (7.5)."""

FIRST_ENTRY: Final = 32
"""The method number of an app's first entry point; they follow by name."""

Policy = Literal["measurement", "signer"]
Subject = Literal["app", "platform"]


@dataclass(frozen=True)
class Interface:
    """One row: what the standard calls it, and what it takes and gives."""

    name: str
    service: str
    title: str
    takes: Mapping[str, type]
    gives: type

    @property
    def summary(self) -> str:
        """The call as a person reads it."""
        taken = ", ".join(
            f"{name}: {kind.__name__}" for name, kind in self.takes.items()
        )
        gives = "None" if self.gives is type(None) else self.gives.__name__
        return f"{self.name}({taken}) -> {gives}"


_SEALING = {"associated_data": bytes}

INTERFACES: Final[Mapping[int, Interface]] = MappingProxyType(
    {
        1: Interface(
            "create", "isolated computing", "create CCA", {"bundle": bytes}, bytes
        ),
        2: Interface(
            "destroy", "isolated computing", "destroy CCA", {"enclave": bytes}, bytes
        ),
        3: Interface(
            "report",
            "remote attestation",
            "request report",
            {"nonce": bytes, "user_data": bytes, "subject": str},
            bytes,
        ),
        4: Interface(
            "verify_report",
            "remote attestation",
            "verify report",
            {"evidence": bytes, "endorsements": bytes, "policy": bytes, "nonce": bytes},
            dict,
        ),
        5: Interface(
            "open_channel", "secure channel", "channel init", {"hello": bytes}, bytes
        ),
        6: Interface(
            "store",
            "storage protection",
            "store block",
            {"namespace": str, "block": str, "data": bytes},
            type(None),
        ),
        7: Interface(
            "load",
            "storage protection",
            "read block",
            {"namespace": str, "block": str},
            bytes,
        ),
        8: Interface("random", "crypto operation", "random", {"n": int}, bytes),
        9: Interface(
            "generate_key",
            "crypto operation",
            "key generation",
            {"algorithm": str, "purpose": str, "label": str},
            bytes,
        ),
        10: Interface(
            "encrypt",
            "crypto operation",
            "encrypt",
            {"key": bytes, "data": bytes, **_SEALING},
            bytes,
        ),
        11: Interface(
            "decrypt",
            "crypto operation",
            "decrypt",
            {"key": bytes, "data": bytes, **_SEALING},
            bytes,
        ),
        12: Interface(
            "sign", "crypto operation", "sign", {"key": bytes, "message": bytes}, bytes
        ),
        13: Interface(
            "verify_signature",
            "crypto operation",
            "verify signature",
            {"key": bytes, "message": bytes, "signature": bytes},
            bool,
        ),
        14: Interface(
            "seal",
            "data sealing",
            "seal",
            {"data": bytes, "policy": str, **_SEALING},
            bytes,
        ),
        15: Interface(
            "unseal",
            "data sealing",
            "unseal",
            {"sealed": bytes, **_SEALING, "approval": bytes},
            bytes,
        ),
    }
)
NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {row.name: number for number, row in INTERFACES.items()}
)


class Services(Protocol):
    """The eight security services: the same names and types on both sides."""

    def create(self, bundle: bytes) -> bytes:
        """Create an application in an enclave of its own; return its id (IF-1)."""

    def destroy(self, enclave: bytes) -> bytes:
        """Destroy one that was created; return the signed record of it (IF-2)."""

    def report(
        self, nonce: bytes, user_data: bytes = b"", subject: Subject = "app"
    ) -> bytes:
        """Return evidence for a nonce of 8 to 64 bytes (IF-3).

        Of both layers, or of the platform alone, which binds no user data.
        """

    def verify_report(
        self, evidence: bytes, endorsements: bytes, policy: bytes, nonce: bytes
    ) -> dict[str, object]:
        """Verify evidence of another, appraise it, and return the verdict (IF-4).

        A policy without apps is for a platform alone, and for nothing else.
        """

    def open_channel(self, hello: bytes) -> bytes:
        """Answer a client's hello; records follow under the keys agreed on (IF-5)."""

    def store(self, namespace: str, block: str, data: bytes) -> None:
        """Store a block encrypted outside; it is durable on return (IF-6)."""

    def load(self, namespace: str, block: str) -> bytes:
        """Return a stored block if it is the newest version of it (IF-7)."""

    def random(self, n: int) -> bytes:
        """Return `n` random bytes, 1 to 4096 (IF-8)."""

    def generate_key(self, algorithm: str, purpose: str, label: str) -> bytes:
        """Make a key in here and return its handle, 16 bytes (IF-9)."""

    def encrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Encrypt under the key of a handle (IF-10)."""

    def decrypt(self, key: bytes, data: bytes, associated_data: bytes = b"") -> bytes:
        """Decrypt what `encrypt` gave, under any version of the key (IF-11)."""

    def sign(self, key: bytes, message: bytes) -> bytes:
        """Sign with the key of a handle (IF-12)."""

    def verify_signature(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature over `message` is that of a handle's key (IF-13)."""

    def seal(
        self, data: bytes, policy: Policy = "measurement", associated_data: bytes = b""
    ) -> bytes:
        """Bind data to what this app is (IF-14)."""

    def unseal(
        self, sealed: bytes, associated_data: bytes = b"", approval: bytes = b""
    ) -> bytes:
        """Return data that is bound to what this app is (IF-15)."""
