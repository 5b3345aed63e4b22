# SPDX-License-Identifier: Apache-2.0
"""Linux's common interface for attestation reports, configfs-tsm (since Linux 6.7)."""
