# SPDX-License-Identifier: Apache-2.0
"""Storage protection (存储保护): blocks and files over a store that is not trusted."""

from strongroom.services.storage.file import ProtectedFile
from strongroom.services.storage.files import ProtectedFiles
from strongroom.services.storage.place import Place
from strongroom.services.storage.storage import Storage
from strongroom.services.storage.views import Snapshot, Transaction

__all__ = [
    "Place",
    "ProtectedFile",
    "ProtectedFiles",
    "Snapshot",
    "Storage",
    "Transaction",
]
