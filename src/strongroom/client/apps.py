# SPDX-License-Identifier: Apache-2.0
"""Algorithm providers: build, sign, and import a program into a room (R-ALG)."""

from pathlib import Path

from strongroom.application.cleanroom import AppRegistration
from strongroom.client.session import Session
from strongroom.core.codec.binding import UpgradeApproval
from strongroom.core.codec.bundle import Bundle, VerifiedBundle
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import SigningKey
from strongroom.errors import NotFound, Refused


def register_app(session: Session, bundle_file: Path, policy: str = "") -> str:
    """Verify the room, then store the bundle and register the app with the broker.

    Args:
        session: the provider's.
        bundle_file: what `build_bundle` wrote.
        policy: the usage policy of the code key, Cedar text; encrypted code only.

    Returns:
        The app's measurement in hex.

    Raises:
        Refused: the broker does not verify, or does not take it.
        NotFound: no such bundle, or no code key of an encrypted one.
    """
    if not bundle_file.is_file():
        message = f"there is no bundle {bundle_file}"
        raise NotFound(message)
    data = bundle_file.read_bytes()
    bundle = Bundle.from_bytes(data)
    verified = bundle.verify()
    measurement = verified.measurement.hex()
    code_key = b""
    if verified.manifest.encrypted:
        code_key = session.home.data_key(measurement, session.identity)
        verified.files(code_key)
    registration = AppRegistration(
        manifest=verified.manifest,
        signer=bundle.signer.key_id,
        owner=session.identity.public.id,
        policy=policy,
        registered_at=session.clock(),
    )
    line = session.line
    session.transport.send("PUT", f"/v1/bundles/{measurement}", data)
    statement = sign_record(session.identity.signing, registration)
    line.ask(
        "app.register",
        {"registration": statement, "code_key": code_key},
        session.clock(),
    )
    return measurement


def approve(key: SigningKey, old: VerifiedBundle, new: VerifiedBundle) -> bytes:
    """Return the signer's word that `new` may open what `old` sealed (SEAL).

    Raises:
        Refused: `seal.signer`, `key` did not sign both bundles, so it may not say so.
    """
    for each in (old, new):
        signer = each.bundle.signer.key_id
        if signer != key.public.key_id:
            raise Refused.because(
                rule="seal.signer",
                owner="the signer of the app",
                expected=f"an upgrade by {signer.hex()[:16]}, who signed the bundle",
                got=f"one by {key.public.key_id.hex()[:16]}",
                remedy="Have the signer of both bundles approve it.",
            )
    approval = UpgradeApproval(
        suite=new.manifest.suite, old=old.measurement, new=new.measurement
    )
    return sign_record(key, approval)
