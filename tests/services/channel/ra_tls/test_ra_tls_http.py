# SPDX-License-Identifier: Apache-2.0
"""RA-TLS under ordinary HTTP on loopback, and men in the middle of real TCP."""

import shutil
import socket
import ssl
import subprocess
import time

import httpx
import pytest

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.client.ra_tls import RaTlsTransport
from strongroom.errors import StrongroomError, Unavailable
from strongroom.services.channel.ra_tls.certificate import Shown
from strongroom.services.channel.ra_tls.connection import Endpoint, server_end
from strongroom.services.channel.ra_tls.stream import RaTlsStream
from tests.services.channel.ra_tls.ra_tls_world import (
    ANYBODY,
    SECRET,
    accepts_enclave,
    accepts_key,
    carried,
    client,
    enclave,
    party,
    server,
    serving,
)
from tests.services.ra_world import World, world_in


def http(endpoint: Endpoint) -> httpx.Client:
    return httpx.Client(transport=RaTlsTransport(endpoint), timeout=5)


def refused(endpoint: Endpoint, port: int) -> list[str]:
    """Return why a client does not talk to what is behind a port."""
    with http(endpoint) as client_, pytest.raises(StrongroomError) as caught:
        client_.post(f"https://127.0.0.1:{port}/", content=b"patient data")
    return sorted(finding.rule for finding in caught.value.findings)


def test_an_http_client_talks_to_an_enclave_that_it_has_verified(world: World) -> None:
    mine = enclave(world)
    with (
        serving(server(world, accepts_enclave(world))) as (port, errors),
        http(client(world, mine)) as session,
    ):
        url = f"https://127.0.0.1:{port}/"
        for _ in range(2):
            assert session.get(url).content == SECRET
        large = bytes(range(97, 113)) * (1 << 16)
        assert session.post(url, content=large).content == large.upper()
    assert errors == []


def test_a_known_party_is_served_and_a_stranger_is_not(world: World) -> None:
    mine = party(world)
    with serving(server(world, accepts_key(world, mine))) as (port, errors):
        url = f"https://127.0.0.1:{port}/"
        with http(client(world, mine)) as session:
            assert session.get(url).content == SECRET
        with (
            http(client(world, party(world))) as session,
            pytest.raises((httpx.HTTPError, StrongroomError)),
        ):
            session.get(url)
    assert [error.findings[0].rule for error in errors] == ["ra-tls.client"]


def test_what_is_not_https_is_not_sent(world: World) -> None:
    with http(client(world)) as session, pytest.raises(httpx.UnsupportedProtocol):
        session.get("http://127.0.0.1:1/")


