# SPDX-License-Identifier: Apache-2.0
"""Sealed datasets as files: seal once, read anywhere in them (core/codec/sealed)."""

from strongroom.services.sealing.files import Reader, SealedInfo, describe, seal_file
from strongroom.services.sealing.reading import SealedFile

__all__ = ["Reader", "SealedFile", "SealedInfo", "describe", "seal_file"]
