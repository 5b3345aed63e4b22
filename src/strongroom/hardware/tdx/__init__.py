# SPDX-License-Identifier: Apache-2.0
"""Intel TDX: virtual machines, quotes of versions 4 and 5."""
