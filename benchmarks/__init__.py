# SPDX-License-Identifier: Apache-2.0
"""What we measure ourselves by: ratios, paired, in one run (docs/benchmarks.md)."""
