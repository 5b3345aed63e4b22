# SPDX-License-Identifier: Apache-2.0
"""Bytes to values and back, one module a format; every parser is total."""
