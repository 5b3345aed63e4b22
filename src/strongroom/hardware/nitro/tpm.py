# SPDX-License-Identifier: Apache-2.0
"""The quote of a NitroTPM beside its document.

The document vouches for the registers and, as its `public_key`, for the attestation
key (AK); a quote by that key shows that who has the document has the TPM.
"""

from strongroom.core.codec.foreign_cose import point_key
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.rats import HardwareEvidence, Trust
from strongroom.hardware.chain import check_key
from strongroom.hardware.nitro.abi import KIND, Document
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tcg.algorithms import SIZES, Algorithm
from strongroom.hardware.tcg.pcrs import read_json
from strongroom.hardware.tcg.quote import Attest, check_pcrs
from strongroom.hardware.tcg.signature import Signature, verify_quote_signature

QUOTE, SIGNATURE, PCRS = "tpm_quote", "tpm_signature", "pcrs"
SIGNATURE_FORMAT = "tpm_signature_format"
PARTS = frozenset({QUOTE, SIGNATURE, PCRS})

_POINT = b"\x04"
_BANKS: dict[str, Algorithm] = {
    "SHA256": "sha256",
    "SHA384": "sha384",
    "SHA512": "sha512",
}
_DIGESTS: dict[int, Algorithm] = {
    SIZES["sha1"]: "sha1",
    SIZES["sha256"]: "sha256",
    SIZES["sha384"]: "sha384",
}


def verify_quote(
    evidence: HardwareEvidence, document: Document, trust: Trust
) -> Attest | None:
    """Return the quote beside an authentic document, or None where there is none.

    1. Only an instance's document has a quote, with a signature; `pcrs` may be absent.
    2. The AK, which is the document's `public_key`, signed it, with SHA-256 or better,
       and is not revoked.
    3. It covers registers of the document's bank, with the document's values.
    4. `pcrs` says nothing of that bank but what the document says, and of no other.
    5. A nonce in the document is the one in the quote.

    Raises:
        Malformed: a part that is missing or not what it should be.
        Untrusted: `binding`, `weak_algorithm`, `signature`, `revoked`, `measurement`.
    """
    # 1
    if not PARTS & evidence.parts.keys():
        return None
    ak = _attestation_key(document)
    attest = Attest.parse(evidence.part(QUOTE), QUOTE)
    # 2
    signature = _signature(evidence, attest, ak)
    verify_quote_signature(KIND, QUOTE, (ak,), attest.raw, signature)
    check_key(KIND, "ak", ak.spki, trust)
    # 3
    bank = _BANKS[document.digest]
    _check_selection(attest, bank, document)
    check_pcrs(KIND, attest, signature.algorithm, {bank: document.pcrs}, QUOTE)
    # 4
    if PCRS in evidence.parts:
        _check_values(evidence.part(PCRS), bank, document)
    # 5
    if document.nonce and document.nonce != attest.extra_data:
        raise refuse(
            KIND,
            "binding",
            "nonce",
            expected=f"the document's nonce {document.nonce.hex()[:16]} in the quote",
            got=attest.extra_data.hex()[:16] or "none",
        )
    return attest


def read_key(public_key: bytes) -> ForeignKey:
    """Read the key in a document: a point of its curve, or a SubjectPublicKeyInfo.

    Raises:
        Malformed: it is of another form.
    """
    if public_key.startswith(_POINT):
        return point_key(public_key, "attestation key")
    return ForeignKey.from_spki(public_key)


def _attestation_key(document: Document) -> ForeignKey:
    if document.pcr_field != "nitrotpm_pcrs" or document.public_key is None:
        raise refuse(
            KIND,
            "binding",
            QUOTE,
            expected="a NitroTPM document with the AK as its public key",
            got=f"{document.pcr_field} with "
            f"{'no key' if document.public_key is None else 'a key'}",
        )
    return read_key(document.public_key)


def _signature(evidence: HardwareEvidence, attest: Attest, ak: ForeignKey) -> Signature:
    data, given = evidence.part(SIGNATURE), evidence.parts.get(SIGNATURE_FORMAT)
    if given is not None:
        return Signature.parse(data, given.decode("ascii", "replace"), SIGNATURE)
    # a TPM digests the registers with the hash of its signature (Part 3, TPM2_Quote)
    digest = _DIGESTS.get(len(attest.pcr_digest))
    if digest is None:
        raise refuse(
            KIND,
            "format",
            QUOTE,
            expected="a quote with SHA-256 or SHA-384",
            got=f"a digest of {len(attest.pcr_digest)} bytes",
        )
    scheme = "rsassa" if ak.curve == "RSA" else "ecdsa"
    return Signature.parse(data, f"{scheme}-{digest}", SIGNATURE)


def _check_selection(attest: Attest, bank: Algorithm, document: Document) -> None:
    selected = {name: pcrs for name, pcrs in attest.pcr_selections if pcrs}
    if selected.keys() != {bank} or not document.pcrs.keys() >= {*selected[bank]}:
        raise refuse(
            KIND,
            "binding",
            QUOTE,
            expected=f"a quote over {document.digest} registers of the document",
            got=f"one over others, in {', '.join(selected) or 'no bank'}",
        )


def _check_values(data: bytes, bank: Algorithm, document: Document) -> None:
    banks = read_json(data, PCRS)
    given = banks.get(bank, {})
    wrong = [index for index, pcr in given.items() if document.pcrs.get(index) != pcr]
    if wrong or banks.keys() != {bank}:
        raise refuse(
            KIND,
            "measurement",
            PCRS,
            expected=f"{document.digest} registers as the document has them",
            got=f"others in {', '.join(map(str, wrong)) or 'other banks'}",
        )
