# SPDX-License-Identifier: Apache-2.0
"""An app's threads use the services at once, and each gets its own answer (SYS-2).

Its child processes compute; what they ask of the services is refused.
"""

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
_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
ENTRY = EntryPoint("at_once", "main:at_once", (), _OUTPUT)

CHILDREN = b"""
import os

def child(services, work):
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            os.write(write, str(work()).encode())
        except BaseException as error:
            os.write(write, type(error).__name__.encode())
        os._exit(0)
    os.close(write)
    return read

def children(services):
    key = services.generate_key("aes-256-gcm", "encrypt", "x")
    works = [
        lambda: [services.random(16) for _ in range(100)],
        lambda: services.report(bytes(32)),
        lambda: services.encrypt(key, b"x"),
        lambda: services.store("ledger", "x", b""),
        lambda: services.keys.generate("encrypt", "aes-256-gcm", "x"),
        lambda: sum(range(1000)),
    ]
    pipes = [child(services, work) for work in works]
    mine = [len(services.random(n)) for n in range(1, 300)] == [*range(1, 300)]
    said = [os.read(each, 200).decode() for each in pipes]
    for _ in works:
        os.wait()
    return [mine, *said]
"""


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


def test_children_of_an_app_take_nobodys_answers(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", "intl")
    entry = EntryPoint("children", "main:children", (), _OUTPUT)
    bundle = machine.bundle(CHILDREN, entry_points=[entry.to_value()], processes=6)
    with (
        machine.start(),
        machine.connect() as isolation,
        machine.fresh(isolation, bundle) as services,
    ):
        said = services.call("children")
        assert said == [True, *(["Conflict"] * 5), "499500"]
        assert len(services.random(8)) == 8
