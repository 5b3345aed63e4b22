# SPDX-License-Identifier: Apache-2.0
"""Confidential VMs of Azure on Intel TDX, with a TPM that the paravisor emulates."""
