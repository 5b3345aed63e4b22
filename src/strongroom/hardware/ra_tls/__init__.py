# SPDX-License-Identifier: Apache-2.0
"""RA-TLS: certificates that carry a TEE's evidence about their own key."""
