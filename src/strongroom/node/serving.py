# SPDX-License-Identifier: Apache-2.0
"""One service app on one machine behind one port, for as long as it is wanted."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.application.sdk.outside import OutsideServices
from strongroom.core.codec.bundle import Bundle
from strongroom.core.codec.signed import sign_record
from strongroom.core.rats import Evidence, Trust
from strongroom.errors import AppFailed, Malformed
from strongroom.management.service_file import ServiceFile
from strongroom.node.provision import register_values
from strongroom.node.relay import Refused, Relay
from strongroom.node.workbench import Workbench
from strongroom.services.attestation import verify_evidence

_NONCE_BYTES = 32


@dataclass(frozen=True)
class Serving:
    """A running app.

    Attributes:
        file: what clients need, signed by the machine's administrator.
        about: the same, open.
        enclave_id: of the app's enclave.
        is_alive: whether the enclave still lives.
    """

    file: bytes
    about: ServiceFile
    enclave_id: bytes
    is_alive: Callable[[], bool]

    def require_life(self) -> None:
        """Return if the app still runs.

        Raises:
            AppFailed: its enclave has ended.
        """
        if not self.is_alive():
            message = "the app's enclave has ended: a limit, or the app itself"
            raise AppFailed(message)


@contextmanager
def serving(
    bench: Workbench, bundle: Bundle, address: tuple[str, int], refused: Refused
) -> Iterator[Serving]:
    """Start an app on an open machine, and serve its port inside the context.

    Args:
        bench: with its monitor running.
        bundle: of a service app; its signer may start apps here from now on.
        address: host and port; port 0 takes a free one.
        refused: is told the rule by which a connection ended.

    Raises:
        Malformed: the app is no service.
        Refused: a rule of admission.
    """
    if bundle.manifest.kind != "service":
        message = 'this app is no service: strongroom.toml says kind = "task"'
        raise Malformed(message)
    with bench.connect() as isolation:
        policy = bench.policy(bundle.signer.verifying())
        with OutsideServices(isolation, policy, bench.objects) as services:
            enclave = services.create(bundle.to_bytes())

            def is_alive() -> bool:
                living = isolation.status().enclaves
                return any(each.enclave_id == enclave for each in living)

            with Relay(services, address, refused) as relay:
                host, port = relay.address
                about = _describe(bench, enclave, f"{host}:{port}")
                signed = sign_record(bench.administrator.signing, about)
                yield Serving(signed, about, enclave, is_alive)


def _describe(bench: Workbench, enclave: bytes, address: str) -> ServiceFile:
    """Return what the evidence of an enclave shows, verified, as a service file."""
    nonce = os.urandom(_NONCE_BYTES)
    with bench.connect() as isolation:
        evidence = Evidence(
            isolation.status().kind,
            isolation.evidence(nonce),
            isolation.report(enclave, nonce),
        )
    now = int(time.time())
    platform, app = verify_evidence(evidence, Trust(bench.endorsements), now=now)
    if app is None:
        message = "the monitor's report holds no app"
        raise Malformed(message)
    return ServiceFile(
        address=address,
        suite=bench.suite_id,
        kind=platform.kind,
        app=app.measurement,
        product=app.product,
        svn=app.svn,
        config=app.config,
        roots=bench.endorsements.roots,
        registers=register_values(platform),
        locks=app.locks,
        administrator=bench.administrator.public,
        written_at=now,
    )
