# SPDX-License-Identifier: Apache-2.0
"""The secure channel over the ordinary side, which sees ciphertext only (CHAN, 7.5)."""

from strongroom.services.channel.agent import ChannelAgent
from strongroom.services.channel.records import Conversation
from strongroom.services.channel.service import ChannelService
from strongroom.services.channel.verifying import Verify
from strongroom.services.channel.who import listed, signed_by

__all__ = [
    "ChannelAgent",
    "ChannelService",
    "Conversation",
    "Verify",
    "listed",
    "signed_by",
]
