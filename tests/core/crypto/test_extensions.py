# SPDX-License-Identifier: Apache-2.0
"""Extensions that are read here are read as `cryptography` reads them, or not."""

from itertools import permutations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.core.crypto import der
from strongroom.core.crypto.extensions import Extensions, read, read_plain
from strongroom.core.crypto.x509 import FOREIGN_ERRORS
from tests.hardware.pki import DAY, NOW, Authority, moment, name

SGX = "1.2.840.113741.1.13.1"
URL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
ROOT = Authority("root")


def certificate(*, leaf: bool, private: str = SGX, size: int = 300) -> bytes:
    """Return a certificate with extensions as Intel writes them."""
    point = x509.DistributionPoint(
        [x509.UniformResourceIdentifier(URL)], None, None, None
    )
    key = ROOT.key.public_key()
    usage = dict.fromkeys(
        (
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("one"))
        .issuer_name(name("root"))
        .public_key(key)
        .serial_number(7)
        .not_valid_before(moment(NOW - DAY))
        .not_valid_after(moment(NOW + DAY))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key), False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=leaf,
                content_commitment=leaf,
                key_cert_sign=not leaf,
                crl_sign=not leaf,
                **usage,
            ),
            critical=True,
        )
        .add_extension(
            x509.BasicConstraints(not leaf, None if leaf else 1), critical=True
        )
    )
    if leaf:
        oid = x509.ObjectIdentifier(private)
        value = x509.UnrecognizedExtension(oid, bytes(size))
        builder = builder.add_extension(value, critical=False)
    return builder.sign(ROOT.key, hashes.SHA256()).public_bytes(Encoding.DER)


def field(data: bytes) -> bytes:
    """Return the extensions of a certificate with their context tag."""
    _, begin, end = der.sequence(data, 0, len(data))[0]
    return der.encodings(data, begin, end, 8)[-1]


def parts(data: bytes) -> list[bytes]:
    """Return the extensions of a certificate, one by one."""
    found = field(data)
    ((_, begin, end),) = der.items(found, 0, len(found))
    ((_, begin, end),) = der.items(found, begin, end)
    return der.encodings(found, begin, end, 99)


def joined(extensions: list[bytes]) -> bytes:
    """Return extensions as a field of a certificate."""
    inner = b"".join(extensions)
    for tag in (0x30, 0xA3):
        size = len(inner)
        short = bytes([tag, 0x81, size]) if size < 256 else b""
        inner = (short or bytes([tag, 0x82]) + size.to_bytes(2, "big")) + inner
    return inner


def judged(data: bytes) -> Extensions | None:
    """Return what `cryptography` says; None: it takes this for no certificate."""
    try:
        parsed = x509.load_der_x509_certificate(data)
    except FOREIGN_ERRORS:
        return None
    return read(parsed.extensions)


@pytest.mark.parametrize("leaf", [True, False])
def test_both_readers_say_the_same(leaf: bool) -> None:  # noqa: FBT001 - a case
    data = certificate(leaf=leaf)
    found = read_plain(field(data))
    assert found is not None
    assert found == judged(data)
    assert (found.is_ca, found.path_length) == ((False, None) if leaf else (True, 1))
    assert found.private == ({SGX: bytes(300)} if leaf else {})


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("leaf", [True, False])
def test_no_changed_byte_is_read_in_two_ways(leaf: bool) -> None:  # noqa: FBT001 - a case
    data = certificate(leaf=leaf)
    begin = data.index(field(data))
    read_here = 0
    for at in range(begin, begin + len(field(data))):
        for by in (1, 2, 4, 0x10, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= by
            try:
                other = judged(bytes(changed))
            except FOREIGN_ERRORS:
                assert read_plain(field(bytes(changed))) is None
                continue
            if other is not None:
                found = read_plain(field(bytes(changed)))
                assert found in (None, other)
                read_here += found is not None
    assert read_here > 100


def test_extensions_are_plain_in_any_order_and_once() -> None:
    *usual, sgx = parts(certificate(leaf=True))
    expected = read_plain(joined([*usual, sgx]))
    assert expected is not None
    for order in permutations(usual):
        assert read_plain(joined([*order, sgx])) == expected
    for each in usual:
        others = [other for other in usual if other is not each]
        assert read_plain(joined([each, *others[:4]])) is not None
        assert read_plain(joined([each, each, *others[:3]])) is None
        assert read_plain(joined([each, *others[:3], each])) is None
    assert read_plain(joined([*usual, sgx, sgx])) is None


@pytest.mark.parametrize(
    "data",
    [
        certificate(leaf=True, private="1.2.840.113741.1.13.2"),
        certificate(leaf=True, size=100),
        Authority("plain").certificate.der,
        Authority("critical", critical="1.2.3.4").certificate.der,
    ],
    ids=["another's id", "a short value", "no key usage", "critical"],
)
def test_what_is_not_as_intel_writes_is_left_to_the_library(data: bytes) -> None:
    found = read_plain(field(data))
    assert found is None or found == judged(data)
