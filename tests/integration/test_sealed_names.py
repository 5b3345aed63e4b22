# SPDX-License-Identifier: Apache-2.0
"""What a sealed blob says of itself in the clear is the host's to change (SEAL)."""

from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.errors import Refused, Tampered
from strongroom.node.roots import Root
from strongroom.services.sealing import SealedData
from tests.integration.machine import SOURCE, Machine

SECRET = b"the figures of the quarter"


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_names_that_the_host_writes_into_a_blob_open_nothing(
    tmp_path: Path, suite_id: str
) -> None:
    """Names only say why; what opens a blob is the key of what sealed it."""
    machine = Machine(tmp_path / "m", suite_id, Root())
    other = machine.bundle(SOURCE + b"#")
    with (
        machine,
        machine.connect() as isolation,
        machine.fresh(isolation, machine.bundle()) as services,
    ):
        blob = SealedData.from_bytes(services.seal(SECRET))
        with machine.fresh(isolation, other) as thief:
            mine = SealedData.from_bytes(thief.seal(b"mine"))
            renamed = replace(blob, binding=mine.binding)
            with pytest.raises(Tampered, match=r"seal\.data"):
                thief.unseal(renamed.to_bytes())
        moved = {
            "boot": replace(blob, booted=bytes(32)),
            "device": replace(blob, device=bytes(32)),
        }
        for name, each in moved.items():
            with pytest.raises(Refused, match=rf"seal\.{name}"):
                services.unseal(each.to_bytes())
        assert services.unseal(blob.to_bytes()) == SECRET
