# SPDX-License-Identifier: Apache-2.0
"""Hygon CSV: virtual machines, reports signed with SM2.

abi          the report, versions 1 and 2    verify   pure verification
certificate  Hygon's certificate formats     attest   a report of this guest
"""
