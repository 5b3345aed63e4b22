# SPDX-License-Identifier: Apache-2.0
"""The broker: the app in an enclave of its own that holds everybody's keys.

config      what it is started with and what it is known by
journal     sealed frames on the host's disk, under a monotonic counter
state       what it knows: a fold of events          events   the events
ledger      journal, state and audit log moving together
policy      usage policies (Cedar)                   checks   agreements
registry, contracts, tasks, queries                  the operations a party asks
release     the one place where keys leave           receipts what comes back
operation, messages, program                         from bytes to operations

All of it is inside the trusted computing base. Only names that the outside needs
are exported here, from a module that loads nothing else.
"""

from strongroom.application.broker.config import BrokerConfig, BrokerPublic, Method

__all__ = ["BrokerConfig", "BrokerPublic", "Method"]
