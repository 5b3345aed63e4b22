# SPDX-License-Identifier: Apache-2.0
"""The quote of a NitroTPM beside its document (TPM 2.0 Library, Part 2: Structures).

The document vouches for the registers and, as its `public_key`, for the attestation
key (AK); a quote by that key shows that who has the document has the TPM.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256, sha384
from typing import Self

from strongroom.core.codec.cursor import Cursor
from strongroom.core.codec.foreign_cose import point_key
from strongroom.core.crypto.foreign import Digest, ForeignKey
from strongroom.core.rats import HardwareEvidence
from strongroom.core.rats.hardware import Field
from strongroom.errors import Malformed
from strongroom.hardware.nitro.abi import KIND, Document
from strongroom.hardware.refusal import refuse

QUOTE, SIGNATURE, PCRS = "tpm_quote", "tpm_signature", "pcrs"
PARTS = frozenset({QUOTE, SIGNATURE, PCRS})

_WHAT = "TPM quote"
_GENERATED, _QUOTE_TYPE = 0xFF544347, 0x8018
_POINT = b"\x04"
_SHA1_BYTES = 20
_MAX_SELECTIONS, _MAX_SELECT_BYTES = 16, 4
_MAX_JSON_BYTES = 64 << 10
_BANKS = {0x000B: "SHA256", 0x000C: "SHA384", 0x000D: "SHA512"}
_HASHES: dict[int, Digest] = {32: "sha256", 48: "sha384"}


@dataclass(frozen=True)
class Quote:
    """A TPMS_ATTEST of a quote as it was read: UNVERIFIED; names are the TPM's."""

    qualified_signer: bytes
    extra_data: bytes
    clock: int
    reset_count: int
    restart_count: int
    safe: int
    firmware_version: int
    pcr_selection: tuple[tuple[int, tuple[int, ...]], ...]
    pcr_digest: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a TPMS_ATTEST.

        Raises:
            Malformed: not a quote that a TPM made, or bytes left over.
        """
        cursor = Cursor(data, _WHAT)
        if (cursor.big(4), cursor.big(2)) != (_GENERATED, _QUOTE_TYPE):
            message = f"{_WHAT}: not a TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE"
            raise Malformed(message)
        quote = cls(
            qualified_signer=cursor.take(cursor.big(2)),
            extra_data=cursor.take(cursor.big(2)),
            clock=cursor.big(8),
            reset_count=cursor.big(4),
            restart_count=cursor.big(4),
            safe=cursor.big(1),
            firmware_version=cursor.big(8),
            pcr_selection=_selection(cursor),
            pcr_digest=cursor.take(cursor.big(2)),
        )
        cursor.end()
        return quote

    def fields(self) -> dict[str, Field]:
        """Return every field; an algorithm is the hex of its TPM_ALG_ID."""
        return {
            "qualified_signer": self.qualified_signer.hex(),
            "extra_data": self.extra_data.hex(),
            "clock": self.clock,
            "reset_count": self.reset_count,
            "restart_count": self.restart_count,
            "safe": self.safe,
            "firmware_version": f"{self.firmware_version:016x}",
            "pcr_selection": [
                {"alg": f"{bank:04x}", "pcrs": list(pcrs)}
                for bank, pcrs in self.pcr_selection
            ],
            "pcr_digest": self.pcr_digest.hex(),
        }


def verify_quote(evidence: HardwareEvidence, document: Document) -> Quote | None:
    """Return the quote beside an authentic document, or None where there is none.

    1. Only an instance's document has a quote, with a signature; `pcrs` may be absent.
    2. The AK, which is the document's `public_key`, signed it, with SHA-256 or better.
    3. It covers registers of the document's bank, with the document's values.
    4. `pcrs` says nothing of that bank but what the document says, and of no other.
    5. A nonce in the document is the one in the quote.

    Raises:
        Malformed: a part that is missing or not what it should be.
        Untrusted: `binding`, `weak_algorithm`, `signature`, `measurement`.
    """
    # 1
    if not PARTS & evidence.parts.keys():
        return None
    if document.pcr_field != "nitrotpm_pcrs" or document.public_key is None:
        raise refuse(
            KIND,
            "binding",
            "tpm_quote",
            expected="a NitroTPM document with the AK as its public key",
            got=f"{document.pcr_field} with "
            f"{'no key' if document.public_key is None else 'a key'}",
        )
    signed = evidence.part(QUOTE)
    quote = Quote.parse(signed)
    # 2
    _check_signature(evidence, signed, quote, read_key(document.public_key))
    # 3, 4
    _check_registers(quote, document)
    if PCRS in evidence.parts:
        _check_values(read_pcrs(evidence.part(PCRS)), document)
    # 5
    if document.nonce and document.nonce != quote.extra_data:
        raise refuse(
            KIND,
            "binding",
            "nonce",
            expected=f"the document's nonce {document.nonce.hex()[:16]} in the quote",
            got=quote.extra_data.hex()[:16] or "none",
        )
    return quote


def read_key(public_key: bytes) -> ForeignKey:
    """Read the key in a document: a point of its curve, or a SubjectPublicKeyInfo.

    Raises:
        Malformed: it is of another form.
    """
    if public_key.startswith(_POINT):
        return point_key(public_key, "attestation key")
    return ForeignKey.from_spki(public_key)


def read_pcrs(data: bytes) -> dict[str, dict[int, bytes]]:
    """Read `{"sha384": {"<index>": "<hex>"}}`.

    Raises:
        Malformed: another form, or the same register twice.
    """
    if len(data) > _MAX_JSON_BYTES:
        message = f"PCRs: more than {_MAX_JSON_BYTES} bytes"
        raise Malformed(message)
    try:
        banks = json.loads(data, object_pairs_hook=_once)
        return {
            bank: {_index(index): bytes.fromhex(pcr) for index, pcr in of.items()}
            for bank, of in banks.items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        message = "PCRs: not registers by bank and index, in hex"
        raise Malformed(message) from error


def _index(text: str) -> int:
    index = int(text)
    if str(index) != text:
        message = f"{text!r} is not how an index is written"
        raise ValueError(message)
    return index


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "the same name twice"
        raise ValueError(message)
    return found


def _selection(cursor: Cursor) -> tuple[tuple[int, tuple[int, ...]], ...]:
    count = cursor.big(4)
    if count > _MAX_SELECTIONS:
        message = f"{_WHAT}: {count} selections of PCRs"
        raise Malformed(message)
    return tuple(_one_selection(cursor) for _ in range(count))


def _one_selection(cursor: Cursor) -> tuple[int, tuple[int, ...]]:
    bank, size = cursor.big(2), cursor.big(1)
    if size > _MAX_SELECT_BYTES:
        message = f"{_WHAT}: a selection of {size} bytes"
        raise Malformed(message)
    bits = cursor.little(size)
    return bank, tuple(index for index in range(8 * size) if bits >> index & 1)


def _check_signature(
    evidence: HardwareEvidence, signed: bytes, quote: Quote, key: ForeignKey
) -> None:
    # a TPM digests the registers with the hash of its signature (Part 3, TPM2_Quote)
    digest = _HASHES.get(len(quote.pcr_digest))
    if digest is None:
        raise refuse(
            KIND,
            "weak_algorithm" if len(quote.pcr_digest) <= _SHA1_BYTES else "format",
            "tpm_quote",
            expected="a quote with SHA-256 or SHA-384",
            got=f"a digest of {len(quote.pcr_digest)} bytes",
        )
    if not key.signed(evidence.part(SIGNATURE), signed, digest):
        raise refuse(
            KIND,
            "signature",
            "tpm_quote",
            expected="a quote signed by the AK in the document",
            got="one that is not",
        )


def _check_registers(quote: Quote, document: Document) -> None:
    banks = {_BANKS.get(bank, f"{bank:04x}") for bank, _ in quote.pcr_selection}
    selected = [index for _, pcrs in quote.pcr_selection for index in pcrs]
    missing = [index for index in selected if index not in document.pcrs]
    if banks != {document.digest} or not selected or missing:
        raise refuse(
            KIND,
            "binding",
            "tpm_quote",
            expected=f"a quote over {document.digest} registers of the document",
            got=f"one over {len(selected)} of {', '.join(sorted(banks)) or 'none'}",
        )
    values = b"".join(document.pcrs[index] for index in selected)
    digest = (sha384 if len(quote.pcr_digest) > sha256().digest_size else sha256)(
        values
    ).digest()
    if digest != quote.pcr_digest:
        raise refuse(
            KIND,
            "measurement",
            "tpm_quote",
            expected=f"a quote over the document's registers, {digest.hex()[:16]}",
            got=quote.pcr_digest.hex()[:16],
        )


def _check_values(banks: Mapping[str, Mapping[int, bytes]], document: Document) -> None:
    bank = document.digest.lower()
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
