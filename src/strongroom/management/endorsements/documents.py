# SPDX-License-Identifier: Apache-2.0
"""What an endorsement is for, from when and until when it counts: read, not verified.

Dates and subjects steer the store alone (what to list as expired, what replaces what,
what a verifier is handed). Verifiers check every signature and date themselves.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from strongroom.core.codec.cwt import SignedCertificate
from strongroom.core.codec.layout import NOT_LAID_OUT
from strongroom.core.codec.record import Record
from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats.claims import ID_BYTES
from strongroom.errors import Malformed
from strongroom.services.attestation.subjects import document_subject

MAX_DOCUMENT_BYTES = 16 << 20
ANCHOR, REVOKED = "trust_anchor", "revoked"
_INTEL_JSON = {"tcb_info": "tcbInfo", "qe_identity": "enclaveIdentity"}
_LISTS = ("crl", "crls")
_SINGLE = ("tcb_info", "qe_identity", "vcek")
"""Of these a verifier takes one for a platform: the newest replaces the others."""


def is_anchor(role: str) -> bool:
    """Whether documents of a role are trusted as they stand: a person's to bring."""
    return role == ANCHOR or role.endswith(f"_{ANCHOR}") or role.startswith("trusted_")


@dataclass(frozen=True)
class Incoming:
    """A document that somebody brings.

    Args:
        role: as verifiers name it: "tcb_info", "crl"; "trust_anchor" for a root,
            "revoked" for the 32-byte id of a key that nobody may use.
        kinds: kinds of hardware that it is for.
        data: as it was published.
        source: where it comes from, for people.
    """

    role: str
    kinds: tuple[str, ...]
    data: bytes
    source: str


@dataclass(frozen=True)
class Document(Record):
    """A document as the index has it; `digest` (SHA-256) names its file.

    `slot` is what a newer document of the same role and kinds replaces it by; "" for
    documents that stand beside each other. Times are Unix seconds, None where the
    document does not say.
    """

    digest: bytes
    role: str
    kinds: tuple[str, ...]
    subject: str
    slot: str
    source: str
    imported_at: int
    issued_at: int | None
    not_after: int | None

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.digest.hex()

    def is_for(self, kind: str, subject: str) -> bool:
        """Whether a verifier of `kind` wants it; an open subject wants all."""
        return kind in self.kinds and (
            not subject or not self.subject or self.subject == subject
        )

    def expired(self, now: int) -> bool:
        """Whether it says that it no longer counts at `now`."""
        return self.not_after is not None and now > self.not_after


def describe(incoming: Incoming, now: int) -> Document:
    """Return the index entry of a document.

    Raises:
        Malformed: too long, without a kind, or not of its role.
    """
    role, data = incoming.role, incoming.data
    if not incoming.kinds or not role or not 0 < len(data) <= MAX_DOCUMENT_BYTES:
        message = (
            f"an endorsement has a role, kinds, and 1 to {MAX_DOCUMENT_BYTES} bytes"
        )
        raise Malformed(message)
    subject = document_subject(role, data)
    issued_at, not_after, slot = _life(role, data)
    if role in _SINGLE:
        slot = f"{role} {subject}".strip()
    elif role.endswith("_issuer_chain"):
        slot = f"{role} {_first_subject(data)}"
    return Document(
        digest=hashlib.sha256(data).digest(),
        role=role,
        kinds=tuple(sorted(set(incoming.kinds))),
        subject=subject,
        slot=slot,
        source=incoming.source,
        imported_at=now,
        issued_at=issued_at,
        not_after=not_after,
    )


def _life(role: str, data: bytes) -> tuple[int | None, int | None, str]:
    """Return from when and until when a document counts, and its slot."""
    if role == REVOKED:
        if len(data) != ID_BYTES:
            message = f"a revoked key is named by its id of {ID_BYTES} bytes"
            raise Malformed(message)
        return None, None, ""
    if role in _INTEL_JSON:
        return _life_of_intel_json(_INTEL_JSON[role], data)
    if role.endswith(_LISTS):
        crl = RevocationList.read(data)
        issuer = hashlib.sha256(crl.issuer + crl.authority_key).hexdigest()
        return crl.this_update, crl.next_update, f"{role} {issuer}"
    return _life_of_certificates(data)


def _life_of_intel_json(inner: str, data: bytes) -> tuple[int, int, str]:
    try:
        value = json.loads(data)
        value = value.get(inner, value)
        return _seconds(value["issueDate"]), _seconds(value["nextUpdate"]), ""
    except NOT_LAID_OUT as error:
        message = f"no {inner} of Intel's service with issueDate and nextUpdate"
        raise Malformed(message) from error


def _life_of_certificates(data: bytes) -> tuple[int | None, int | None, str]:
    """Return the window of certificates of either format; none for other documents."""
    try:
        found = Certificate.read_all(data)
    except Malformed:
        return _life_of_own_certificate(data)
    if not found:
        return None, None, ""
    return (
        max(each.not_before for each in found),
        min(each.not_after for each in found),
        "",
    )


def _life_of_own_certificate(data: bytes) -> tuple[int | None, int | None, str]:
    try:
        claims = SignedCertificate.parse(data).claims
    except Malformed:
        return None, None, ""
    return claims.not_before, claims.expires_at - 1, ""


def _first_subject(chain: bytes) -> str:
    """Return what tells the chain of one issuer from that of another."""
    found = Certificate.read_all(chain)
    if not found:
        message = "an issuer chain holds a certificate"
        raise Malformed(message)
    return hashlib.sha256(found[0].subject).hexdigest()


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
