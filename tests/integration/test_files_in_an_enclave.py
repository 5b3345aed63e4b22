# SPDX-License-Identifier: Apache-2.0
"""DuckDB and Arrow in an enclave work on protected files; the host has ciphertext."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from strongroom.application.sdk.outside import OutsideServices
from strongroom.core.codec.bundle import EntryPoint, OutputRule, Parameter
from strongroom.errors import Refused
from strongroom.node.roots import Root
from tests.integration.machine import Machine

SOURCE = b"""
import duckdb
import pyarrow.parquet as pq

def write(services, rows):
    with duckdb.connect() as sql:
        sql.register_filesystem(services.file_system("ledger"))
        sql.execute(
            f"COPY (SELECT range AS id, 'haemophilia' AS illness FROM range({rows}))"
            " TO 'protected://cohort/patients.parquet'"
        )

def by_duckdb(services):
    with duckdb.connect() as sql:
        sql.register_filesystem(services.file_system("ledger"))
        found = "SELECT sum(id), any_value(illness) FROM 'protected://cohort/*.parquet'"
        total, illness = sql.execute(found).fetchone()
    return [int(total), illness]

def by_arrow(services):
    with services.files("ledger").open("cohort/patients.parquet") as file:
        return pq.read_table(file).num_rows

def elsewhere(services):
    services.files("journal")
"""
ROWS = 100_000
_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
_ROWS = Parameter("rows", "integer", many=False)
ENTRIES = [
    EntryPoint("by_arrow", "main:by_arrow", (), _OUTPUT).to_value(),
    EntryPoint("by_duckdb", "main:by_duckdb", (), _OUTPUT).to_value(),
    EntryPoint("elsewhere", "main:elsewhere", (), _OUTPUT).to_value(),
    EntryPoint("write", "main:write", (_ROWS,), _OUTPUT).to_value(),
]


@pytest.fixture(scope="module", params=["sm", "intl"])
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("files") / "m"
    made = Machine(folder, str(request.param), Root())
    with made.start():
        yield made


@contextmanager
def fresh(machine: Machine) -> Iterator[OutsideServices]:
    bundle = machine.bundle(SOURCE, entry_points=ENTRIES, threads=4)
    with machine.connect() as isolation, machine.fresh(isolation, bundle) as services:
        yield services


def test_a_file_outlives_the_enclave_that_wrote_it(machine: Machine) -> None:
    with fresh(machine) as writer:
        writer.call("write", rows=ROWS)
    with fresh(machine) as reader:
        assert reader.call("by_duckdb") == [sum(range(ROWS)), "haemophilia"]
        assert reader.call("by_arrow") == ROWS
    host = [each for each in machine.folder.rglob("objects/**/*") if each.is_file()]
    assert host
    kept = b"".join(each.name.encode() + each.read_bytes() for each in host)
    assert b"haemophilia" not in kept
    assert b"patients" not in kept


def test_files_of_a_namespace_that_is_not_declared_are_refused(
    machine: Machine,
) -> None:
    with fresh(machine) as services, pytest.raises(Refused) as refused:
        services.call("elsewhere")
    assert refused.value.findings[0].rule == "resource.storage"
