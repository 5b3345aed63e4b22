# SPDX-License-Identifier: Apache-2.0
"""Long-lived trust over a store: verified chains are kept until the store changes.

One `Trust` a kind and platform, so that repeated verification costs what is new: the
signature over the evidence, and the decision. A change of the store drops them all.
"""

import threading
from collections import OrderedDict

from strongroom.core.rats import Trust
from strongroom.management.endorsements.store import EndorsementStore

_MAX_TRUSTS = 1024


class StoredTrusts:
    """Gives verifiers the endorsements of a store; usable from many threads."""

    def __init__(self, store: EndorsementStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._stamp = store.stamp
        self._version = store.index().version
        self._trusts: OrderedDict[tuple[str, str], Trust] = OrderedDict()

    @property
    def version(self) -> int:
        """The version of the store that answers now."""
        with self._lock:
            self._follow()
            return self._version

    def of(self, kind: str, subject: str) -> Trust:
        """Return what is trusted for evidence of `kind` about `subject`.

        Raises:
            Tampered: a document of the store was altered.
        """
        with self._lock:
            self._follow()
            key = (kind, subject)
            found = self._trusts.get(key)
            if found is None:
                found = Trust(self._store.endorsements(kind, subject))
                self._trusts[key] = found
                if len(self._trusts) > _MAX_TRUSTS:
                    self._trusts.popitem(last=False)
            else:
                self._trusts.move_to_end(key)
            return found

    def _follow(self) -> None:
        stamp = self._store.stamp
        if stamp != self._stamp:
            self._stamp = stamp
            self._version = self._store.index().version
            self._trusts.clear()
