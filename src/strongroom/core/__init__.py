# SPDX-License-Identifier: Apache-2.0
"""Pure vocabulary: values, formats and algorithms; no I/O and no clock."""
