# SPDX-License-Identifier: Apache-2.0
"""Verify quotes of TPM 2.0: authenticity, never expectation."""

from hashlib import sha256

from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust, Verified
from strongroom.core.rats.claims import vouch
from strongroom.hardware.chain import check_key
from strongroom.hardware.refusal import refuse
from strongroom.hardware.revocation import has_lists
from strongroom.hardware.tcg.quoted import (
    Quoted,
    Roles,
    VerifiedQuote,
    verify_quoted,
)
from strongroom.hardware.tpm2.collateral import (
    CHAIN,
    TRUSTED,
    AttestationKey,
    check_certificate,
    read_certified,
    read_trusted,
)
from strongroom.hardware.tpm2.pcrs import KIND

_NOT_PROVEN = (
    "that the TPM is a chip: a software TPM signs alike",
    "which machine it measures: a TPM can be moved, or its bus listened to",
    "that memory is shielded from whoever runs the machine",
)
_ATTRIBUTES = "that the key signs only what its TPM made: its public area is not given"
_NO_REVOCATION = "that nobody has revoked the chain: no revocation list was given"


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what a TPM's quote says, known to be the word of a trusted key.

    Parts: `quote` (TPMS_ATTEST), `signature`, and optional `signature_format`
    (TPMT_SIGNATURE without it), `pcrs` or `pcr_blob` with `pcr_blob_format`,
    `event_log`, `ak_certificate_chain`. Others, such as the `original` message that
    the parts were cut from, are not read.
    Endorsements: `trusted_ak_public`, keys trusted as they stand; or roots with an
    `ak_certificate_chain`, from here or from the evidence, and perhaps `crl`.

    1. Parse quote, signature, values of registers and event log.
    2. There is a key: trusted as it stands, or certified. A public area is that of a
       restricted signing key which is fixed to its TPM.
    3. One of them signed the quote, with SHA-256 or better.
    4. The values of the registers hash to the quoted digest, of another bank than
       SHA-1; the event log leads to them (`tcg.quoted.verify_quoted`).
    5. A certified key's certificate leads to a root, all of the path is valid at
       `now`, none is on a list of revocations, and it is for attestation keys.

    Not checked: nonce, values of registers, resets, firmware, and whether that TPM is
    wanted. That is appraisal.

    Args:
        evidence: of kind "tpm2".
        trust: see above.
        now: Unix seconds.

    Raises:
        Malformed: step 1, or an endorsement that is not one.
        Untrusted: steps 2 to 5.
        Stale: a certificate or a list out of its time.
    """
    # 1
    quoted = Quoted.read(evidence, Roles())
    # 2
    chain = trust.documents(CHAIN) or _brought(evidence)
    keys = (*_trusted(trust, now), *_certified(trust, chain, now))
    if not keys:
        raise refuse(
            KIND,
            "missing_endorsement",
            "ak",
            expected=f"an attestation key: {TRUSTED}, or {CHAIN} to a root",
            got="neither",
        )
    # 3, 4
    verified = verify_quoted(KIND, quoted, tuple(each.key for each in keys))
    key = next(each for each in keys if each.key is verified.key)
    check_key(KIND, "ak", key.key.spki, trust)
    # 5
    if key.certificate is not None:
        check_certificate(trust, chain, key.certificate, now)
    return _claims(verified, key, revocation=has_lists(trust))


def _trusted(trust: Trust, now: int) -> tuple[AttestationKey, ...]:
    documents = trust.documents(TRUSTED)
    return trust.once(
        ("tpm2.trusted",), now, lambda: Verified(tuple(map(read_trusted, documents)))
    )


def _brought(evidence: HardwareEvidence) -> tuple[bytes, ...]:
    chain = evidence.parts.get(CHAIN)
    return () if chain is None else (chain,)


def _certified(
    trust: Trust, chain: tuple[bytes, ...], now: int
) -> tuple[AttestationKey, ...]:
    if trust.documents(CHAIN):
        return trust.once(
            ("tpm2.certified",), now, lambda: Verified(read_certified(chain))
        )
    # what evidence brings is read anew each time: strangers do not fill the memory
    return read_certified(chain)


def _claims(
    verified: VerifiedQuote, key: AttestationKey, *, revocation: bool
) -> HardwareClaims:
    attest, spki = verified.attest, verified.key.spki
    fields = {**attest.fields(), **verified.pcr_fields()}
    open_questions = [*_NOT_PROVEN]
    if key.certificate is not None:
        fields["ak_certificate_subject"] = key.certificate.name
    elif key.public is not None:
        fields["ak_name"] = key.public.name().hex()
    if key.public is None:
        open_questions.append(_ATTRIBUTES)
    if key.certificate is not None and not revocation:
        open_questions.append(_NO_REVOCATION)
    return HardwareClaims(
        kind=KIND,
        format=f"TPM 2.0 quote of {verified.bank or 'no bank'}",
        device=sha256(spki).digest(),
        bound=attest.extra_data,
        bound_as="nonce",
        debug=False,
        measurements=verified.measurements,
        fields=fields,
        events=verified.events,
        key=spki,
        not_proven=(*open_questions, *verified.not_proven),
        proof=vouch(),
    )
