# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of every parser, and mutation of every valid case."""
