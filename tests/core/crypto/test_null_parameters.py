# SPDX-License-Identifier: Apache-2.0
"""Certificates as mbedTLS wrote them before 3.5: ECDSA with a NULL after its id."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.core.crypto.null_parameters import without_null
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed
from tests.hardware.pki import Authority

PLAIN = bytes.fromhex("300a06082a8648ce3d040302")
NULL = bytes.fromhex("300c06082a8648ce3d0403020500")
MADE = Authority("mbedtls")


def der(tag: int, content: bytes) -> bytes:
    """Return one item, its length as short as it can be."""
    size = len(content)
    length = size.to_bytes(2, "big").lstrip(b"\0")
    head = bytes((size,)) if size < 128 else bytes((0x80 | len(length),)) + length
    return bytes((tag,)) + head + content


def body(algorithm: bytes) -> bytes:
    """Return what is signed, with another name of the algorithm."""
    had = x509.load_der_x509_certificate(MADE.certificate.der).tbs_certificate_bytes
    content = had[3 if had[1] == 0x81 else 4 :]
    return der(0x30, content.replace(PLAIN, algorithm, 1))


def certificate(inner: bytes = NULL, outer: bytes = NULL) -> bytes:
    """Return a certificate that is signed over its own bytes."""
    signed = body(inner)
    proof = MADE.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return der(0x30, signed + outer + der(3, b"\0" + proof))


def test_it_is_read_and_its_signature_is_over_the_bytes_that_came() -> None:
    data = certificate()
    found = Certificate.read(data)
    assert found.der == data
    assert found.spki == MADE.certificate.spki
    assert found.extension("1.2.3.4") is None
    assert found.is_signed_by(MADE.certificate)
    assert found.is_signed_by(found)


def test_a_signature_over_the_plain_form_is_none() -> None:
    proof = MADE.key.sign(body(PLAIN), ec.ECDSA(hashes.SHA256()))
    data = der(0x30, body(NULL) + NULL + der(3, b"\0" + proof))
    assert not Certificate.read(data).is_signed_by(MADE.certificate)


@pytest.mark.parametrize(("inner", "outer"), [(NULL, PLAIN), (PLAIN, NULL)])
def test_both_places_name_one_algorithm(inner: bytes, outer: bytes) -> None:
    with pytest.raises(Malformed):
        Certificate.read(certificate(inner, outer))


def test_what_has_no_null_stays_as_it_is() -> None:
    assert without_null(MADE.certificate.der) == MADE.certificate.der


def test_what_is_read_differs_in_the_algorithm_alone() -> None:
    data = certificate()
    signed = body(NULL)
    proof = data[data.index(signed) + len(signed) + len(NULL) :]
    assert without_null(data) == der(0x30, body(PLAIN) + PLAIN + proof)


@pytest.mark.parametrize("data", [NULL, b"\x30\x00" + NULL, der(0x30, NULL), b""])
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Certificate.read(data)


def test_no_cut_is_a_certificate() -> None:
    data = certificate()
    for size in range(len(data)):
        with pytest.raises(Malformed):
            Certificate.read(data[:size])
