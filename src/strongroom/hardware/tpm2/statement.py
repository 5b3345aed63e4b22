# SPDX-License-Identifier: Apache-2.0
"""The profile in which a platform on a TPM states its facts. Pure."""

from strongroom.core.rats.statement import Profile
from strongroom.hardware.tpm2.pcrs import KIND

PROFILE = Profile(
    KIND, "urn:x-strongroom:eat:tpm2:1", oemid=b"strongroom-tpm2.", hwmodel=None
)
"""The model is what the TPM calls itself (TPM_PT_MANUFACTURER, TPM_PT_VENDOR_STRING):
a software TPM says so ("IBM SW TPM"). It is not signed by the TPM."""
