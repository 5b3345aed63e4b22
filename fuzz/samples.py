# SPDX-License-Identifier: Apache-2.0
"""Inputs of hardware's parsers that are no shared file as it stands."""

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from fuzz.formats import ROLES
from fuzz.targets import SHARED
from strongroom.cli.cases import find_cases, read_case
from strongroom.core.codec import cbor
from strongroom.core.crypto import pem
from strongroom.errors import Malformed
from strongroom.hardware.arm_cca.abi import Token
from strongroom.hardware.nitro.abi import read_envelope
from strongroom.hardware.tcg.hcl import HclReport
from strongroom.hardware.tpm2.client import NO_SESSIONS, SESSIONS

_GENERATOR = (
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
)
"""Of P-256 (NIST SP 800-186): a point that is on it."""

_HYGON_CA_BYTES, _HYGON_CHIP_BYTES = 832, 2084
_COMMANDS, _FORMATS, _EVENTS = 12, 5, 16


def evidence() -> Iterator[bytes]:
    """Yield the evidence of every shared case, as a record."""
    for folder in find_cases(SHARED):
        yield read_case(folder).evidence.to_bytes()


def chosen_files() -> Iterator[bytes]:
    """Yield certificates and lists, each after both of the first choices."""
    for pattern in ("*/*/*.der", "*/*/*.crt", "*/*/*crl*"):
        for file in sorted(SHARED.glob(pattern)):
            data = file.read_bytes()
            yield from (bytes([number]) + data for number in range(2))


def endorsements() -> Iterator[bytes]:
    """Yield documents of every role, each after the number of its role."""
    for file in sorted(SHARED.glob("*/*/*")):
        name = file.name
        if file.suffix in (".der", ".crt", ".pem", ".json", ".crl"):
            role = next((r for r in ROLES if name.startswith(r)), ROLES[-2])
            yield bytes([ROLES.index(role)]) + file.read_bytes()


def ra_tls_extensions() -> Iterator[bytes]:
    """Yield tagged evidence, a bare quote, a report of Open Enclave, a wrapper."""
    for file in sorted(SHARED.glob("sgx/*/quote.bin"))[:1]:
        quote = file.read_bytes()
        body = b"\x82" + _bstr(quote) + _bstr(b"\xa0")
        yield b"\0" + b"\xd9" + (60000).to_bytes(2, "big") + body
        yield b"\2" + quote
        yield b"\4\1\0\0\0\2\0\0\0" + len(quote).to_bytes(8, "little") + quote
    yield b"\1\x04\x06\x83\x61a\x41\0\x04"


def key_hash() -> Iterator[bytes]:
    """Yield how claims name a key."""
    yield cbor.encode([1, bytes(32)])


def runtime_data() -> Iterator[bytes]:
    """Yield the JSON of a paravisor."""
    for file in sorted(SHARED.glob("az-*/*/hcl_report.bin")):
        data = file.read_bytes()
        yield data[data.index(b"{") : data.rindex(b"}") + 1]


def tpm_signatures() -> Iterator[bytes]:
    """Yield signatures of TPMs, in each of the formats."""
    for file in sorted(SHARED.glob("*/*/*signature*")):
        data = file.read_bytes()
        yield from (bytes([number]) + data for number in range(_FORMATS))


def tpm_answers() -> Iterator[bytes]:
    """Yield an answer to each command, and a short one and an error to each."""
    for number in range(_COMMANDS):
        for tag in (NO_SESSIONS, SESSIONS):
            for body in (b"", b"\0\x20" + bytes(62), b"\0\0\0\1\0\x0b\3" + bytes(64)):
                yield bytes([number]) + _answer(tag, 0, body) * 4
                yield bytes([number]) + _answer(tag, 0, body, b"\x80\0\0\0") * 4
        yield bytes([number]) + _answer(NO_SESSIONS, 0x922, b"") * 21


def kernel_answers() -> Iterator[bytes]:
    """Yield what configfs-tsm gives for one report, and an error."""
    yield b"\0\0".join((b"0\n", b"report", b"extra", b"sev_guest\n", b"2\n"))
    yield b"\0\0".join((b"0\n", b"!\x10"))


