# SPDX-License-Identifier: Apache-2.0
"""The app runs in a process without keys, and only its result comes back."""

import json
import os

import pyarrow as pa
import pytest

from strongroom.application.runtime.worker import Memory, Worker
from strongroom.errors import AppFailed, LimitReached

CSV = b"a,b\n1,2\n3,4\n"


def run(source: str, values: dict[str, object] | None = None, *tables: bytes) -> bytes:
    rows: list[object] = [
        {"parameter": "rows", "type": "table", "many": True, "media_type": "text/csv"}
        for _ in tables
    ]
    job: dict[str, object] = {
        "files": {"main.py": source.encode(), "note.txt": b"measured"},
        "function": "main:main",
        "inputs": rows,
        "values": values or {},
    }
    with Worker.fork(memory_bytes=4096) as worker:
        _, memory = worker.run(job, [Memory.of(table) for table in tables])
        with memory.map() as view:
            return bytes(view)


def test_tables_arrive_and_a_result_returns() -> None:
    source = "def main(rows): return {'n': sum(t.num_rows for t in rows)}"
    assert run(source, None, CSV, CSV) == b'{"n": 4}'


def test_a_table_returns_as_an_arrow_stream() -> None:
    data = run("def main(rows): return rows[0]", None, CSV)
    assert pa.ipc.open_stream(data).read_all().to_pydict() == {"a": [1, 3], "b": [2, 4]}


def test_values_arrive_as_themselves() -> None:
    assert run("def main(x): return x", {"x": {"y": [1, "z"]}}) == b'{"y": [1, "z"]}'


def test_the_app_reads_its_own_files_only() -> None:
    read = "from strongroom.application.sdk import bundle_file\n"
    assert run(read + "def main(): return bundle_file('note.txt')") == b"measured"
    with pytest.raises(Exception, match="no file"):
        run(read + "def main(): return bundle_file('../../etc/passwd')")


def test_what_the_app_raises_stays_inside() -> None:
    with pytest.raises(AppFailed) as failure:
        run("def main(): raise ValueError('patient 17 has a secret')")
    assert "patient" not in str(failure.value)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def main(:",
        "def main(): return object()",
        "def main(): return float('nan')",
    ],
)
def test_an_app_without_a_result_fails(source: str) -> None:
    with pytest.raises(AppFailed):
        run(source)


def test_running_out_of_memory_is_a_limit() -> None:
    with pytest.raises(LimitReached, match="memory_bytes: 4096") as failure:
        run("def main(): raise MemoryError")
    assert [each.rule for each in failure.value.findings] == ["resource.memory_bytes"]


def test_an_app_that_ends_its_process_fails() -> None:
    with pytest.raises(AppFailed, match="ended"):
        run("import os\ndef main(): os._exit(3)")
    with pytest.raises(LimitReached):
        run("import os\ndef main(): os.kill(os.getpid(), 9)")


def test_the_worker_has_no_secret_of_its_parent() -> None:
    with Worker.fork() as worker:
        secret = os.urandom(32)  # made after the fork, as the enclave's keys are
        job: dict[str, object] = {
            "files": {"main.py": SEARCH},
            "function": "main:main",
            "inputs": [],
            "values": {"masked": bytes(byte ^ 0x55 for byte in secret).hex()},
        }
        _, memory = worker.run(job, [])
        with memory.map() as view:
            assert bytes(view) == b'{"found": false, "works": true}'
        del secret


# Searches memory through a mask, so that the search itself never holds the secret.
SEARCH = b"""
TABLE = bytes(i ^ 0x55 for i in range(256))

def search(wanted):
    for line in open("/proc/self/maps"):
        span, mode = line.split()[:2]
        if not mode.startswith("rw"):
            continue
        start, end = (int(x, 16) for x in span.split("-"))
        try:
            with open("/proc/self/mem", "rb") as memory:
                memory.seek(start)
                if wanted in memory.read(end - start).translate(TABLE):
                    return True
        except OSError:
            continue
    return False

def main(masked):
    planted = bytes(range(100, 132))
    return {
        "found": search(bytes.fromhex(masked)),
        "works": search(planted.translate(TABLE)),
    }
"""


def test_the_worker_has_no_descriptor_but_its_link() -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        source = (
            "import os\n"
            "def main():\n"
            "    kinds = []\n"
            "    for name in os.listdir('/proc/self/fd'):\n"
            "        if os.path.lexists(f'/proc/self/fd/{name}'):\n"
            "            kinds.append(os.readlink(f'/proc/self/fd/{name}'))\n"
            "    return sorted(k.split(':')[0] for k in kinds)\n"
        )
        found = json.loads(run(source))
    finally:
        os.close(read)
        os.close(write)
    assert found == ["/dev/null", "/dev/null", "/dev/null", "socket"]
