# SPDX-License-Identifier: Apache-2.0
"""What an owner registers with the broker: a sealed dataset, or an app's code.

The key itself is never part of these statements; it travels beside them, inside a
message that only the attested broker can open.
"""

from dataclasses import dataclass

from strongroom.core.codec.bundle import Manifest
from strongroom.core.codec.record import Record


@dataclass(frozen=True)
class DatasetRegistration(Record):
    """A sealed dataset and its owner's usage policy, signed by the owner.

    `dataset` is the id that names the ciphertext (`core.codec.sealed.dataset_id`),
    `header` the sealed file's prefix up to the first segment, `policy` Cedar text.
    """

    TYPE = "strongroom/dataset/v1"

    dataset: str
    header: bytes
    length: int
    owner: str
    policy: str
    registered_at: int


@dataclass(frozen=True)
class AppRegistration(Record):
    """An app's manifest and, where its code is secret, the policy of its code key.

    `signer` is the key id that the bundle is signed with; `policy` is empty where
    the code is not encrypted.
    """

    TYPE = "strongroom/app/v1"

    manifest: Manifest
    signer: bytes
    owner: str
    policy: str
    registered_at: int
