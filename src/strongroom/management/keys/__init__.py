# SPDX-License-Identifier: Apache-2.0
"""Key management: who the parties are and how their keys rest (KM-1, KM-3)."""

from strongroom.management.keys.identity import Identity, PublicIdentity

__all__ = ["Identity", "PublicIdentity"]
