# SPDX-License-Identifier: Apache-2.0
"""Arm CCA: tokens of realms (draft-ffm-rats-cca-token, RMM specification 1.0).

abi     the token, its two claims sets and the states of a platform
verify  pure verification
attest  a token from the realm that this runs in
"""
