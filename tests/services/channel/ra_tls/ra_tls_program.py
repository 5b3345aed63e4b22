# SPDX-License-Identifier: Apache-2.0
"""A program for enclaves that terminates RA-TLS inside; the host carries ciphertext."""

from strongroom.core.rats import EnclaveGate, Evidence
from strongroom.errors import StrongroomError
from strongroom.services.channel.ra_tls.certificate import show_enclave
from strongroom.services.channel.ra_tls.connection import RaTlsConnection, server_end
from strongroom.services.channel.verifying import Anybody

BEGIN, CONNECT, CARRY = 1, 2, 3


def main(gate: EnclaveGate, bundle: bytes) -> None:
    """Answer everything that comes with the same in capitals."""
    del bundle
    talk = _Talk(gate)
    while (call := gate.receive()) is not None:
        try:
            gate.reply(talk.answer(call.method, call.payload))
        except StrongroomError as error:
            gate.fail(error)


class _Talk:
    def __init__(self, gate: EnclaveGate) -> None:
        self._gate = gate
        self._connection: RaTlsConnection | None = None

    def answer(self, method: int, payload: bytes) -> bytes:
        if method == BEGIN:
            self._begin(Evidence.from_bytes(payload))
        elif method == CONNECT:
            self._connection = self._endpoint.connection()
        elif self._connection is not None:
            return self._carry(self._connection, payload)
        return b""

    def _begin(self, platform: Evidence) -> None:
        gate, suite_id = self._gate, self._gate.config.decode()
        validity = (gate.now() - 60, gate.now() + 600)
        shown = show_enclave(suite_id, platform, gate.report, validity)
        self._endpoint = server_end(suite_id, shown, Anybody("a test"))

    def _carry(self, connection: RaTlsConnection, data: bytes) -> bytes:
        connection.feed(data)
        if said := connection.take():
            connection.send(said.upper())
        return connection.outgoing()
