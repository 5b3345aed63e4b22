# SPDX-License-Identifier: Apache-2.0
"""Confidential VMs of Azure on AMD SEV-SNP, with a TPM that the paravisor emulates."""