def test_a_server_that_is_not_there_is_a_transport_error(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with http(client(world)) as session, pytest.raises(httpx.TransportError):
        session.get(f"https://127.0.0.1:{port}/")


def test_a_proxy_with_a_certificate_of_its_own_is_refused(world: World) -> None:
    """It terminates TLS itself: no evidence, or evidence about another key."""
    with serving(server(world, ANYBODY, party(world))) as (port, _):
        assert refused(client(world), port) == ["ra-tls.evidence"]


def test_a_proxy_that_relays_a_true_enclaves_evidence_is_refused(world: World) -> None:
    true, his = enclave(world), party(world)
    stolen = true.credential.certificate.extension("2.23.133.5.4.9")
    assert stolen is not None
    key = his.credential.key
    der = key.certify(
        "strongroom",
        (world.now - 60, world.now + 60),
        ("2.23.133.5.4.9", stolen),
    )
    man = Shown(type(his.credential)(key, der), true.report)
    with serving(server(world, ANYBODY, man)) as (port, _):
        assert refused(client(world), port) == ["app.nonce", "app.user_data"]


def test_a_man_who_passes_tls_on_sees_ciphertext_and_nothing_else(world: World) -> None:
    seen: list[bytes] = []

    def listen(name: str, data: bytes) -> bytes:
        seen.append(name.encode() + data)
        return data

    with (
        serving(server(world)) as (port, _),
        carried(port, listen) as through,
        http(client(world)) as session,
    ):
        answer = session.post(f"https://127.0.0.1:{through}/", content=b"diagnosis")
        assert answer.content == b"DIAGNOSIS"
    assert seen
    assert b"diagnosis" not in b"".join(seen).lower()


def test_a_man_who_rewrites_records_gets_nothing_and_is_noticed(world: World) -> None:
    spoiling: list[bool] = []

    def spoil(name: str, data: bytes) -> bytes:
        if name == "to client" and spoiling:
            return data[:-1] + bytes([data[-1] ^ 1])
        return data

    with (
        serving(server(world)) as (port, _),
        carried(port, spoil) as through,
        http(client(world)) as session,
    ):
        url = f"https://127.0.0.1:{through}/"
        assert session.get(url).content == SECRET
        spoiling.append(True)
        with pytest.raises((httpx.TransportError, StrongroomError)):
            session.get(url)


def test_an_answer_that_is_cut_off_is_no_answer(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        end = server(world)
        near = socket.create_connection(listener.getsockname())
        far = listener.accept()[0]
        near.settimeout(5)
        far.settimeout(5)
        one = client(world).connection()
        other = end.connection()
        _pump(one, other)
        stream = RaTlsStream(near, one)
        other.send(b"first half of an answer")
        far.sendall(other.outgoing())
        assert stream.recv(100) == b"first half of an answer"
        far.close()
        with pytest.raises(StrongroomError) as caught:
            stream.recv(100)
        near.close()
    assert caught.value.findings[0].rule == "ra-tls.truncated"


def _pump(one: object, other: object) -> None:
    one.feed(b"")  # type: ignore[attr-defined]
    for _ in range(6):
        other.feed(one.outgoing())  # type: ignore[attr-defined]
        one.feed(other.outgoing())  # type: ignore[attr-defined]


def test_a_peer_that_says_nothing_does_not_hold_a_thread_for_ever(
    world: World,
) -> None:
    near, far = socket.socketpair()
    near.settimeout(0.05)
    with pytest.raises(Unavailable):
        RaTlsStream.open(near, server(world))
    assert near.fileno() == -1
    far.close()


needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed"
)


def curl(port: int, *more: str) -> "subprocess.CompletedProcess[bytes]":
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", "5", *more]
    return subprocess.run(
        [*command, f"https://127.0.0.1:{port}/"], capture_output=True, check=False
    )


def wait_for(errors: list[StrongroomError]) -> None:
    """Return once the server's thread has said what was refused, at most 10 s later."""
    end = time.monotonic() + 10
    while not errors and time.monotonic() < end:
        time.sleep(0.01)


@needs_curl
def test_curl_talks_to_an_enclave_that_serves_anybody(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """`-k`: curl cannot judge evidence, so it takes whatever certificate there is."""
    with world_in(tmp_path_factory.mktemp("curl"), "intl") as intl:
        end = server_end("intl", enclave(intl), ANYBODY, ("X25519",))
        with serving(end) as (port, errors):
            assert curl(port, "-k").stdout == SECRET
            posted = curl(port, "-k", "--data-binary", "abc")
            assert posted.stdout == b"ABC"
            assert curl(port).returncode == 60  # without -k it does not believe it
            wait_for(errors)
        assert [error.findings[0].rule for error in errors] == ["tls.handshake"]


@needs_curl
def test_curl_does_not_get_into_a_server_that_asks_who_comes(world: World) -> None:
    with serving(server(world, accepts_enclave(world))) as (port, errors):
        assert curl(port, "-k").returncode != 0
        wait_for(errors)
    assert errors


def test_a_client_of_the_standard_library_reads_the_certificate(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with world_in(tmp_path_factory.mktemp("intl"), "intl") as intl:
        shown = enclave(intl)
        end = server_end("intl", shown, ANYBODY, ("X25519",))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            serving(end) as (port, _),
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain) as wrapped,
        ):
            assert wrapped.version() == "TLSv1.3"
            found = wrapped.getpeercert(binary_form=True)
            wrapped.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := wrapped.recv(1 << 16):
                answer += part
        assert found == shown.credential.certificate.der
        assert answer.endswith(SECRET)
