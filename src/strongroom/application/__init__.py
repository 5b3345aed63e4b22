# SPDX-License-Identifier: Apache-2.0
"""Application layer: the SDK, the clean room's nouns, the broker, the runtime."""
