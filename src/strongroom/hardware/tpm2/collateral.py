# SPDX-License-Identifier: Apache-2.0
"""Whose quotes count: attestation keys that are trusted as they stand, or certified.

A certificate of an attestation key (AK) comes from a TPM's maker or a cloud, after it
saw that the key is in that TPM (credential activation, TPM 2.0 Keys for Device Identity
and Attestation 1.0, section 5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Trust, Verified
from strongroom.hardware.chain import read_all, verify_path
from strongroom.hardware.refusal import refuse
from strongroom.hardware.revocation import check_revocation, read_lists
from strongroom.hardware.tcg.public import Key, Public, check_attestation_key
from strongroom.hardware.tpm2.pcrs import KIND

CHAIN, TRUSTED = "ak_certificate_chain", "trusted_ak_public"

AIK_CERTIFICATE = "2.23.133.8.3"
EK_CERTIFICATE = "2.23.133.8.1"
"""tcg-kp-AIKCertificate and tcg-kp-EKCertificate (TCG EK Credential Profile)."""

_PEM = b"-----BEGIN "
_SEQUENCE = b"\x30"


@dataclass(frozen=True)
class AttestationKey:
    """A key that may sign quotes; `public` or `certificate` is what vouches for it."""

    key: Key
    public: Public | None = None
    certificate: Certificate | None = None


def read_trusted(document: bytes) -> AttestationKey:
    """Read a key that is trusted as it stands: TPMT_PUBLIC, TPM2B_PUBLIC, PEM or DER.

    Raises:
        Malformed: it is none.
        Untrusted: `root`, where its attributes let it sign what no TPM said.
    """
    if document.lstrip().startswith(_PEM):
        return AttestationKey(ForeignKey.from_pem(document))
    if document.startswith(_SEQUENCE):
        return AttestationKey(ForeignKey.from_spki(document))
    public = Public.parse(document, TRUSTED)
    check_attestation_key(KIND, public)
    return AttestationKey(public.key, public=public)


def read_certified(documents: Sequence[bytes]) -> tuple[AttestationKey, ...]:
    """Return the keys that a chain certifies: those of its certificates of no CA.

    Raises:
        Malformed: something in it is not a certificate.
    """
    return tuple(
        AttestationKey(each.public_key, certificate=each)
        for each in dict.fromkeys(read_all(documents))
        if not each.is_ca
    )


def check_certificate(
    trust: Trust, documents: Sequence[bytes], leaf: Certificate, now: int
) -> None:
    """Refuse a certificate that leads to no root, or is for something else than an AK.

    1. The path leads to one of the roots, and all of it is valid at `now`.
    2. With revocation lists (`crl`): none that is given has a certificate of the path.
    3. Where it says what its key is for, that is attestation, and signing.

    Raises:
        Untrusted: `chain`, `root`, `revoked`.
        Stale: `expired`.
    """

    def make() -> "Verified[None]":
        # 1
        pool = read_all(documents)
        path = verify_path(KIND, "ak", leaf, pool, trust, now)
        # 2
        lists = read_lists(trust, "crl")
        window = check_revocation(KIND, "ak", path, lists, now, required=False)
        # 3
        _check_usage(leaf)
        return Verified(
            None, max(path.not_before, window[0]), min(path.not_after, window[1])
        )

    digest = sha256(b"".join(sha256(each).digest() for each in documents)).digest()
    trust.once(("tpm2.certificate", leaf.der, digest), now, make)


def _check_usage(leaf: Certificate) -> None:
    """Refuse a certificate of a key that is for something else than attestation.

    Google Cloud calls attestation keys endorsement keys; theirs sign, which the
    endorsement key of a TPM does not: it decrypts.
    """
    usages = leaf.extended_key_usages
    named = not usages or AIK_CERTIFICATE in usages
    if leaf.signs is not False and (named or (leaf.signs and EK_CERTIFICATE in usages)):
        return
    signs = "" if leaf.signs is not False else ", not to sign"
    raise refuse(
        KIND,
        "chain",
        "ak_usage",
        expected=f"a certificate for attestation ({AIK_CERTIFICATE}) of a signing key",
        got=f"one for {', '.join(usages) or 'any use'}{signs}",
    )
