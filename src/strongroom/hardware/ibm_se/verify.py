# SPDX-License-Identifier: Apache-2.0
"""Verify IBM Secure Execution host-key documents: authenticity, never expectation."""

from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.hardware.chain import check_key, check_time
from strongroom.hardware.ibm_se.abi import CURVE, KIND, HostKeyDocument, same_place
from strongroom.hardware.ibm_se.collateral import (
    SIGNING_CERTIFICATE,
    Signer,
    signing_certificates,
    verify_signer,
)
from strongroom.hardware.refusal import refuse

_NOT_PROVEN = (
    "which guest a host runs: that takes the ultravisor's attestation response",
    "that a host with this key is there: a document is of the key alone",
    "that the evidence is fresh: a document binds no nonce",
    "that only the hardware has the private key: it is IBM's word",
)


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what a host-key document says, known to be IBM's word about a host.

    Parts: `host_key_document`. Endorsements: the roots, `host_key_signing_certificate`,
    `intermediate`, and `crls`: one list of every issuer, the signing key included.

    1. Parse the document: one certificate, of a key of P-521.
    2. A signing certificate is there, by its subject IBM's and named as the issuer
       (the order of the parts and IBM's two localities aside).
    3. That certificate leads to a root; nothing on the way is revoked or out of its
       time; every issuer has a current revocation list, the signing key too.
    4. The signing key signed the document.
    5. The document is valid at `now` and has no critical extension unknown here.
    6. The signing key has not revoked it.

    Not checked: what runs on the host, and freshness. No attestation response is read.

    Args:
        evidence: of kind "ibm-se".
        trust: see above.
        now: Unix seconds.

    Raises:
        Malformed: step 1, or an endorsement that is none.
        Untrusted: steps 2 to 6.
        Stale: a document, certificate or list out of its time.
    """
    # 1
    document = HostKeyDocument.parse(evidence.part("host_key_document"))
    _check_key(document)
    # 2, 3, 4
    signer = _signer(document.certificate, trust, now)
    # 5, 6
    _check_document(document.certificate, signer, now)
    check_key(KIND, "host_key", document.key.spki, trust)
    return HardwareClaims(
        kind=KIND,
        format="IBM Secure Execution host-key document",
        device=document.key_hash,
        bound=b"",
        bound_as="",
        debug=False,
        measurements={},
        fields=document.fields(),
        key=document.key.spki,
        not_proven=_NOT_PROVEN,
        proof=vouch(),
    )


def _check_key(document: HostKeyDocument) -> None:
    if document.key.curve != CURVE:
        raise refuse(
            KIND,
            "weak_algorithm",
            "host_key",
            expected=f"a host key of {CURVE}",
            got=document.key.curve,
        )


def _signer(document: Certificate, trust: Trust, now: int) -> Signer:
    if not trust.documents(SIGNING_CERTIFICATE):
        raise refuse(
            KIND,
            "missing_endorsement",
            SIGNING_CERTIFICATE,
            expected="a certificate of IBM's host-key signing service",
            got="none",
        )
    issuer = same_place(document.issuer_parts)
    named = [
        each
        for each in signing_certificates(trust, now)
        if same_place(each.subject_parts) == issuer
    ]
    if not named:
        raise refuse(
            KIND,
            "chain",
            "host_key",
            expected="a document issued by IBM's host-key signing service",
            got="one whose issuer has no certificate here that is IBM's",
        )
    signed = [each for each in named if document.bears_signature_of(each)]
    # one key may have several certificates: rather one that is valid
    signed.sort(key=lambda each: not each.not_before <= now <= each.not_after)
    signer = verify_signer((signed or named)[0], trust, now)
    if not signed:
        raise refuse(
            KIND,
            "signature",
            "host_key",
            expected="a document signed by the host-key signing key",
            got="one that is not",
        )
    return signer


def _check_document(document: Certificate, signer: Signer, now: int) -> None:
    check_time(KIND, "host_key", document, now)
    if document.critical_unknown:
        raise refuse(
            KIND,
            "chain",
            "host_key",
            expected="critical extensions that are understood",
            got=", ".join(document.critical_unknown),
        )
    if signer.has_revoked(document.serial):
        raise refuse(
            KIND,
            "revoked",
            "host_key",
            expected="a document that its signing key has not revoked",
            got=f"number {document.serial:x}, which it has",
        )
