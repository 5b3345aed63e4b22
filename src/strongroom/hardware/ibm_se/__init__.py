# SPDX-License-Identifier: Apache-2.0
"""IBM Secure Execution for Linux: host-key documents of IBM Z and LinuxONE."""
