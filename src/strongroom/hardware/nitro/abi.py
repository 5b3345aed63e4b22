# SPDX-License-Identifier: Apache-2.0
"""Layout of Nitro attestation documents: of enclaves, and of instances with NitroTPM.

"Verifying the root of trust" (AWS Nitro Enclaves) and "Validate a NitroTPM Attestation
Document" (Amazon EC2) give the fields and their sizes; documents with user data and
nonces of 1024 bytes, twice what the first page says, come from real enclaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn, Self

from strongroom.core.codec import foreign_cbor
from strongroom.core.codec.foreign_cbor import Key, Value
from strongroom.core.codec.foreign_cose import ForeignSign1
from strongroom.core.rats.hardware import Field
from strongroom.errors import Malformed

KIND = "nitro"
WHAT = "Nitro document"

MAX_DOCUMENT_BYTES = 64 << 10

PcrField = Literal["pcrs", "nitrotpm_pcrs"]

_PCR_FIELDS: tuple[PcrField, ...] = ("pcrs", "nitrotpm_pcrs")
_PCR_BYTES = {"SHA256": 32, "SHA384": 48, "SHA512": 64}
_MAX_PCRS, _MAX_CERTIFICATES = 32, 16
_MAX_CERTIFICATE_BYTES = 1024
_MAX_DATA_BYTES = 1024
_REQUIRED = {"module_id", "digest", "timestamp", "certificate", "cabundle"}
_OPTIONAL = {"public_key", "user_data", "nonce"}
_MAX_TIMESTAMP_MS = 2**63


@dataclass(frozen=True)
class Document:
    """An attestation document as it was read: UNVERIFIED.

    `pcr_field` is how the document calls its registers: `pcrs` are an enclave's,
    `nitrotpm_pcrs` those of an instance's TPM. What was not given is None.
    """

    module_id: str
    digest: str
    timestamp_ms: int
    pcr_field: PcrField
    pcrs: Mapping[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read the payload of the envelope.

        Raises:
            Malformed: not CBOR, or fields that are missing, unknown, or of another
                type or size.
        """
        value = foreign_cbor.decode(payload, WHAT, indefinite=True)
        if not isinstance(value, dict):
            _refuse("is no map")
        pcr_field = _pcr_field(value)
        digest = _text(value, "digest")
        return cls(
            module_id=_text(value, "module_id"),
            digest=digest,
            timestamp_ms=_timestamp(value["timestamp"]),
            pcr_field=pcr_field,
            pcrs=_pcrs(value[pcr_field], digest),
            certificate=_certificate(value["certificate"]),
            cabundle=_cabundle(value["cabundle"]),
            public_key=_data(value, "public_key"),
            user_data=_data(value, "user_data"),
            nonce=_data(value, "nonce"),
        )

    def fields(self) -> dict[str, Field]:
        """Return every field but the certificates; what was not given is empty."""
        return {
            "module_id": self.module_id,
            "digest": self.digest,
            "timestamp_ms": self.timestamp_ms,
            "pcr_field": self.pcr_field,
            "pcrs": {str(index): pcr.hex() for index, pcr in self.pcrs.items()},
            "public_key": (self.public_key or b"").hex(),
            "user_data": (self.user_data or b"").hex(),
            "nonce": (self.nonce or b"").hex(),
        }


def read_envelope(data: bytes) -> ForeignSign1:
    """Read the COSE_Sign1 around a document, with or without its tag.

    Raises:
        Malformed: something else, or with a header that nobody signed.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        _refuse(f"has more than {MAX_DOCUMENT_BYTES} bytes")
    envelope = ForeignSign1.of(foreign_cbor.decode(data, WHAT), WHAT)
    if envelope.unprotected:
        _refuse("has a header that nobody signed")
    return envelope


def _pcr_field(value: dict[Key, Value]) -> PcrField:
    found = [name for name in _PCR_FIELDS if name in value]
    if len(found) != 1:
        _refuse("has not one kind of PCRs")
    missing = _REQUIRED - value.keys()
    if missing:
        _refuse(f"lacks {', '.join(sorted(missing))}")
    unknown = value.keys() - _REQUIRED - _OPTIONAL - {found[0]}
    if unknown:
        _refuse(f"has {len(unknown)} unknown fields")
    return found[0]


def _text(value: dict[Key, Value], name: str) -> str:
    found = value[name]
    if not isinstance(found, str) or not 0 < len(found) <= _MAX_DATA_BYTES:
        _refuse(f"has no proper {name}")
    return found


def _timestamp(value: Value) -> int:
    if type(value) is not int or not 0 < value < _MAX_TIMESTAMP_MS:
        _refuse("has no proper timestamp")
    return value


def _pcrs(value: Value, digest: str) -> dict[int, bytes]:
    size = _PCR_BYTES.get(digest)
    if size is None:
        _refuse(f"is of the unknown digest {digest!r}")
    if not isinstance(value, dict) or not 0 < len(value) <= _MAX_PCRS:
        _refuse(f"has no map of up to {_MAX_PCRS} PCRs")
    found: dict[int, bytes] = {}
    for index, pcr in value.items():
        if type(index) is not int or not 0 <= index < _MAX_PCRS:
            _refuse(f"has a PCR {index!r}")
        if not isinstance(pcr, bytes) or len(pcr) != size:
            _refuse(f"has a PCR {index} that is no {digest} digest")
        found[index] = pcr
    return found


def _certificate(value: Value) -> bytes:
    if not isinstance(value, bytes) or not 0 < len(value) <= _MAX_CERTIFICATE_BYTES:
        _refuse(f"has a certificate not of 1 to {_MAX_CERTIFICATE_BYTES} bytes")
    return value


def _cabundle(value: Value) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_CERTIFICATES:
        _refuse(f"has no cabundle of up to {_MAX_CERTIFICATES}")
    return tuple(map(_certificate, value))


def _data(value: dict[Key, Value], name: str) -> bytes | None:
    found = value.get(name)
    if found is None:
        return None
    if not isinstance(found, bytes) or len(found) > _MAX_DATA_BYTES:
        _refuse(f"has no proper {name}")
    return found


def _refuse(what: str) -> NoReturn:
    message = f"{WHAT}: it {what}"
    raise Malformed(message)
