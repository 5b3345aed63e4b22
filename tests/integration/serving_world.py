# SPDX-License-Identifier: Apache-2.0
"""A service app behind its port, and clients of it that verify."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from strongroom.application.sdk.outside import OutsideServices
from strongroom.application.sdk.remote import RemoteServices
from strongroom.client.services import ServiceLine
from strongroom.core.codec.bundle import Bundle, EntryPoint, OutputRule, Parameter
from strongroom.core.crypto import SigningKey
from strongroom.core.rats import AppraisalPolicy, Evidence, Trust
from strongroom.management.service_file import ServiceFile, open_service_file
from strongroom.node.serving import serving
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.services.channel import ChannelAgent, signed_by
from tests.integration.machine import EVERY, Machine

SOURCE = b"""
PEERS = {}

def echo(services, text):
    return text

def secret(services):
    return "the combination"

def ask(services, enclave):
    if enclave not in PEERS:
        PEERS[enclave] = services.connect(bytes.fromhex(enclave))
    return PEERS[enclave].call("secret")

async def web(scope, receive, send):
    said = (await receive())["body"]
    found = scope["extensions"]["strongroom"]
    head = [(b"x-caller", found["caller"].encode()), (b"x-path", scope["raw_path"])]
    await send({"type": "http.response.start", "status": 201, "headers": head})
    if scope["path"] == "/random":
        said = found["services"].random(8).hex().encode()
    await send({"type": "http.response.body", "body": said.upper()})

async def stuck(scope, receive, send):
    import asyncio
    await asyncio.sleep(1)
"""
_OUTPUT = OutputRule("json", (), 1, 1 << 22, 0, "")
_TEXT, _ENCLAVE = (Parameter(name, "text", many=False) for name in ("text", "enclave"))
ENTRIES = [
    EntryPoint("ask", "main:ask", (_ENCLAVE,), _OUTPUT).to_value(),
    EntryPoint("echo", "main:echo", (_TEXT,), _OUTPUT).to_value(),
    EntryPoint("secret", "main:secret", (), _OUTPUT).to_value(),
]


def now() -> int:
    """Return Unix seconds, never before what an enclave has just written."""
    return int(time.time()) + 1


def app(machine: Machine, source: bytes = SOURCE, **changes: object) -> Bundle:
    """Return a signed app; `callers` as a map."""
    callers = changes.pop("callers", {})
    assert isinstance(callers, dict)
    rows = [{"command": name, "callers": list(callers[name])} for name in callers]
    rows.sort(key=lambda row: str(row["command"]))
    return machine.bundle(
        source, EVERY, None, entry_points=ENTRIES, callers=rows, **changes
    )


@dataclass
class Service:
    """A running app, and what a client knows of it."""

    machine: Machine
    bundle: Bundle
    about: ServiceFile
    refused: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where ordinary HTTP clients find it."""
        return f"https://{self.about.address}"

    def policy(self, **changes: object) -> AppraisalPolicy:
        """Return what a client of this app expects."""
        made = self.about.policy("client", ("simulated", "tpm2"), 300)
        return AppraisalPolicy.from_value({**made.to_value(), **changes})

    def line(
        self, identity: SigningKey | None = None, address: str = ""
    ) -> ServiceLine:
        """Return a client over RA-TLS."""
        return ServiceLine(self.about, self.policy(), now, identity, address)


@contextmanager
def served(machine: Machine, bundle: Bundle) -> Iterator[Service]:
    """Serve an app on a free port of the loopback, on a machine whose monitor runs."""
    refused: list[str] = []
    with serving(machine, bundle, ("127.0.0.1", 0), refused.append) as running:
        about = open_service_file(running.file, machine.administrator.public.id)
        yield Service(machine, bundle, about, refused)


def channel(
    services: OutsideServices,
    machine: Machine,
    policy: AppraisalPolicy,
    identity: SigningKey | None = None,
) -> RemoteServices:
    """Open the message channel to an app as a party, or as nobody in particular."""

    def verify(evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        shown = Evidence.from_bytes(evidence)
        platform, found = verify_evidence(shown, Trust(machine.endorsements), now=now())
        appraise(platform, found, policy, nonce=nonce, now=now(), user_data=user_data)

    prove = signed_by(identity) if identity else None
    agent = ChannelAgent(machine.suite_id, os.urandom, verify, prove)
    return RemoteServices(agent, services)
