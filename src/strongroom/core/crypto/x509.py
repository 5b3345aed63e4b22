# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates (RFC 5280), as attestation needs them; crl.py has their lists.

Parsing is total and complete: what a `Certificate` says of itself has been read once.
Whether it is to be trusted is not decided here (hardware/chain.py).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Literal, TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding

from strongroom.core.crypto import der, pem
from strongroom.core.crypto.extensions import read, read_plain
from strongroom.core.crypto.foreign import Digest, ForeignKey, ForeignSm2Key
from strongroom.core.crypto.null_parameters import without_null
from strongroom.errors import Malformed

E = TypeVar("E", bound=x509.ExtensionType)
Parts: TypeAlias = tuple[tuple[str, str], ...]
"""A distinguished name as (object id, text) of each of its parts, sorted."""

MAX_CERTIFICATE_BYTES = 64 << 10
_SEQUENCE, _LONG_FORM = b"\x30", b"\x80"
_DIGESTS: dict[str, Digest] = {
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
}
Parsed: TypeAlias = x509.Certificate | x509.CertificateRevocationList
_FIELDS, _EXTENSIONS = 8, 0xA3
"""Fields of a certificate without unique ids, and the tag of the last."""
_WHOLE_BYTES = b"\0"
"""How many bits the BIT STRING of a signature leaves unused: none."""
_ECDSA_WITH: dict[bytes, Digest] = {
    bytes.fromhex("300a06082a8648ce3d040302"): "sha256",
    bytes.fromhex("300a06082a8648ce3d040303"): "sha384",
    bytes.fromhex("300a06082a8648ce3d040304"): "sha512",
}
"""AlgorithmIdentifiers of RFC 5758 section 3.2, as they must be: no parameters."""
_SM2_WITH_SM3 = bytes.fromhex("300a06082a811ccf55018375")
"""AlgorithmIdentifier of 1.2.156.10197.1.501, without parameters."""
FOREIGN_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
)


# `cryptography` warns of what nobody here could mend: every VCEK of AMD's has the
# number 0, which RFC 5280 forbids, and some names have parts too long for it.
warnings.filterwarnings("ignore", category=UserWarning, module=__package__)


