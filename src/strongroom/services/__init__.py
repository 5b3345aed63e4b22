# SPDX-License-Identifier: Apache-2.0
"""The security services of GB/T 45230 section 6, one room each."""
