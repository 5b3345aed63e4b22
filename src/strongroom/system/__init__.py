# SPDX-License-Identifier: Apache-2.0
"""System software layer: the monitor, the small trusted program under every app."""
