# SPDX-License-Identifier: Apache-2.0
"""AMD SEV-SNP: attestation reports of guests on Milan, Genoa and Turin."""
