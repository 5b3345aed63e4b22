# SPDX-License-Identifier: Apache-2.0
"""A client of a service app: RA-TLS to its enclave, then calls or plain HTTP (CHAN).

Nothing is sent before the evidence in the certificate, and the app's word about this
very connection, were judged by the client's policy.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from strongroom.application.sdk.calling import CallingServices
from strongroom.client.ra_tls import RaTlsTransport
from strongroom.core.codec import cbor
from strongroom.core.crypto import SigningKey
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import (
    AppClaims,
    AppraisalPolicy,
    Evidence,
    PlatformClaims,
    Trust,
)
from strongroom.errors import (
    Malformed,
    NotFound,
    StrongroomError,
    Unavailable,
    error_from_value,
)
from strongroom.management.service_file import ServiceFile
from strongroom.services.attestation import verify_evidence
from strongroom.services.channel import Verify, signed_by
from strongroom.services.channel.ra_tls.certificate import (
    certified_evidence,
    show_party,
)
from strongroom.services.channel.ra_tls.connection import client_end
from strongroom.services.channel.ra_tls.peer import Enclave
from strongroom.services.channel.verifying import EndorsedEvidence

TIMEOUT_S = 60.0
_VALID_S, _SKEW_S = 3600, 60


@dataclass(frozen=True)
class Proved:
    """What the evidence of the app at the other end says; it was judged already.

    Attributes:
        pin: of the certificate's key, as curl's `--pinnedpubkey` takes it.
    """

    platform: PlatformClaims
    app: AppClaims
    pin: str


class _Witness:
    """A peer that remembers what the evidence said which it accepted."""

    def __init__(self, judge: EndorsedEvidence) -> None:
        self._judge = judge
        self._peer = Enclave(judge, judge.clock, 0)
        self.proved: Proved | None = None

    def certificate(self, suite_id: str, certificate: Certificate) -> Verify:
        """Judge as `Enclave`; keep what was shown."""
        accepted = self._peer.certificate(suite_id, certificate)
        shown = Evidence.from_bytes(certified_evidence(certificate))
        now = self._judge.clock()
        platform, app = verify_evidence(shown, self._judge.trust, now=now)
        if app is not None:
            digest = hashlib.sha256(certificate.spki).digest()
            pin = "sha256//" + base64.b64encode(digest).decode()
            self.proved = Proved(platform, app, pin)
        return accepted


class ServiceLine(CallingServices):
    """Implements `Services` over RA-TLS; a context manager that closes."""

    def __init__(
        self,
        about: ServiceFile,
        policy: AppraisalPolicy,
        clock: Callable[[], int],
        identity: SigningKey | None = None,
        address: str = "",
    ) -> None:
        """Prepare; the first call connects.

        Args:
            about: suite and endorsements.
            policy: what the app and its platform have to be.
            clock: Unix seconds.
            identity: signs each connection, where the app lists its callers.
            address: host and port, where not that of the file.
        """
        super().__init__()
        now = clock()
        valid = (now - _SKEW_S, now + _VALID_S)
        shown = (
            show_party(about.suite, signed_by(identity), valid) if identity else None
        )
        judge = EndorsedEvidence(Trust(about.endorsements), policy, clock)
        self._witness = _Witness(judge)
        self.address = address or about.address
        self._http = httpx.Client(
            base_url=f"https://{self.address}",
            transport=RaTlsTransport(client_end(about.suite, shown, self._witness)),
            timeout=TIMEOUT_S,
        )

    @property
    def proved(self) -> Proved:
        """What was proved of the other end before anything was sent.

        Raises:
            NotFound: there was no connection yet.
        """
        if self._witness.proved is None:
            message = "no connection has proved anything yet"
            raise NotFound(message)
        return self._witness.proved

    def http(self, method: str, path: str, body: bytes) -> httpx.Response:
        """Ask for something by HTTP of the app's own.

        Raises:
            Unavailable: no answer.
            StrongroomError: the app at the other end is refused.
        """
        try:
            return self._http.request(method, path, content=body)
        except httpx.HTTPError as error:
            message = f"the app at {self.address} does not answer: {error}"
            raise Unavailable(message) from error

    def commands(self) -> list[str]:
        """Return the names of the app's entry points."""
        return list(self._entries())

    def create(self, bundle: bytes) -> bytes:
        """Refuse: the ordinary side of the machine creates applications."""
        raise _not_from_here(bundle)

    def destroy(self, enclave: bytes) -> bytes:
        """Refuse: the ordinary side of the machine destroys applications."""
        raise _not_from_here(enclave)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, method: int, payload: bytes) -> bytes:
        said = self.http("POST", "/.strongroom/call", cbor.encode([method, payload]))
        match cbor.decode(said.content):
            case [True, bytes() as answer]:
                return answer
            case [False, bytes() as error]:
                raise _told(error)
            case _:
                message = "the app answered a call with something else"
                raise Malformed(message)


def _told(error: bytes) -> StrongroomError:
    return error_from_value(cbor.decode(error))


def _not_from_here(data: bytes) -> NotFound:
    del data
    return NotFound("applications are created and destroyed on their own machine")
