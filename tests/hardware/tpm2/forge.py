# SPDX-License-Identifier: Apache-2.0
"""Evidence of a TPM that never was: fresh keys, and a maker's certificates for them."""

import json
from dataclasses import dataclass, field, replace
from functools import cache
from struct import pack

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.core.rats import Endorsements, HardwareEvidence, Trust
from tests.hardware.pki import NOW, Authority, moment, name
from tests.hardware.tcg.forge import Ak, Quote, digest_list, selection_list

__all__ = ["NOW", "Forge", "Maker", "certified", "pcrs_json", "serialized"]

AIK, EK = "2.23.133.8.3", "2.23.133.8.1"


@cache
def authority(subject: str, issuer: str = "") -> Authority:
    """Return a CA of that name, made once."""
    return Authority(subject, authority(issuer) if issuer else None)


def key_usage(signs: bool) -> x509.KeyUsage:  # noqa: FBT001 - the one thing it says
    """Return the usage of a key that signs, or that agrees on others alone."""
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not signs,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class Maker:
    """Who certifies an attestation key, and how."""

    usages: tuple[str, ...] = (AIK,)
    not_after: int = NOW + 1000
    ca: bool = False
    signs: bool | None = None

    def certify(self, ak: Ak) -> x509.Certificate:
        issuer = authority("TPM CA", "TPM root")
        builder = (
            x509.CertificateBuilder()
            .subject_name(name("an attestation key"))
            .issuer_name(name(issuer.subject))
            .public_key(ak.key.public_key())
            .serial_number(77)
            .not_valid_before(moment(NOW - 1000))
            .not_valid_after(moment(self.not_after))
            .add_extension(x509.BasicConstraints(self.ca, None), critical=True)
        )
        if self.usages:
            usages = [x509.ObjectIdentifier(each) for each in self.usages]
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        if self.signs is not None:
            builder = builder.add_extension(key_usage(self.signs), critical=True)
        return builder.sign(issuer.key, hashes.SHA256())

    def chain(self, ak: Ak) -> bytes:
        """Return the PEM of the key's certificate and of its issuer's."""
        issuer = x509.load_der_x509_certificate(
            authority("TPM CA", "TPM root").certificate.der
        )
        return b"".join(
            each.public_bytes(Encoding.PEM) for each in (self.certify(ak), issuer)
        )


def pcrs_json(quote: Quote) -> bytes:
    """Return the values of a quote's registers as JSON."""
    return json.dumps(
        {
            bank: {str(index): value.hex() for index, value in values.items()}
            for bank, values in quote.registers().items()
        }
    ).encode()


def serialized(registers: dict[int, dict[int, bytes]]) -> bytes:
    """Return values of registers by bank as tpm2-tools dump them."""
    banks = [(bank, 3, tuple(values)) for bank, values in registers.items()]
    values = [value for each in registers.values() for value in each.values()]
    lists = [digest_list(*values[at : at + 8]) for at in range(0, len(values), 8)]
    return selection_list(*banks) + pack("<I", len(lists)) + b"".join(lists)


@dataclass(frozen=True)
class Forge:
    """Evidence, and the endorsements that belong to it; `with_` varies one thing."""

    quote: Quote = field(default_factory=Quote)
    parts: dict[str, bytes] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    trusted: tuple[bytes, ...] | None = None
    roots: tuple[bytes, ...] = ()
    collateral: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def evidence(self) -> HardwareEvidence:
        attest = self.quote.attest()
        parts = {
            "quote": attest,
            "signature": self.quote.ak.sign(attest, self.quote.signed_with),
            "pcrs": pcrs_json(self.quote),
            "event_log": self.quote.log.agile(),
            **self.parts,
        }
        kept = {role: part for role, part in parts.items() if role not in self.without}
        return HardwareEvidence("tpm2", kept)

    def trust(self) -> Trust:
        trusted = (self.quote.ak.public,) if self.trusted is None else self.trusted
        collateral = {"trusted_ak_public": trusted, **self.collateral}
        return Trust(
            Endorsements(
                self.roots,
                (),
                {role: found for role, found in collateral.items() if found},
            )
        )


def certified(maker: Maker | None = None, **changes: object) -> Forge:
    """Return evidence by a key that a maker's certificate vouches for."""
    quote = Quote(**changes)  # type: ignore[arg-type]
    chain = (maker or Maker()).chain(quote.ak)
    return Forge(
        quote,
        trusted=(),
        roots=(authority("TPM root").certificate.der,),
        collateral={"ak_certificate_chain": (chain,)},
    )
