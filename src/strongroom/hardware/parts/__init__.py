# SPDX-License-Identifier: Apache-2.0
"""Parts that roots of trust of our own making have in common.

files      private, durable files; secret ones never in ordinary memory
keys       one-purpose keys from a device's own
registers  the extend-only bank           counters   the durable journal of counters
rng        health tests of a generator    locks      what holds for this process
"""
