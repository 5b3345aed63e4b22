# SPDX-License-Identifier: Apache-2.0
"""Host-key documents: certificates of the key that a host unseals its guests with.

"Introducing IBM Secure Execution for Linux" (SC34-7721), chapter "Verifying a host key
document". A document is a certificate of a key of P-521 in PEM or DER, signed by IBM's
host-key signing key. That key's own certificate comes from a public authority, so it
is told from anyone else's by its subject alone.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.crypto.x509 import Certificate, Parts
from strongroom.core.rats.hardware import Field

KIND = "ibm-se"

CURVE = "P-521"

_COMMON_NAME, _COUNTRY, _LOCALITY = "2.5.4.3", "2.5.4.6", "2.5.4.7"
_STATE, _ORGANIZATION, _UNIT = "2.5.4.8", "2.5.4.10", "2.5.4.11"
_IBM = "International Business Machines Corporation"
_LOCALITIES = ("Armonk", "Poughkeepsie")
_FIXED = {
    _COMMON_NAME: _IBM,
    _COUNTRY: "US",
    _LOCALITY: _LOCALITIES[0],
    _STATE: "New York",
    _ORGANIZATION: _IBM,
}
_UNIT_SUFFIX = "Key Signing Service"

_COORDINATE_BYTES, _SLOT_BYTES = 66, 80


@dataclass(frozen=True)
class HostKeyDocument:
    """A host-key document as it was read: UNVERIFIED."""

    certificate: Certificate

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a document in PEM or DER.

        Raises:
            Malformed: not one certificate.
        """
        return cls(Certificate.read(data))

    @property
    def key(self) -> ForeignKey:
        """The host key.

        Raises:
            Malformed: of a kind that evidence does not use.
        """
        return self.certificate.public_key

    @property
    def key_hash(self) -> bytes:
        """The public host key hash, by which images and requests name a host.

        SHA-256 over both coordinates, each padded to 80 bytes (s390-tools, keyslot).
        """
        point = self.key.point
        x, y = point[:_COORDINATE_BYTES], point[_COORDINATE_BYTES:]
        return sha256(
            x.rjust(_SLOT_BYTES, b"\0") + y.rjust(_SLOT_BYTES, b"\0")
        ).digest()

    def fields(self) -> dict[str, Field]:
        """Return what the document says."""
        certificate = self.certificate
        return {
            "host_serial": f"{certificate.serial:x}",
            "subject": certificate.name,
            "not_before": certificate.not_before,
            "not_after": certificate.not_after,
            "public_key": self.key.spki.hex(),
            "public_host_key_hash": self.key_hash.hex(),
        }


def is_signing_certificate(certificate: Certificate) -> bool:
    """Whether the subject is that of IBM's host-key signing service."""
    parts = dict(same_place(certificate.subject_parts))
    unit = parts.pop(_UNIT, "")
    return (
        parts == _FIXED
        and len(certificate.subject_parts) == len(_FIXED) + 1
        and unit.endswith(_UNIT_SUFFIX)
    )


def same_place(name: Parts) -> Parts:
    """Return `name` with one locality for the two that IBM uses for the same issuer.

    Documents, signing certificates and revocation lists of one signing key differ in
    it, and in the order of the parts, which is why `Parts` have none.
    """
    return tuple(
        (oid, _LOCALITIES[0] if oid == _LOCALITY and text in _LOCALITIES else text)
        for oid, text in name
    )
