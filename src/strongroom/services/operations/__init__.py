# SPDX-License-Identifier: Apache-2.0
"""Crypto operations by handle (IF-8 to IF-13, 7.7): the table and the key ring."""

from strongroom.services.operations.algorithms import ALGORITHMS, Algorithm
from strongroom.services.operations.keyring import Encrypted, KeyInfo, KeyRing

__all__ = ["ALGORITHMS", "Algorithm", "Encrypted", "KeyInfo", "KeyRing"]
