# SPDX-License-Identifier: Apache-2.0
"""What parties use from Python: a home, a session in a room, and its operations.

home, session     the party's folder; one party at work in one room
broker            verify the broker's evidence, then closed messages
datasets, apps    bring data and programs
agreements        propose, read, sign, withdraw
tasks, receipts   ask, fetch, verify
admin             the administrator's trusted list
"""

from strongroom.client.home import Home, PartyPolicy
from strongroom.client.session import Session

__all__ = ["Home", "PartyPolicy", "Session"]
