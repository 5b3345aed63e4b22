# SPDX-License-Identifier: Apache-2.0
"""TPM 2.0: evidence of measured boot, and a root of trust of ordinary servers."""
