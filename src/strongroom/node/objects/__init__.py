# SPDX-License-Identifier: Apache-2.0
"""Where the ordinary side keeps protected blocks: ciphertext by name (7.8)."""

from strongroom.node.objects.folder import FolderObjects
from strongroom.node.objects.sqlite import SqliteObjects

__all__ = ["FolderObjects", "SqliteObjects"]
