# SPDX-License-Identifier: Apache-2.0
"""Cross-layer management: keys, logs, trusted lists (GB/T 45230 section 5)."""
