# SPDX-License-Identifier: Apache-2.0
"""App evidence: the monitor's signed statement about one enclave (RA-1 d, IF-3).

An EAT in COSE_Sign1 by the monitor key, the same on every kind of platform. It is
worth what the platform evidence is worth that binds that key.
"""

from typing import Protocol

from strongroom.core.codec import cbor, cose
from strongroom.core.crypto import SigningKey, VerifyingKey
from strongroom.core.rats import AppClaims, AppFacts
from strongroom.core.rats.claims import AppFields, vouch
from strongroom.core.rats.eat import ClaimsSet, Label, check_clock, dbgstat, media_type
from strongroom.errors import Malformed, Untrusted

PROFILE = "urn:x-strongroom:eat:app:1"
TYPE = media_type(PROFILE)

_LABELS = (
    Label.IAT,
    Label.EAT_NONCE,
    Label.DBGSTAT,
    Label.EAT_PROFILE,
    Label.SWNAME,
    Label.SUITE,
    Label.LOCKS,
    Label.ENCLAVE_ID,
    Label.MEASUREMENT,
    Label.SIGNER,
    Label.SVN,
    Label.MEMORY_BYTES,
    Label.THREADS,
    Label.PROCESSES,
    Label.PERMISSIONS,
    Label.CONFIG,
    Label.USER_DATA,
)
"""In the order in which deterministic CBOR writes them."""
_NUMBERS = tuple(int(label) for label in _LABELS)
_KNOWN = frozenset(_LABELS)


class Vouched(Protocol):
    """A platform of which it is known which monitor speaks for it.

    `PlatformClaims` are one; so is what an attestation service signed.
    """

    @property
    def monitor_key(self) -> VerifyingKey:
        """The key that the platform binds."""

    @property
    def suite_id(self) -> str:
        """The platform's suite."""


def encode_app_evidence(key: SigningKey, facts: AppFacts) -> bytes:
    """Return `facts` signed by the monitor's key; `verify_app_evidence` inverts it.

    Raises:
        Malformed: the key is of another suite than the facts.
    """
    if key.suite_id != facts.suite_id:
        message = "app evidence is signed in the suite that it names"
        raise Malformed(message)
    return cose.sign1(key, TYPE, encode_facts(facts))


def peek_nonce(data: bytes) -> bytes:
    """Return the nonce that UNVERIFIED app evidence says it answers.

    Only to refuse an old answer before anything else is asked for it.

    Raises:
        Malformed: no app evidence.
    """
    return _decode(cose.Sign1.parse(data).payload).nonce


def verify_app_evidence(data: bytes, platform: Vouched, now: int) -> AppClaims:
    """Return what the monitor of a verified platform says about an app.

    1. Parse the envelope (RFC 9052) and the claims set (RFC 9711).
    2. The signature is by the monitor key that the platform evidence binds.
    3. The suite is the platform's.
    4. It is not from the future.

    Not checked: nonce, measurement and everything else that is a matter of policy.

    Raises:
        Malformed: step 1.
        Untrusted: step 2 or 3.
        Stale: step 4.
    """
    # 1
    envelope = cose.Sign1.parse(data)
    facts = _decode(envelope.payload)
    # 2
    check_signature(envelope, platform)
    # 3
    if facts.suite_id != platform.suite_id:
        raise Untrusted.because(
            rule="app.suite",
            owner="attestation",
            expected=f"an app of suite {platform.suite_id}, as its platform",
            got=facts.suite_id,
            remedy="Run the app on a platform of its own suite.",
        )
    # 4
    check_clock(facts.issued_at, now, "attestation")
    return AppClaims.of(facts, vouch())


def check_signature(envelope: cose.Sign1, platform: Vouched) -> None:
    """Refuse app evidence that the platform's monitor did not sign.

    Raises:
        Untrusted: `app.signature`.
    """
    try:
        envelope.verify(platform.monitor_key, TYPE)
    except Untrusted as error:
        raise Untrusted.because(
            rule="app.signature",
            owner="attestation",
            expected=f"a report by monitor {platform.monitor_key.key_id.hex()[:16]}",
            got=f"one that says key {envelope.key_id.hex()[:16]}, or altered",
            remedy="Get platform and app evidence from one and the same monitor.",
        ) from error


def encode_facts(facts: AppFields) -> bytes:
    """Return the claims set of app evidence, in the order of `_LABELS`."""
    values = (
        facts.issued_at,
        facts.nonce,
        dbgstat(debug=facts.debug),
        PROFILE,
        facts.product,
        facts.suite_id,
        facts.locks,
        facts.enclave_id,
        facts.measurement,
        facts.signer,
        facts.svn,
        facts.memory_bytes,
        facts.threads,
        facts.processes,
        facts.permissions,
        facts.config,
        facts.user_data,
    )
    return cbor.encode(dict(zip(_NUMBERS, values, strict=True)))


def _decode(data: bytes) -> AppFacts:
    """Parse what `_encode` wrote, and nothing else.

    The claims are deterministic CBOR, exactly these labels, each read by its exact
    type; what is left to differ is looked at here.
    """
    claims = ClaimsSet(data, _KNOWN)
    state = claims.take(Label.DBGSTAT, int)
    known = state == dbgstat(debug=claims.debug())
    if claims.take(Label.EAT_PROFILE, str) != PROFILE or not known:
        message = "app evidence is of another EAT profile"
        raise Malformed(message)
    return AppFacts(
        enclave_id=claims.take(Label.ENCLAVE_ID, bytes),
        measurement=claims.take(Label.MEASUREMENT, bytes),
        signer=claims.take(Label.SIGNER, bytes),
        product=claims.take(Label.SWNAME, str),
        svn=claims.take(Label.SVN, int),
        suite_id=claims.take(Label.SUITE, str),
        memory_bytes=claims.take(Label.MEMORY_BYTES, int),
        threads=claims.take(Label.THREADS, int),
        processes=claims.take(Label.PROCESSES, int),
        debug=claims.debug(),
        permissions=claims.texts(Label.PERMISSIONS),
        locks=claims.texts(Label.LOCKS),
        config=claims.take(Label.CONFIG, bytes),
        nonce=claims.take(Label.EAT_NONCE, bytes),
        user_data=claims.take(Label.USER_DATA, bytes),
        issued_at=claims.take(Label.IAT, int),
    )
