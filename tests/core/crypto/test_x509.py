# SPDX-License-Identifier: Apache-2.0
"""Certificates and revocation lists: read whole, or refused with a typed error."""

import base64

import pytest
from hypothesis import given, strategies as st

from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed
from tests.hardware.pki import DAY, NOW, Authority

ROOT = Authority("rootname")
LEAF = Authority("leafname", ROOT, ca=False, critical="1.2.3.4")
LIST = ROOT.revocations(LEAF.certificate).der


def pem(kind: str, der: bytes) -> bytes:
    """Return a PEM block."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n".encode()


def test_a_certificate_says_what_attestation_needs() -> None:
    leaf = Certificate.read(pem("CERTIFICATE", LEAF.certificate.der))
    assert leaf == LEAF.certificate
    assert (leaf.name, leaf.is_ca, leaf.critical_unknown) == (
        "CN=leafname",
        False,
        ("1.2.3.4",),
    )
    assert (leaf.not_before, leaf.not_after) == (NOW - DAY, NOW + DAY)
    assert leaf.extension("1.2.3.4") == b"\x05\x00"
    assert leaf.extension("1.2.3.5") is None
    assert leaf.spki == leaf.public_key.spki
    assert leaf.is_signed_by(ROOT.certificate)
    assert not leaf.is_signed_by(Authority("rootname").certificate)
    assert not ROOT.certificate.is_signed_by(LEAF.certificate)


def test_one_or_many_certificates() -> None:
    both = b"".join(pem("CERTIFICATE", each.certificate.der) for each in (LEAF, ROOT))
    assert Certificate.read_all(both) == (LEAF.certificate, ROOT.certificate)
    assert Certificate.read_all(ROOT.certificate.der) == (ROOT.certificate,)
    with pytest.raises(Malformed):
        Certificate.read(both)


@pytest.mark.parametrize(
    "data",
    [
        LIST,
        pem("X509 CRL", LIST),
        LIST.hex().encode(),
        LIST.hex().upper().encode() + b"\r\n",
    ],
    ids=["der", "pem", "hex", "a line of hex"],
)
def test_a_revocation_list_in_every_form(data: bytes) -> None:
    found = RevocationList.read(data)
    assert found.is_signed_by(ROOT.certificate)
    assert not found.is_signed_by(LEAF.certificate)
    assert found.revokes(LEAF.certificate.serial)
    assert not found.revokes(ROOT.certificate.serial)
    assert (found.this_update, found.next_update) == (NOW - DAY, NOW + DAY)


@pytest.mark.parametrize("form", ["der", "pem"])
def test_names_that_are_no_text_are_malformed(form: str) -> None:
    """Found by fuzzing: names are read late by the library, and fail late."""
    certificate = ROOT.certificate.der.replace(b"rootname", b"\xff" * 8)
    revocations = LIST.replace(b"rootname", b"\xff" * 8)
    if form == "pem":
        certificate = pem("CERTIFICATE", certificate)
        revocations = pem("X509 CRL", revocations)
    (read,) = Certificate.read_all(certificate)
    for late in ("name", "subject_parts", "issuer_parts"):
        with pytest.raises(Malformed):
            getattr(read, late)
    with pytest.raises(Malformed):
        _ = RevocationList.read(revocations).issuer_parts


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_breaks_the_signature(at: int, by: int) -> None:
    changed = bytearray(LEAF.certificate.der)
    changed[at % len(changed)] ^= by
    try:
        found = Certificate(bytes(changed))
    except Malformed:
        return
    assert not found.is_signed_by(ROOT.certificate)


@given(st.binary(max_size=300))
def test_any_bytes_are_malformed(data: bytes) -> None:
    for read in (Certificate.read_all, RevocationList.read):
        with pytest.raises(Malformed):
            read(data)
