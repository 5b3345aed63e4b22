# SPDX-License-Identifier: Apache-2.0
"""RA-TLS that ends inside a real enclave: the host sees TLS records and no more."""

import os
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.services.channel.ra_tls.connection import client_end
from strongroom.services.channel.ra_tls.peer import Enclave as Accepts
from strongroom.services.isolation import Enclave
from tests.services.channel.enclave_room import Room, room_in
from tests.services.channel.ra_tls.ra_tls_program import BEGIN, CARRY, CONNECT
from tests.system.deployment import SUITES

PROGRAM = "tests.services.channel.ra_tls.ra_tls_program"


@pytest.fixture(scope="module", params=SUITES)
def room(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("ra-tls-enclave") / "d"
    with room_in(folder, str(request.param), PROGRAM) as made:
        yield made


def connected(enclave: Enclave) -> None:
    enclave.call(CONNECT, b"")


def test_tls_ends_inside_the_enclave_and_nowhere_before(room: Room) -> None:
    room.enclave.call(BEGIN, room.verify.carrier(os.urandom(16)).to_bytes())
    connected(room.enclave)
    peer = Accepts(room.verify.verify, lambda: int(time.time()) + 1, 0)
    one = client_end(room.suite_id, None, peer).connection()
    seen = bytearray()

    def carry() -> None:
        there = one.outgoing()
        back = room.enclave.call(CARRY, there)
        seen.extend(there + back)
        one.feed(back)

    one.feed(b"")
    for _ in range(4):
        carry()
    assert one.is_open
    one.send(b"a patient's diagnosis")
    carry()
    assert one.take() == b"A PATIENT'S DIAGNOSIS"
    assert b"diagnosis" not in bytes(seen).lower()
