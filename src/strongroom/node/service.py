# SPDX-License-Identifier: Apache-2.0
"""The management node's HTTP service: opaque messages, ciphertext, the public log.

Every path carries what anyone may see. What only parties may see is inside the
boxes of `/v1/messages`, which the broker's enclave alone opens.
"""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from strongroom.application.broker import Method
from strongroom.core.rats import Evidence
from strongroom.errors import Malformed, StrongroomError
from strongroom.node.broker_host import BrokerHost
from strongroom.node.launch import LaunchPolicies
from strongroom.node.leases import Leases
from strongroom.node.replies import CBOR, body_map, error_response, reply
from strongroom.node.store import Kind, Store

Act = Callable[[str, int, dict[str, object]], dict[str, object]]
MAX_BODY_BYTES = 8 << 20
BROKER = "broker"
"""Names the broker's own enclave, whatever its id is at the moment."""
POLL_S = 2.0
"""How long a compute node's question for work may wait for an answer."""


def create_app(
    host: BrokerHost, store: Store, room: bytes, policies: LaunchPolicies, kind: str
) -> FastAPI:
    """Return the ASGI application of one management node.

    Args:
        host: the broker in its enclave.
        store: ciphertexts and bundles.
        room: the signed room file.
        policies: the launch policy that monitors ask for.
        kind: the kind of the platform under the broker.
    """
    app = FastAPI(title="Strongroom management node", docs_url=None, redoc_url=None)
    leases = Leases(host)
    app.add_exception_handler(StrongroomError, error_response)
    _add_public_paths(app, host, room, policies, kind)
    _add_message_path(app, host, leases)
    _add_store_paths(app, store)
    _add_node_paths(app, host, leases)
    return app


def _nonce(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        message = "a nonce is written in hex"
        raise Malformed(message) from error


def _enclave(text: str) -> bytes | None:
    return None if text == BROKER else _nonce(text)


def _add_public_paths(
    app: FastAPI, host: BrokerHost, room: bytes, policies: LaunchPolicies, kind: str
) -> None:
    @app.get("/v1/room")
    async def get_room() -> Response:
        return Response(room, media_type=CBOR)

    @app.get("/v1/hello")
    def hello(nonce: str = "") -> Response:
        fresh = _nonce(nonce)
        answer = host.call(Method.HELLO, {"nonce": fresh})
        evidence = Evidence(
            kind=kind, platform=host.platform_evidence(fresh), app=_bytes(answer["app"])
        )
        return reply({"public": answer["public"], "evidence": evidence.to_bytes()})

    @app.get("/v1/evidence")
    def evidence(nonce: str = "", enclave: str = "") -> Response:
        """Return the platform's evidence, with the monitor's report of an enclave."""
        fresh = _nonce(nonce)
        report = host.report(_enclave(enclave), fresh) if enclave else b""
        found = Evidence(kind=kind, platform=host.platform_evidence(fresh), app=report)
        return reply({"evidence": found.to_bytes()})

    @app.get("/v1/log/{path:path}")
    def log(path: str) -> Response:
        data = host.call(Method.LOG, {"path": path})["data"]
        return Response(_bytes(data), media_type="application/octet-stream")

    @app.get("/v1/launch-policy")
    async def launch_policy() -> Response:
        return Response(policies.newest(), media_type=CBOR)

    @app.put("/v1/launch-policy")
    async def put_launch_policy(request: Request) -> Response:
        policies.put(await request.body())
        return reply({})


def _add_message_path(app: FastAPI, host: BrokerHost, leases: Leases) -> None:
    @app.post("/v1/messages")
    async def message(request: Request) -> Response:
        value = await body_map(request, MAX_BODY_BYTES)
        answer = await run_in_threadpool(
            host.call, Method.MESSAGE, {"box": value.get("box")}
        )
        if answer["tickets"]:
            leases.announce()
        return reply({"box": answer["box"]})


def _add_store_paths(app: FastAPI, store: Store) -> None:
    def paths(kind: Kind) -> None:
        @app.put(f"/v1/{kind}/{{name}}")
        async def put(name: str, request: Request) -> Response:
            return reply({"length": await store.put(kind, name, request.stream())})

        @app.get(f"/v1/{kind}/{{name}}")
        async def get(name: str) -> Response:
            path = store.path(kind, name)
            return FileResponse(path, media_type="application/octet-stream")

    paths("objects")
    paths("bundles")


def _add_node_paths(app: FastAPI, host: BrokerHost, leases: Leases) -> None:
    @app.post("/v1/tickets")
    def tickets() -> Response:
        return reply({"tickets": leases.take(POLL_S)})

    @app.post("/v1/nodes/challenge")
    def challenge() -> Response:
        return reply(host.call(Method.CHALLENGE, {}))

    @app.post("/v1/nodes/check-in")
    async def check_in(request: Request) -> Response:
        value = await body_map(request, MAX_BODY_BYTES)
        return reply(await run_in_threadpool(host.call, Method.CHECK_IN, value))

    for path, act in _attempt_acts(host, leases).items():
        app.post(f"/v1/attempts/{{task}}/{{number}}/{path}")(_attempt_path(act))


def _attempt_acts(host: BrokerHost, leases: Leases) -> dict[str, Act]:
    """Return what a node may do about an attempt that it has taken, by path."""

    def alive(task: str, number: int, _: dict[str, object]) -> dict[str, object]:
        leases.renew(task, number)
        return {}

    def ask(method: Method) -> Act:
        def act(task: str, number: int, value: dict[str, object]) -> dict[str, object]:
            answer = host.call(method, {**value, "task": task, "attempt": number})
            if method != Method.RELEASE:
                leases.end(task, number)
            return answer

        return act

    return {
        "alive": alive,
        "release": ask(Method.RELEASE),
        "complete": ask(Method.COMPLETE),
        "failed": ask(Method.FAILED),
    }


def _attempt_path(act: Act) -> Callable[[str, int, Request], Awaitable[Response]]:
    async def handle(task: str, number: int, request: Request) -> Response:
        value = await body_map(request, MAX_BODY_BYTES)
        return reply(await run_in_threadpool(act, task, number, value))

    return handle


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        message = "the broker answered with something other than bytes"
        raise Malformed(message)
    return value
