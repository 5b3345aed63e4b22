# SPDX-License-Identifier: Apache-2.0
"""An app in an enclave keeps its data in each kind of store, on real servers (STOR)."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.node.roots import Root
from tests.integration.machine import SOURCE, Machine
from tests.node.stores import servers
from tests.services.storage.needs import needed

PLANTED = b"planted figures"


@pytest.fixture(params=["folder", "sqlite", "postgresql", "s3"])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Return where a store is; its server runs meanwhile."""
    if request.param == "folder":
        yield f"folder:{tmp_path}/store"
        return
    if request.param == "s3":
        with servers.s3() as variables:
            for name in [each for each in os.environ if each.startswith("AWS_")]:
                monkeypatch.delenv(name)
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            yield f"s3://rooms/{secrets.token_hex(4)}"
        return
    needed("sqlalchemy")
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    needed("psycopg")
    with servers.postgresql() as address:
        yield address


def test_blocks_and_keys_outlive_the_enclave(url: str, tmp_path: Path) -> None:
    """Two namespaces share one store, and what was written last is what counts."""
    machine = Machine(tmp_path / "m", "intl", Root())
    machine.store = url
    bundle = machine.bundle(SOURCE, storage=["keys", "ledger"])
    with machine, machine.connect() as isolation:
        with machine.fresh(isolation, bundle) as services:
            services.store("ledger", "balance", b"an older one")
            services.store("ledger", "balance", PLANTED)
            key = services.generate_key("aes-256-gcm", "encrypt", "letters")
            letter = services.encrypt(key, PLANTED)
        with machine.fresh(isolation, bundle) as services:
            assert services.load("ledger", "balance") == PLANTED
            assert services.decrypt(key, letter) == PLANTED
        store = machine.objects("ledger")
        assert store is machine.objects("keys")
        names = list(store.names(""))
        assert len({name.partition("/")[0] for name in names}) == 2  # two places
        assert not any(PLANTED in (store.get(name) or b"") for name in names)
