# SPDX-License-Identifier: Apache-2.0
"""Storage protection over an untrusted store (STOR, IF-6, IF-7)."""

from strongroom.services.storage.store import Place, ProtectedStore, Transaction

__all__ = ["Place", "ProtectedStore", "Transaction"]