def nsm_answers() -> Iterator[bytes]:
    """Yield what the security module of an enclave answers."""
    yield cbor.encode({"Attestation": {"document": b"document"}})
    yield cbor.encode({"Error": "InvalidOperation"})


def csv_pages() -> Iterator[bytes]:
    """Yield the pages of reports, after a nonce."""
    for file in sorted(SHARED.glob("hygon-csv/*/report.bin")):
        yield bytes(16) + file.read_bytes()


def events() -> Iterator[bytes]:
    """Yield the data of some events after the numbers of all of their types."""
    for data in (b"text\0", "wide\0".encode("utf-16-le"), bytes(100), b"\xff" * 64):
        yield from (bytes([number]) + data for number in range(_EVENTS))


def keys() -> Iterator[bytes]:
    """Yield keys in their forms, each after the letter of its form."""
    x, y = (bytes.fromhex(each) for each in _GENERATOR)
    yield b"x" + x + y
    yield b"\4" + x + y
    yield b"c" + cbor.encode({1: 2, -1: 1, -2: x, -3: y})
    for file in sorted(SHARED.glob("*/*/*public*")):
        yield from (letter + file.read_bytes() for letter in (b"s", b"p"))


def snp_tables() -> Iterator[bytes]:
    """Yield tables of certificates: none, one, and one that points outside."""
    vcek = UUID("63da758d-e664-4564-adc5-f4b93be8accd").bytes
    end = bytes(24)
    for offset in (48, 40):
        place = offset.to_bytes(4, "little") + (8).to_bytes(4, "little")
        yield vcek + place + end + bytes(8)
    yield end


def nitro_payloads() -> Iterator[bytes]:
    """Yield what the documents of enclaves sign."""
    for file in sorted(SHARED.glob("nitro/*/document*")):
        yield read_envelope(file.read_bytes()).payload


def cca_claims() -> Iterator[bytes]:
    """Yield the claims of platforms and realms."""
    for file in sorted(SHARED.glob("arm-cca/*/token.cbor")):
        with suppress(Malformed):
            token = Token.parse(file.read_bytes())
            yield from (token.platform.payload, token.realm.payload)


def td_reports() -> Iterator[bytes]:
    """Yield the reports of TDs in reports of paravisors."""
    for file in sorted(SHARED.glob("az-tdx-vtpm/*/hcl_report.bin")):
        yield HclReport.parse(file.read_bytes()).hardware_report


def cmw() -> Iterator[bytes]:
    """Yield wrappers in CBOR and in JSON."""
    record = cbor.encode(["a/b", b"value", 4])
    yield bytes([4, len(record)]) + record
    yield bytes([12, 17]) + b'["a/b", "AAAA",4]'


def hygon_chips() -> Iterator[bytes]:
    """Yield the certificates of chips, which follow those of their maker."""
    for file in sorted(SHARED.glob("hygon-csv/*/hsk_cek.cert")):
        yield file.read_bytes()[_HYGON_CA_BYTES:][:_HYGON_CHIP_BYTES]
    for file in sorted(SHARED.glob("hygon-csv/*/report.bin")):
        yield file.read_bytes()[-_HYGON_CHIP_BYTES:]


def pcks() -> Iterator[bytes]:
    """Yield the certificates in quotes."""
    for file in sorted(SHARED.glob("*/*/*quote.bin")):
        quote = file.read_bytes()
        begin = quote.find(pem.BEGIN)
        if begin >= 0:
            with suppress(Malformed):
                yield from pem.read(quote[begin:].rstrip(b"\0"), b"CERTIFICATE")


def _answer(tag: int, code: int, body: bytes, handle: bytes = b"") -> bytes:
    sized = len(body).to_bytes(4, "big") + body if tag == SESSIONS else body
    sized = handle + sized
    head = tag.to_bytes(2, "big") + (10 + len(sized)).to_bytes(4, "big")
    answer = head + code.to_bytes(4, "big") + sized
    return len(answer).to_bytes(2, "big") + answer


def _bstr(data: bytes) -> bytes:
    return b"\x59" + len(data).to_bytes(2, "big") + data
