# SPDX-License-Identifier: Apache-2.0
"""A store in one file, for machines behind an air gap; signed by whoever exports it."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.core.codec import cose
from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record, sign_record
from strongroom.core.crypto import SigningKey, VerifyingKey
from strongroom.errors import Untrusted
from strongroom.management.endorsements.documents import (
    Document,
    Incoming,
    is_anchor,
)
from strongroom.management.endorsements.store import EndorsementStore


@dataclass(frozen=True)
class Bundled(Record):
    """One document on its way."""

    role: str
    kinds: tuple[str, ...]
    source: str
    data: bytes


@dataclass(frozen=True)
class EndorsementBundle(Record):
    """Documents of a store at one moment, Unix seconds."""

    TYPE = "strongroom/endorsement-bundle/v1"

    made_at: int
    documents: tuple[Bundled, ...]


def export_bundle(
    store: EndorsementStore,
    now: int,
    *,
    kinds: Sequence[str] = (),
    key: SigningKey | None = None,
) -> bytes:
    """Return the bundle file of a store.

    Args:
        store: what to export.
        now: Unix seconds.
        kinds: only documents for one of these; empty for all.
        key: signs it; without one the file shows only that it is whole.
    """
    documents = tuple(
        Bundled(each.role, each.kinds, each.source, store.read(each))
        for each in store.index().documents
        if not kinds or set(kinds) & set(each.kinds)
    )
    bundle = EndorsementBundle(now, documents)
    return bundle.to_bytes() if key is None else sign_record(key, bundle)


def import_bundle(
    store: EndorsementStore,
    data: bytes,
    now: int,
    *,
    signer: VerifyingKey | None,
    anchors: bool,
) -> tuple[Document, ...]:
    """Import a bundle file; return what was new.

    Args:
        store: where to.
        data: from `export_bundle`.
        now: Unix seconds.
        signer: who must have signed it; None takes an unsigned file only.
        anchors: whether to take its roots and trusted keys too; otherwise they are
            left out.

    Raises:
        Malformed: no bundle.
        Untrusted: signed by someone else, or signed and nobody says by whom.
        Stale: `endorsement.rollback`.
    """
    bundle = _open(data, signer)
    incoming = [
        Incoming(each.role, each.kinds, each.data, each.source)
        for each in bundle.documents
        if anchors or not is_anchor(each.role)
    ]
    return store.add(incoming, now, anchors=anchors)


def _open(data: bytes, signer: VerifyingKey | None) -> EndorsementBundle:
    signed = data[:1] == cose.TAG
    if signer is not None and signed:
        return open_record(EndorsementBundle, data, signer)
    if signer is None and not signed:
        return EndorsementBundle.from_bytes(data)
    raise Untrusted.because(
        "endorsement.signer",
        "endorsements",
        expected="a bundle by the signer that was named" if signer else "its signer",
        got="an unsigned bundle" if signer else "nobody named",
        remedy="Name who signed the bundle, or import an unsigned one without a name.",
    )
