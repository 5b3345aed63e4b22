# SPDX-License-Identifier: Apache-2.0
"""The main job of the standard: an insurance underwriting query (AS-3)."""