class Certificate:
    """One certificate; equal by its bytes.

    Attributes:
        der: its encoding.
        subject, issuer: DER of the names, to compare.
        spki: the SubjectPublicKeyInfo in DER, of any kind of key.
        serial: the number its issuer gave it.
        not_before, not_after: Unix seconds, both inclusive.
        is_ca: whether it may sign other certificates.
        path_length: how many certificates may stand between it and a leaf, or None.
        critical_unknown: object ids of critical extensions that nothing here
            understands: limits of names and policies are among them.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_CERTIFICATE_BYTES:
            message = f"a certificate of more than {MAX_CERTIFICATE_BYTES} bytes"
            raise Malformed(message)
        self.der = data
        self._key: ForeignKey | None = None
        try:
            parsed = self._x509 = x509.load_der_x509_certificate(without_null(data))
            self.serial = parsed.serial_number
            self.not_before = unix(parsed.not_valid_before_utc)
            self.not_after = unix(parsed.not_valid_after_utc)
            self._signed = Signed(data, parsed, der.CONTEXT_0, _FIELDS)
            found = self._signed.fields
            _, _, self.issuer, _, self.subject, self.spki, *rest = found
            plain = read_plain(rest[0]) if rest and rest[0][0] == _EXTENSIONS else None
            said = plain or read(parsed.extensions)
        except FOREIGN_ERRORS as error:
            raise Malformed(NOT_5280) from error
        self.is_ca, self.path_length, self.critical_unknown, self._private = said

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
        return tuple(map(cls, cls.split(data)))

    @staticmethod
    def split(data: bytes) -> list[bytes]:
        """Return the encodings in DER of any number of PEM certificates, or of one.

        Raises:
            Malformed: there is PEM of something else.
        """
        # A certificate in DER may hold others in PEM (RA-TLS); no text begins like it.
        is_der = data[:1] == _SEQUENCE and data[1:2] >= _LONG_FORM
        if is_der or pem.BEGIN not in data:
            return [data]
        return pem.read(data, b"CERTIFICATE")

    @property
    def public_key(self) -> ForeignKey:
        """The key that is certified.

        Raises:
            Malformed: of a kind that evidence does not use.
        """
        if self._key is None:
            self._key = ForeignKey.from_spki(self.spki)
        return self._key

    @cached_property
    def name(self) -> str:
        """The subject as a person reads it (RFC 4514)."""
        with rfc5280():
            return self._x509.subject.rfc4514_string()

    @cached_property
    def subject_parts(self) -> Parts:
        """The parts of the subject, in no order."""
        return parts(self._x509, "subject")

    @cached_property
    def issuer_parts(self) -> Parts:
        """The parts of the issuer's name, in no order."""
        return parts(self._x509, "issuer")

    @cached_property
    def signs(self) -> bool | None:
        """Whether its key is to sign data; None where it does not say."""
        usage = self._understood(x509.KeyUsage)
        return None if usage is None else usage.digital_signature

    @cached_property
    def key_ids(self) -> tuple[bytes, bytes]:
        """The ids of its key and of its issuer's; b"" where it does not say."""
        own = self._understood(x509.SubjectKeyIdentifier)
        issuer = self._understood(x509.AuthorityKeyIdentifier)
        return own.digest if own else b"", (issuer and issuer.key_identifier) or b""

    @cached_property
    def crl_urls(self) -> tuple[str, ...]:
        """Where its issuer says the revocation list is; never fetched from here."""
        points = self._understood(x509.CRLDistributionPoints)
        return tuple(
            name.value
            for point in points or ()
            for name in point.full_name or ()
            if isinstance(name, x509.UniformResourceIdentifier)
        )

    @cached_property
    def extended_key_usages(self) -> tuple[str, ...]:
        """Object ids of what its key is for; none where it does not say."""
        usages = self._understood(x509.ExtendedKeyUsage)
        return tuple(each.dotted_string for each in usages or ())

    def extension(self, oid: str) -> bytes | None:
        """Return the value of a private extension, or None if it has none."""
        return self._private.get(oid)

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Whether `issuer` is named as its issuer and its signature is the issuer's.

        A signature with SHA-1 or weaker is none.
        """
        return self.issuer == issuer.subject and self._signed.is_by(issuer)

    def bears_signature_of(self, issuer: "Certificate") -> bool:
        """Whether the signature is `issuer`'s, whatever name is given as the issuer's.

        For vendors who write one name in two ways; compare the parts of the names.
        """
        return self._signed.is_by(issuer)

    def _understood(self, kind: type[E]) -> E | None:
        with rfc5280():
            found = [each.value for each in self._x509.extensions]
        return next((each for each in found if isinstance(each, kind)), None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.name}>"


class Signed:
    """What a certificate and a revocation list have in common: a body, signed.

    Attributes:
        fields: the first fields of the body in DER, without the optional version.
    """

    def __init__(
        self, encoding: bytes, parsed: Parsed, version: int, most: int
    ) -> None:
        """Cut the fields, `most` at the most, out of what `parsed` was read from."""
        body, outer, proof = der.sequence(encoding, 0, len(encoding))
        if encoding[proof[1] : proof[1] + 1] != _WHOLE_BYTES:
            raise Malformed(NOT_5280)
        fields = der.encodings(encoding, body[1], body[2], most)
        self.fields = fields[1:] if fields and fields[0][0] == version else fields
        self._body = encoding[der.content(encoding) : body[2]]
        self._algorithm = encoding[body[2] : outer[2]]
        self._signature = encoding[proof[1] + 1 : proof[2]]
        self._parsed = parsed
        self._known: dict[bytes, bool] = {}

    def is_by(self, issuer: Certificate) -> bool:
        """Whether the signature is `issuer`'s; each key is asked once."""
        known = self._known.get(issuer.spki)
        if known is None:
            known = self._known[issuer.spki] = self._holds(issuer)
        return known

    def _holds(self, issuer: Certificate) -> bool:
        """Whether the key of `issuer` signed the body.

        Both places that name the algorithm must agree (RFC 5280 section 4.1.1.2), and
        it must be ECDSA or RSA as the key is, with SHA-2 of 256 bits or more, or SM2
        with SM3 and the default ID (GB/T 35276).
        """
        if self._algorithm not in self.fields[:2]:
            return False
        if self._algorithm == _SM2_WITH_SM3:
            return self._holds_sm2(issuer.spki)
        try:
            key = issuer.public_key
            digest = _ECDSA_WITH.get(self._algorithm)
            if digest is None:
                return self._holds_otherwise(key)
        except (Malformed, *FOREIGN_ERRORS):
            return False
        return key.curve != "RSA" and key.signed(self._signature, self._body, digest)

    def _holds_otherwise(self, key: ForeignKey) -> bool:
        """Whether a signature of another algorithm is `key`'s; `cryptography` names it.

        Raises:
            FOREIGN_ERRORS: it has no such algorithm.
        """
        algorithm = self._parsed.signature_hash_algorithm
        parameters = self._parsed.signature_algorithm_parameters
        digest = _DIGESTS.get(algorithm.name) if algorithm else None
        if digest is None:
            return False
        if isinstance(parameters, padding.PSS):
            return key.signed_pss(self._signature, self._body, digest)
        if isinstance(parameters, ec.ECDSA) is (key.curve == "RSA"):
            return False
        return key.signed(self._signature, self._body, digest)

    def _holds_sm2(self, spki: bytes) -> bool:
        try:
            key = ForeignSm2Key.from_spki(spki)
        except Malformed:
            return False
        return key.signed(self._signature, self._body)


def parts(parsed: Parsed, whose: Literal["subject", "issuer"]) -> Parts:
    """Return the parts of a name, in the order of their ids.

    Raises:
        Malformed: it holds what is no text.
    """
    with rfc5280():
        name = getattr(parsed, whose)
        return tuple(sorted((each.oid.dotted_string, str(each.value)) for each in name))


def unix(moment: datetime) -> int:
    """Return the whole seconds since 1970 of a moment."""
    return int(moment.timestamp())


@contextmanager
def rfc5280() -> Iterator[None]:
    """Make whatever a parser raises over bad bytes a refusal of ours."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        raise Malformed(NOT_5280) from error


NOT_5280 = "this is not a certificate or revocation list of RFC 5280"
