# SPDX-License-Identifier: Apache-2.0
"""The monitor: measures, starts and ends enclaves, owns the gate, signs reports.

admission   which bundles start           measure    what booted
sandbox     the locks of an enclave       template   the process they fork from
gate        the numbered commands         enclave    the inside end of the gate
report      app evidence, both ways       monitor    the state behind the gate
"""
