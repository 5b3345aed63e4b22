# SPDX-License-Identifier: Apache-2.0
"""Platforms whose statement real hardware binds: one form over all kinds of it."""
