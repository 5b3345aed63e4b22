# SPDX-License-Identifier: Apache-2.0
"""The ordinary side: untrusted carriers of ciphertext and signed statements.

Nothing here can read or forge what it carries; it can only refuse service. The
management node hosts the broker's enclave, a compute node hosts task enclaves.
"""
