# SPDX-License-Identifier: Apache-2.0
"""Durable small files of the nodes, as everywhere."""

from strongroom.management.files import write_durably

__all__ = ["write_durably"]
