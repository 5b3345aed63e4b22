# SPDX-License-Identifier: Apache-2.0
"""What runs first inside every enclave: the broker, or a task's key holder.

A task enclave holds two processes (ADR 0005): this runtime, which holds the keys,
opens the inputs, enforces the output rule and signs the receipt; and the worker,
which runs the app's code and holds no key.
"""

from strongroom.application.runtime.program import main

__all__ = ["main"]
