# SPDX-License-Identifier: Apache-2.0
"""Intel SGX: enclaves, quotes of version 3 (DCAP)."""
