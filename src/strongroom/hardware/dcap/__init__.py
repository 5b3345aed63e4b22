# SPDX-License-Identifier: Apache-2.0
"""What Intel's SGX and TDX quotes share: DCAP signatures, certificates, TCB levels.

quote        the envelope of a quote                 documents  TCB info, QE identity
pck          what the PCK certificate says           tcb        how up to date it all is
collateral   what is verified once and remembered    envelope   the signatures
"""
