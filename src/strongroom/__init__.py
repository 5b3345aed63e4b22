# SPDX-License-Identifier: Apache-2.0
"""Strongroom: confidential computing for Python; data usable, never visible."""

from strongroom.errors import Finding, Refused, StrongroomError

__all__ = ["Finding", "Refused", "StrongroomError"]
