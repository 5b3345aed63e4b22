# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates and revocation lists (RFC 5280), as attestation needs them.

Parsing is total and complete: what a `Certificate` says of itself has been read once.
Whether it is to be trusted is not decided here (hardware/chain.py).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.crypto.foreign import Digest, ForeignKey
from strongroom.errors import Malformed

Parts: TypeAlias = tuple[tuple[str, str], ...]
"""A distinguished name as (object id, text) of each of its parts, sorted."""

MAX_CERTIFICATE_BYTES = 64 << 10
MAX_CRL_BYTES = 16 << 20
_PEM_BEGIN = b"-----BEGIN "
_SEQUENCE, _LONG_FORM = b"\x30", b"\x80"
_DIGESTS: dict[str, Digest] = {
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
}
_WEAK = {"md5", "sha1", "sha224"}
_FOREIGN_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
)


class Certificate:
    """One certificate; equal by its bytes.

    Attributes:
        der: its encoding.
        subject, issuer: DER of the names, to compare.
        serial: the number its issuer gave it.
        not_before, not_after: Unix seconds, both inclusive.
        is_ca: whether it may sign other certificates.
        path_length: how many certificates may stand between it and a leaf, or None.
    """

    def __init__(self, der: bytes) -> None:
        if len(der) > MAX_CERTIFICATE_BYTES:
            message = f"a certificate of more than {MAX_CERTIFICATE_BYTES} bytes"
            raise Malformed(message)
        self.der = der
        with _rfc5280(), _quietly():
            self._x509 = x509.load_der_x509_certificate(der)
            self.serial = self._x509.serial_number
            self.subject = self._x509.subject.public_bytes()
            self.issuer = self._x509.issuer.public_bytes()
            self.not_before = _unix(self._x509.not_valid_before_utc)
            self.not_after = _unix(self._x509.not_valid_after_utc)
            extensions = self._x509.extensions
        basic = next(
            (e.value for e in extensions if isinstance(e.value, x509.BasicConstraints)),
            None,
        )
        usage = next(
            (e.value for e in extensions if isinstance(e.value, x509.KeyUsage)), None
        )
        self.is_ca = bool(basic and basic.ca) and (usage is None or usage.key_cert_sign)
        self.path_length = basic.path_length if basic else None
        self._extensions = extensions

    @classmethod
    def read(cls, data: bytes) -> "Certificate":
        """Read one certificate in DER or PEM.

        Raises:
            Malformed: it is none, or more than one.
        """
        found = cls.read_all(data)
        if len(found) != 1:
            message = f"one certificate wanted, {len(found)} found"
            raise Malformed(message)
        return found[0]

    @classmethod
    def read_all(cls, data: bytes) -> "tuple[Certificate, ...]":
        """Read any number of PEM certificates, or one in DER.

        Raises:
            Malformed: something in it is not a certificate.
        """
        # A certificate in DER may hold others in PEM (RA-TLS); no text begins like it.
        is_der = data[:1] == _SEQUENCE and data[1:2] >= _LONG_FORM
        if is_der or _PEM_BEGIN not in data:
            return (cls(data),)
        with _rfc5280(), _quietly():
            loaded = x509.load_pem_x509_certificates(data)
            encoded = [each.public_bytes(Encoding.DER) for each in loaded]
        return tuple(map(cls, encoded))

    @cached_property
    def public_key(self) -> ForeignKey:
        """The key that is certified.

        Raises:
            Malformed: of a kind that evidence does not use.
        """
        with _rfc5280():
            return ForeignKey.of(self._x509.public_key())

    @cached_property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo in DER, of any kind of key."""
        with _rfc5280():
            return self._x509.public_key().public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            )

    @cached_property
    def name(self) -> str:
        """The subject as a person reads it (RFC 4514)."""
        with _rfc5280():
            return self._x509.subject.rfc4514_string()

    @cached_property
    def subject_parts(self) -> Parts:
        """The parts of the subject, in no order."""
        return _parts(self._x509.subject)

    @cached_property
    def issuer_parts(self) -> Parts:
        """The parts of the issuer's name, in no order."""
        return _parts(self._x509.issuer)

    @cached_property
    def crl_urls(self) -> tuple[str, ...]:
        """Where its issuer says the revocation list is; never fetched from here."""
        points = next(
            (
                each.value
                for each in self._extensions
                if isinstance(each.value, x509.CRLDistributionPoints)
            ),
            (),
        )
        return tuple(
            name.value
            for point in points
            for name in point.full_name or ()
            if isinstance(name, x509.UniformResourceIdentifier)
        )

    @cached_property
    def extended_key_usages(self) -> tuple[str, ...]:
        """Object ids of what its key is for; none where it does not say."""
        return tuple(
            usage.dotted_string
            for each in self._extensions
            if isinstance(each.value, x509.ExtendedKeyUsage)
            for usage in each.value
        )

    @cached_property
    def critical_unknown(self) -> tuple[str, ...]:
        """Object ids of critical extensions that nothing here understands."""
        return tuple(
            each.oid.dotted_string
            for each in self._extensions
            if each.critical and isinstance(each.value, x509.UnrecognizedExtension)
        )

    def extension(self, oid: str) -> bytes | None:
        """Return the value of a private extension, or None if it has none."""
        for each in self._extensions:
            if each.oid.dotted_string == oid and isinstance(
                each.value, x509.UnrecognizedExtension
            ):
                return each.value.value
        return None

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Whether `issuer` is named as its issuer and its signature is the issuer's.

        A signature with SHA-1 or weaker is none.
        """
        if _weak(self._x509):
            return False
        try:
            self._x509.verify_directly_issued_by(issuer._x509)  # noqa: SLF001 - same class
        except (InvalidSignature, *_FOREIGN_ERRORS):
            return False
        return True

    def bears_signature_of(self, issuer: "Certificate") -> bool:
        """Whether the signature is `issuer`'s, whatever name is given as the issuer's.

        For vendors who write one name in two ways; compare the parts of the names.
        """
        with _rfc5280():
            signature, data = self._x509.signature, self._x509.tbs_certificate_bytes
            algorithm = self._x509.signature_hash_algorithm
            parameters = self._x509.signature_algorithm_parameters
        digest = _DIGESTS.get(algorithm.name) if algorithm else None
        if digest is None:
            return False
        if isinstance(parameters, padding.PSS):
            return issuer.public_key.signed_pss(signature, data, digest)
        return issuer.public_key.signed(signature, data, digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.name}>"


class RevocationList:
    """A certificate revocation list (RFC 5280 section 5).

    Attributes:
        issuer: DER of the name of who signed it.
        this_update, next_update: Unix seconds; without a next update it never ends.
    """

    def __init__(self, der: bytes) -> None:
        if len(der) > MAX_CRL_BYTES:
            message = f"a revocation list of more than {MAX_CRL_BYTES} bytes"
            raise Malformed(message)
        with _rfc5280(), _quietly():
            self._crl = x509.load_der_x509_crl(der)
            self.issuer = self._crl.issuer.public_bytes()
            self.this_update = _unix(self._crl.last_update_utc)
            upper = self._crl.next_update_utc
        self.next_update = _unix(upper) if upper else None

    @classmethod
    def read(cls, data: bytes) -> "RevocationList":
        """Read a list in DER, PEM, or the hex of DER that Intel's service gives.

        Raises:
            Malformed: it is none.
        """
        if data.startswith(_PEM_BEGIN):
            with _rfc5280():
                der = x509.load_pem_x509_crl(data).public_bytes(Encoding.DER)
            return cls(der)
        if data[:2].lower() == b"30" and len(data) % 2 == 0:
            try:
                return cls(bytes.fromhex(data.decode("ascii")))
            except ValueError:
                pass
        return cls(data)

    def is_signed_by(self, issuer: Certificate) -> bool:
        """Whether `issuer` is who it names, and its signature the issuer's."""
        return self.issuer == issuer.subject and self.bears_signature_of(issuer)

    def bears_signature_of(self, issuer: Certificate) -> bool:
        """Whether the signature is `issuer`'s, as `Certificate.bears_signature_of`."""
        if _weak(self._crl):
            return False
        try:
            key = issuer._x509.public_key()  # noqa: SLF001 - same module
            return self._holds(key)
        except (InvalidSignature, *_FOREIGN_ERRORS):
            return False

    @cached_property
    def issuer_parts(self) -> Parts:
        """The parts of the name of who signed it, in no order."""
        return _parts(self._crl.issuer)

    def _holds(self, key: object) -> bool:
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return False
        parameters = self._crl.signature_algorithm_parameters
        if isinstance(key, rsa.RSAPublicKey) and isinstance(parameters, padding.PSS):
            algorithm = self._crl.signature_hash_algorithm
            if algorithm is None:
                return False
            key.verify(
                self._crl.signature, self._crl.tbs_certlist_bytes, parameters, algorithm
            )
            return True
        return self._crl.is_signature_valid(key)

    def revokes(self, serial: int) -> bool:
        """Whether the certificate of this number is revoked."""
        with _rfc5280():
            found = self._crl.get_revoked_certificate_by_serial_number(serial)
        return found is not None


def _parts(name: x509.Name) -> Parts:
    return tuple(sorted((each.oid.dotted_string, str(each.value)) for each in name))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep `cryptography` from warning of what nobody here could mend.

    Every VCEK of AMD's has the number 0, which RFC 5280 forbids; names may have parts
    of lengths that it does not allow. All of its warnings are UserWarnings.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _weak(signed: x509.Certificate | x509.CertificateRevocationList) -> bool:
    try:
        algorithm = signed.signature_hash_algorithm
    except _FOREIGN_ERRORS:
        return True
    return algorithm is not None and algorithm.name in _WEAK


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())


@contextmanager
def _rfc5280() -> Iterator[None]:
    """Make whatever a parser raises over bad bytes a refusal of ours."""
    try:
        yield
    except _FOREIGN_ERRORS as error:
        message = "this is not a certificate or revocation list of RFC 5280"
        raise Malformed(message) from error
