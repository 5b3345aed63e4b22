# SPDX-License-Identifier: Apache-2.0
"""Hardware layer: one package a kind of platform, none knows another (STYLE rule 4)."""
