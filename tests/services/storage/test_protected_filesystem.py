# SPDX-License-Identifier: Apache-2.0
"""DuckDB and Arrow read and write protected files as if they were ordinary ones."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FSSpecHandler, PyFileSystem

from strongroom.core.crypto import SUITES
from strongroom.node.stores.folder import FolderStore
from strongroom.services.storage import ProtectedFiles, Storage
from tests.services.storage.needs import needed
from tests.services.storage.worlds import World

needed("fsspec")
from strongroom.services.storage.filesystem import (  # noqa: E402 - after the check
    ProtectedFileSystem,
)

SECRET = "haemophilia"


@pytest.fixture(params=sorted(SUITES))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    world = World(request.param)
    world.store = FolderStore(tmp_path)
    return world


@pytest.fixture
def storage(world: World) -> Iterator[Storage]:
    with world.open(create=True) as storage:
        yield storage


@pytest.fixture
def files(storage: Storage) -> ProtectedFiles:
    return ProtectedFiles(storage, block_bytes=4096)


@pytest.fixture
def sql(files: ProtectedFiles) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.register_filesystem(ProtectedFileSystem(files))
        yield connection


def plain(folder: Path) -> bytes:
    """Return every byte and name that the host has."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return b"".join(path.name.encode() + path.read_bytes() for path in found)


def patients(rows: int) -> pa.Table:
    return pa.table({"id": range(rows), "illness": [SECRET] * rows})


def test_duckdb_writes_and_reads_parquet_and_csv(
    sql: duckdb.DuckDBPyConnection, files: ProtectedFiles, tmp_path: Path
) -> None:
    rows = "SELECT range AS id, 'haemophilia' AS illness FROM range(50000)"
    for name in ("patients.parquet", "folder/patients.csv"):
        sql.execute(f"COPY ({rows}) TO 'protected://{name}'")
        found = sql.execute(
            f"SELECT count(*), sum(id), any_value(illness) FROM 'protected://{name}'"  # noqa: S608 - a name of this test's
        ).fetchone()
        assert found == (50000, sum(range(50000)), SECRET)
    assert list(files.names()) == ["folder/patients.csv", "patients.parquet"]
    host = plain(tmp_path)
    assert SECRET.encode() not in host
    assert b"patients" not in host


def test_duckdb_finds_files_by_pattern(
    sql: duckdb.DuckDBPyConnection, files: ProtectedFiles
) -> None:
    for year in (2024, 2025):
        with files.create(f"years/{year}.parquet") as file:
            pq.write_table(patients(year), file)
    found = sql.execute("SELECT count(*) FROM 'protected://years/*.parquet'").fetchone()
    assert found == (2024 + 2025,)


@pytest.mark.parametrize(
    ("name", "options"),
    [("folder/t.parquet", ""), ("t.parquet", "(USE_TMP_FILE false)")],
)
def test_duckdb_sees_a_file_that_was_written_anew(
    sql: duckdb.DuckDBPyConnection, files: ProtectedFiles, name: str, options: str
) -> None:
    for rows in (10, 20):
        sql.execute(f"COPY (FROM range({rows})) TO 'protected://{name}' {options}")
        found = sql.execute(f"SELECT count(*) FROM 'protected://{name}'").fetchone()  # noqa: S608 - a name of this test's
        assert found == (rows,)
    assert list(files.names()) == [name]


def test_arrow_writes_and_reads_a_file(files: ProtectedFiles, tmp_path: Path) -> None:
    table = patients(20_000)
    with files.create("patients.parquet") as file:
        pq.write_table(table, file, row_group_size=1000)
    with files.open("patients.parquet") as file:
        assert pq.ParquetFile(file).read_row_group(7) == table.slice(7000, 1000)
        assert pq.read_table(file) == table
    assert SECRET.encode() not in plain(tmp_path)


def test_arrow_writes_and_reads_a_dataset_of_many_files(
    files: ProtectedFiles,
) -> None:
    system = PyFileSystem(FSSpecHandler(ProtectedFileSystem(files)))
    table = patients(10_000)
    ds.write_dataset(
        table,
        "cohort",
        filesystem=system,
        format="parquet",
        max_rows_per_file=3000,
        max_rows_per_group=1000,
    )
    assert len(list(files.names("cohort/"))) == 4
    read = ds.dataset("cohort", filesystem=system).to_table()
    assert read.sort_by("id") == table


def test_reading_ahead_of_the_owner_is_refused(
    world: World, files: ProtectedFiles
) -> None:
    with files.create("a") as file:
        file.write(b"one")
    world.open().close()
    with pytest.raises(Exception, match=r"storage\.superseded"):
        ProtectedFileSystem(files).open("a")


def test_the_file_system_answers_as_fsspec_expects(files: ProtectedFiles) -> None:
    system = ProtectedFileSystem(files)
    with system.open("protected://a/b", "xb") as file:
        file.write(b"text")
    with pytest.raises(FileExistsError):
        system.open("a/b", "xb")
    assert system.ls("", detail=False) == ["a"]
    assert system.ls("a") == [{"name": "a/b", "size": 4, "type": "file"}]
    assert system.ls("a/b") == system.ls("a")
    assert system.isdir("a")
    assert system.isfile("a/b")
    assert system.cat_file("a/b", start=1, end=3) == b"ex"
    system.mv("a/b", "c")
    assert system.find("") == ["c"]
    system.rm("c")
    for missing in (system.rm_file, system.open, system.info, system.ls):
        with pytest.raises(FileNotFoundError):
            missing("c")
    with pytest.raises(FileNotFoundError):
        system.mv("c", "d")
    with pytest.raises(ValueError, match="not 'ab'"):
        system.open("c", "ab")
    with pytest.raises(ValueError, match="compressed"):
        system.open("c", compression="gzip")
