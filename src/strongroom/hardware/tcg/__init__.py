# SPDX-License-Identifier: Apache-2.0
"""Formats that several kinds of evidence share: a TPM's, and Azure's around one. Pure.

quote, signature, public, pcrs   what a TPM says and signs (TPM 2.0 Library)
event_log, measured_boot         what firmware measured (PC Client Firmware Profile)
quoted                           a quote with what belongs to it, verified
hcl, vtpm                        a TPM inside a confidential VM of Azure
"""
