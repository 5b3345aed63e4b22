# SPDX-License-Identifier: Apache-2.0
"""Real servers for the tests of stores: PostgreSQL, and S3 by moto over HTTP."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.storage.needs import absent, needed

_DEADLINE_S = 30.0
_SERVER_USER = "postgres"


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server on a socket in a folder of its own; yield its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        absent("no PostgreSQL server: apt-get install postgresql")
    folder = found[-1].parent
    # The server refuses to run as root: Debian's package brings a user for it.
    user = _SERVER_USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="strongroom-pg-", dir="/tmp") as base:
        if user:
            subprocess.run(["chown", user, base], check=True)
        data, name = Path(base) / "data", user or _current_user()

        def run(*command: str | Path) -> None:
            subprocess.run(
                [*map(str, command)],
                check=True,
                user=user,
                cwd=base,
                stdout=subprocess.DEVNULL,
            )

        run(folder / "initdb", "-D", data, "-U", name, "--auth=trust", "--no-sync")
        options = f"-k {base} -c listen_addresses="
        log = Path(base) / "log"
        ctl = (folder / "pg_ctl", "-D", data, "-w", "-l", log)
        run(*ctl, "-o", options, "start")
        try:
            yield f"postgresql://{name}@/postgres?host={base}"
        finally:
            run(*ctl, "-m", "immediate", "stop")


@contextmanager
def s3() -> Iterator[dict[str, str]]:
    """Run an S3 server with a bucket "rooms"; yield the variables that lead to it."""
    needed("moto")
    needed("obstore")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        _make_bucket(f"{url}/rooms", process)
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
    finally:
        process.terminate()
        process.wait()


def _make_bucket(url: str, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(url, method="PUT")  # noqa: S310 - our own server
    end = time.monotonic() + _DEADLINE_S
    while True:
        try:
            urllib.request.urlopen(request).close()  # noqa: S310 - our own server
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, "the S3 server ended"
            assert time.monotonic() < end, "the S3 server does not answer"
            time.sleep(0.05)
        else:
            return


def _current_user() -> str:
    return subprocess.run(
        ["id", "-un"], check=True, capture_output=True, text=True
    ).stdout.strip()
