# SPDX-License-Identifier: Apache-2.0
"""Endorsements offline: a folder of what vendors publish for verifiers (RFC 9334).

documents    what a document is for, and until when    store   the folder and its index
sources      folders, cases and files to import        bundle  one file for an air gap
revocations  keys that a verifier revokes itself       trusts  what verifiers read it
                                                               through, verified once

Nothing here speaks to a network; who refreshes a store hands it the documents.
"""

from strongroom.management.endorsements.bundle import (
    EndorsementBundle,
    export_bundle,
    import_bundle,
)
from strongroom.management.endorsements.documents import (
    Document,
    Incoming,
    is_anchor,
)
from strongroom.management.endorsements.revocations import revocation
from strongroom.management.endorsements.sources import read_sources
from strongroom.management.endorsements.store import EndorsementStore
from strongroom.management.endorsements.trusts import StoredTrusts

__all__ = [
    "Document",
    "EndorsementBundle",
    "EndorsementStore",
    "Incoming",
    "StoredTrusts",
    "export_bundle",
    "import_bundle",
    "is_anchor",
    "read_sources",
    "revocation",
]
