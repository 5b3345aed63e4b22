# SPDX-License-Identifier: Apache-2.0
"""Verify Nitro attestation documents: authenticity, never expectation."""

from hashlib import sha256

from strongroom.core.codec.foreign_cose import ForeignSign1
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust, Verified
from strongroom.core.rats.claims import vouch
from strongroom.errors import Malformed
from strongroom.hardware.chain import verify_path
from strongroom.hardware.nitro.abi import KIND, Document, read_envelope
from strongroom.hardware.nitro.tpm import read_key, verify_quote
from strongroom.hardware.refusal import refuse
from strongroom.hardware.revocation import check_revocation, read_lists
from strongroom.hardware.tcg.quote import Attest

_ALG, _ES384, _CURVE = 1, -35, "P-384"

_NOT_PROVEN = (
    "who operates the Nitro hypervisor: the document is its word, and AWS's alone",
    "that AWS has not revoked the chain, beyond the lists that were given",
    "what runs in the enclave after its launch: the PCRs are of its image",
)
_TPM_NOT_PROVEN = (
    *_NOT_PROVEN[:2],
    "what runs in the instance beside what its boot measured into the PCRs",
)


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what a Nitro document says, known to be the hypervisor's own word.

    Parts: `document`; beside that of an instance perhaps `tpm_quote` and
    `tpm_signature` (ECDSA in DER or RSASSA, unless `tpm_signature_format` names
    another form), and `pcrs` (JSON). Endorsements: the roots; `crl`, optional, of the
    CAs in between.

    1. Parse the envelope (RFC 9052) and the document, to the last byte.
    2. The document's certificate leads over its `cabundle`, in any order, to a root;
       all are valid at `now`, and the certificate itself is no CA's.
    3. No revocation list that is given names one of them.
    4. The algorithm is ES384, and that certificate's key of P-384 signed the document.
    5. With a quote: it holds (`tpm.verify_quote`), and its nonce is what is bound.

    Not checked: nonce, user data, age, PCR values, whether the enclave runs in debug
    mode. That is appraisal.

    Args:
        evidence: of kind "nitro".
        trust: see above.
        now: Unix seconds.

    Raises:
        Malformed: step 1, or parts of step 5 that are not what they should be.
        Untrusted: steps 2 to 5.
        Stale: a certificate out of its time; the first lives about three hours.
    """
    # 1
    envelope = read_envelope(evidence.part("document"))
    document = Document.parse(envelope.payload)
    # 2, 3
    key = _signing_key(document, trust, now)
    # 4
    _check_signature(envelope, key)
    # 5
    return _claims(document, verify_quote(evidence, document, trust))


def _signing_key(document: Document, trust: Trust, now: int) -> ForeignKey:
    certificates = (document.certificate, *document.cabundle)

    def make() -> "Verified[ForeignKey]":
        leaf, *pool = _read(certificates)
        path = verify_path(KIND, "document", leaf, pool, trust, now)
        if leaf.is_ca:
            raise refuse(
                KIND,
                "chain",
                "document",
                expected="the certificate of an enclave or an instance",
                got=f"the CA {leaf.name}",
            )
        lists = read_lists(trust, "crl")
        window = check_revocation(KIND, "document", path, lists, now, required=False)
        return Verified(
            leaf.public_key,
            max(path.not_before, window[0]),
            min(path.not_after, window[1]),
        )

    digests = tuple(sha256(each).digest() for each in certificates)
    return trust.once(("nitro.chain", digests), now, make)


def _read(certificates: tuple[bytes, ...]) -> list[Certificate]:
    try:
        return [Certificate(each) for each in certificates]
    except Malformed as error:
        raise refuse(
            KIND,
            "chain",
            "document",
            expected="a document of whole certificates",
            got="bytes in place of one",
        ) from error


def _check_signature(envelope: ForeignSign1, key: ForeignKey) -> None:
    algorithm = envelope.header.get(_ALG)
    if algorithm != _ES384 or key.curve != _CURVE:
        raise refuse(
            KIND,
            "weak_algorithm",
            "document",
            expected="ES384 with a key of P-384",
            got=f"algorithm {algorithm!r} with a key of {key.curve}",
        )
    if not envelope.signed_by(key):
        raise refuse(
            KIND,
            "signature",
            "document",
            expected="a document signed by the key of its certificate",
            got="one that is not",
        )


def _claims(document: Document, quote: Attest | None) -> HardwareClaims:
    of_enclave = document.pcr_field == "pcrs"
    bound = (document.nonce if quote is None else quote.extra_data) or b""
    fields = document.fields()
    if quote is not None:
        fields["quote"] = quote.fields()
    return HardwareClaims(
        kind=KIND,
        format="Nitro Enclaves document" if of_enclave else "NitroTPM document",
        device=document.module_id.encode(),
        bound=bound,
        bound_as="nonce" if bound else "",
        # an enclave in debug mode has zeros in place of what it measured
        debug=of_enclave and not any(document.pcrs.get(0, b"")),
        measurements={f"pcr.{index}": pcr for index, pcr in document.pcrs.items()},
        fields=fields,
        issued_at=document.timestamp_ms // 1000,
        key=_bound_key(document.public_key),
        not_proven=_NOT_PROVEN if of_enclave else _TPM_NOT_PROVEN,
        proof=vouch(),
    )


def _bound_key(public_key: bytes | None) -> bytes:
    """Return the key as SubjectPublicKeyInfo; none where it is of another form."""
    if public_key is None:
        return b""
    try:
        return read_key(public_key).spki
    except Malformed:
        return b""
