# SPDX-License-Identifier: Apache-2.0
"""Certificate revocation lists (RFC 5280 section 5)."""

from functools import cached_property

from cryptography import x509

from strongroom.core.crypto import der, pem
from strongroom.core.crypto.x509 import (
    FOREIGN_ERRORS,
    NOT_5280,
    Certificate,
    Parts,
    Signed,
    parts,
    unix,
)
from strongroom.errors import Malformed

MAX_CRL_BYTES = 16 << 20
_FIELDS, _SHORT = 3, 0x80
"""Version, algorithm and issuer; what follows is `cryptography`'s to read."""


class RevocationList:
    """A whole certificate revocation list (RFC 5280 section 5), no part of one.

    Attributes:
        der: its encoding.
        issuer: DER of the name of who signed it.
        this_update, next_update: Unix seconds; without a next update it never ends.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_CRL_BYTES:
            message = f"a revocation list of more than {MAX_CRL_BYTES} bytes"
            raise Malformed(message)
        self.der = data
        try:
            parsed = self._crl = x509.load_der_x509_crl(data)
            self.this_update = unix(parsed.last_update_utc)
            upper = parsed.next_update_utc
        except FOREIGN_ERRORS as error:
            raise Malformed(NOT_5280) from error
        self.next_update = unix(upper) if upper else None
        self._signed = Signed(data, parsed, der.INTEGER, _FIELDS)
        self.issuer = self._signed.fields[1]
        self._require_whole()

    @classmethod
    def read(cls, data: bytes) -> "RevocationList":
        """Read a list in DER, PEM, or the hex of DER that Intel's service gives.

        Raises:
            Malformed: it is none.
        """
        if data.startswith(pem.BEGIN):
            found = pem.read(data, b"X509 CRL")
            if len(found) != 1:
                message = f"one revocation list wanted, {len(found)} found"
                raise Malformed(message)
            return cls(found[0])
        if data[:2].lower() == b"30":
            try:
                return cls(bytes.fromhex(data.decode("ascii")))
            except ValueError:
                pass
        return cls(data)

    def _require_whole(self) -> None:
        """Refuse a list that tells of a part of what its issuer revoked.

        Such are deltas, lists for some reasons, of attribute certificates or for other
        issuers, and those with a critical extension that nobody here understands
        (RFC 5280 section 5.2). One of a distribution point is whole for that point.
        """
        try:
            extensions = list(self._crl.extensions)
        except (ValueError, TypeError, x509.DuplicateExtension) as error:
            message = "a revocation list with extensions that are not of RFC 5280"
            raise Malformed(message) from error
        for each in extensions:
            scope = each.value
            # Exact: isinstance() is slow for these classes.
            if type(scope) is x509.IssuingDistributionPoint:
                part = (
                    scope.only_some_reasons
                    or scope.only_contains_attribute_certs
                    or scope.indirect_crl
                )
            else:
                part = each.critical or type(scope) is x509.DeltaCRLIndicator
            if part:
                message = (
                    f"a revocation list with {each.oid.dotted_string} is not whole"
                )
                raise Malformed(message)

    def is_signed_by(self, issuer: Certificate) -> bool:
        """Whether `issuer` is who it names, and its signature the issuer's."""
        return self.issuer == issuer.subject and self._signed.is_by(issuer)

    def bears_signature_of(self, issuer: Certificate) -> bool:
        """Whether the signature is `issuer`'s, as `Certificate.bears_signature_of`."""
        return self._signed.is_by(issuer)

    @cached_property
    def issuer_parts(self) -> Parts:
        """The parts of the name of who signed it, in no order."""
        return parts(self._crl, "issuer")

    @cached_property
    def authority_key(self) -> bytes:
        """The id of the key that signed it, as it says (RFC 5280 section 5.2.1)."""
        try:
            found = self._crl.extensions.get_extension_for_class(
                x509.AuthorityKeyIdentifier
            )
        except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
            return b""
        return found.value.key_identifier or b""

    def revokes(self, serial: int) -> bool:
        """Whether the certificate of this number is revoked."""
        size = serial.bit_length() // 8 + 1
        # Most are not, and then the DER of their number is nowhere in the list.
        if serial >= 0 and size < _SHORT:
            encoded = bytes((der.INTEGER, size)) + serial.to_bytes(size, "big")
            if encoded not in self.der:
                return False
        try:
            found = self._crl.get_revoked_certificate_by_serial_number(serial)
        except FOREIGN_ERRORS as error:
            raise Malformed(NOT_5280) from error
        return found is not None
