# SPDX-License-Identifier: Apache-2.0
"""An app's threads use the services at once, and each gets its own answer (SYS-2)."""

from pathlib import Path

from strongroom.core.codec.bundle import EntryPoint, OutputRule
from tests.integration.machine import Machine

SOURCE = b"""
from concurrent.futures import ThreadPoolExecutor

def at_once(services):
    def one(n):
        block, data = f"block {n}", bytes([n]) * (n + 1)
        services.store("ledger", block, data)
        key = services.generate_key("aes-256-gcm", "encrypt", block)
        sealed = services.encrypt(key, data, block.encode())
        return (
            services.load("ledger", block) == data
            and services.decrypt(key, sealed, block.encode()) == data
            and len(services.random(n + 1)) == n + 1
            and services.unseal(services.seal(data)) == data
        )

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(one, range(60)))
"""
ENTRY = EntryPoint(
    "at_once", "main:at_once", (), OutputRule("json", (), 1, 1 << 16, 0, "")
)


def test_threads_of_an_app_do_not_take_one_anothers_answers(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", "intl")
    bundle = machine.bundle(
        SOURCE, entry_points=[ENTRY.to_value()], threads=6, storage=["keys", "ledger"]
    )
    with (
        machine.start(),
        machine.connect() as isolation,
        machine.fresh(isolation, bundle) as services,
    ):
        assert services.call("at_once") == 60
