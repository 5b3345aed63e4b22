# SPDX-License-Identifier: Apache-2.0
"""NVIDIA GPUs and NVSwitches: measurements by SPDM 1.1, signed by the device.

abi          the request, the response and NVIDIA's opaque data
collateral   the device's certificates and the firmware id in them
verify       pure verification
"""
