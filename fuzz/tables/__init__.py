# SPDX-License-Identifier: Apache-2.0
"""Parsers by where their bytes come from."""
