# SPDX-License-Identifier: Apache-2.0
"""The app of the attack suite: it plants secrets, and attacks from within."""
