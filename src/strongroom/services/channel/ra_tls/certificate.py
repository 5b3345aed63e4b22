# SPDX-License-Identifier: Apache-2.0
"""Certificates whose extension holds evidence about their own key.

The extension is TCG's 2.23.133.5.4.9 with a conceptual message wrapper, as
hardware/ra_tls reads it. Inside is an `Evidence` record of both layers, or a
`HardwareEvidence` record of a TEE that speaks for itself.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from strongroom.core.crypto import suite
from strongroom.core.crypto.tls import Credential
from strongroom.core.crypto.tlskey import TlsKey
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Evidence, HardwareEvidence
from strongroom.errors import Refused, Untrusted
from strongroom.hardware.ra_tls.abi import MEDIA_TYPE, TAGGED_EVIDENCE
from strongroom.hardware.ra_tls.wrapper import EVIDENCE, Wrapper

TWO_LAYER = "application/vnd.strongroom.evidence+cbor"
"""Media type of an `Evidence` record: platform and app."""

NONCE_BYTES = 32
_NAME = "strongroom"
_NONCE_LABEL = b"strongroom/ra-tls/v1 certificate nonce"
_KEY_LABEL = b"strongroom/ra-tls/v1 certificate key"
_HARDWARE_LABEL = b"strongroom/ra-tls/v1 hardware "

Report = Callable[[bytes, bytes], bytes]
"""(nonce, user data) -> evidence that has them; `EnclaveGate.report` is one."""


@dataclass(frozen=True)
class Shown:
    """What one end shows: a credential, and what makes fresh evidence, if anything."""

    credential: Credential
    report: Report | None


def certificate_binding(suite_id: str, spki: bytes) -> tuple[bytes, bytes]:
    """Return nonce and user data of the evidence in the certificate of a key.

    A certificate is made before anyone asks, so its nonce is no challenge; freshness
    comes after the handshake.
    """
    row = suite(suite_id)
    nonce = row.digest(_NONCE_LABEL, spki)[:NONCE_BYTES]
    return nonce, row.digest(_KEY_LABEL, spki)


def show_enclave(
    suite_id: str,
    platform: Evidence,
    report: Report,
    validity: tuple[int, int],
    key: TlsKey | None = None,
) -> Shown:
    """Return a key with a certificate that holds evidence of both layers.

    Args:
        suite_id: of the room.
        platform: what the host brings; how old it may be is each peer's policy, so
            make the certificate anew in time. What it says of an app does not count.
        report: asked once now, and once in each connection.
        validity: first and last second of the certificate, Unix time.
        key: to certify anew; a fresh one if not given.
    """
    key = key or TlsKey.generate(suite_id)
    nonce, user_data = certificate_binding(suite_id, key.spki)
    whole = replace(platform, app=report(nonce, user_data))
    wrapper = Wrapper(TWO_LAYER, whole.to_bytes(), EVIDENCE)
    return Shown(_credential(key, validity, wrapper), report)


def hardware_bound(nonce: bytes, user_data: bytes) -> bytes:
    """Return the 32 bytes that a TEE binds to give its word in a connection."""
    return hashlib.sha256(_HARDWARE_LABEL + nonce + user_data).digest()


def show_hardware(
    suite_id: str,
    collect: Callable[[bytes], HardwareEvidence],
    validity: tuple[int, int],
) -> Shown:
    """Return a fresh key with a certificate that holds a TEE's own evidence.

    `collect` gets 32 bytes, which the report data (nonce, challenge) has to begin
    with: once the SHA-256 of the key (abi.py, "spki"), then `hardware_bound` in each
    connection.
    """
    key = TlsKey.generate(suite_id)
    evidence = collect(hashlib.sha256(key.spki).digest())
    wrapper = Wrapper(MEDIA_TYPE, evidence.to_bytes(), EVIDENCE)

    def report(nonce: bytes, user_data: bytes) -> bytes:
        return collect(hardware_bound(nonce, user_data)).to_bytes()

    return Shown(_credential(key, validity, wrapper), report)


def show_key(suite_id: str, validity: tuple[int, int]) -> Shown:
    """Return a fresh key whose certificate holds no evidence: an ordinary party's."""
    return Shown(_credential(TlsKey.generate(suite_id), validity, None), None)


def show_party(suite_id: str, prove: Report, validity: tuple[int, int]) -> Shown:
    """Return a fresh key, and what signs each connection as a party: `signed_by`."""
    return replace(show_key(suite_id, validity), report=prove)


def certified_evidence(certificate: Certificate) -> bytes:
    """Return the `Evidence` record that a certificate holds, UNVERIFIED.

    Raises:
        Malformed: the extension is not of its format.
        Untrusted: `ra-tls.evidence`, there is none of this kind.
    """
    value = certificate.extension(TAGGED_EVIDENCE)
    if value is None:
        raise _without(got="no such extension")
    wrapper = Wrapper.parse(value)
    if wrapper.media_type != TWO_LAYER or wrapper.ind != EVIDENCE:
        raise _without(got=f"{wrapper.media_type[:80]!r}")
    return wrapper.value


def _credential(
    key: TlsKey, validity: tuple[int, int], wrapper: Wrapper | None
) -> Credential:
    extension = (TAGGED_EVIDENCE, wrapper.to_extension()) if wrapper else None
    return Credential(key, key.certify(_NAME, validity, extension))


def _without(*, got: str) -> Refused:
    return Untrusted.because(
        "ra-tls.evidence",
        "channel",
        expected=f"a certificate with {TWO_LAYER} in extension {TAGGED_EVIDENCE}",
        got=got,
        remedy="This is not the enclave's own certificate: who terminates TLS here?",
    )
