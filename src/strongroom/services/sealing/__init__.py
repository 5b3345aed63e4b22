# SPDX-License-Identifier: Apache-2.0
"""Data under keys: an app's own (`Sealer`), datasets as files (core/codec/sealed)."""

from strongroom.services.sealing.data import SealedData, Sealer
from strongroom.services.sealing.files import Reader, SealedInfo, describe, seal_file
from strongroom.services.sealing.reading import SealedFile

__all__ = [
    "Reader",
    "SealedData",
    "SealedFile",
    "SealedInfo",
    "Sealer",
    "describe",
    "seal_file",
]
