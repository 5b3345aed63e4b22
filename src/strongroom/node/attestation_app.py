# SPDX-License-Identifier: Apache-2.0
"""The attestation service over HTTP (docs/specs/attestation-service.md).

Everything it says that counts is signed; who carries it can only refuse.
"""

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from strongroom.errors import StrongroomError
from strongroom.node.attestation import AttestationService
from strongroom.node.replies import body_of, error_response, reply
from strongroom.services.attestation.request import VerificationRequest

MAX_REQUEST_BYTES = 32 << 20


def create_attestation_app(service: AttestationService) -> FastAPI:
    """Return the ASGI application of one attestation service."""
    app = FastAPI(title="Strongroom attestation service", docs_url=None, redoc_url=None)
    app.add_exception_handler(StrongroomError, error_response)

    @app.get("/v1/verifier")
    def verifier() -> Response:
        """Say who this is; an initiator goes by the key that it has pinned."""
        return reply(
            {
                "public": service.identity.public.to_bytes(),
                "policies": sorted(service.policies),
                "endorsements": service.trusts.version,
                "log": service.log.public.to_text(),
            }
        )

    @app.post("/v1/verify")
    async def verify(request: Request) -> Response:
        asked = VerificationRequest.from_bytes(
            await body_of(request, MAX_REQUEST_BYTES)
        )
        token, media_type = await run_in_threadpool(service.verify, asked)
        return Response(token, headers={"content-type": media_type})

    @app.get("/v1/log/{path:path}")
    def log(path: str) -> Response:
        data = service.log.read(path)
        return Response(data, media_type="application/octet-stream")

    return app
