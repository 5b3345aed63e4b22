# SPDX-License-Identifier: Apache-2.0
"""CSV reports in Hygon's layout, with fresh SM2 keys: nothing here is a chip's."""

import ctypes
import hmac
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from struct import pack

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from strongroom.core.crypto import sm2, sm2key
from strongroom.core.crypto.libcrypto import libcrypto
from strongroom.core.rats import Endorsements, HardwareEvidence, Trust

REPORT_DATA = b"\x5a" * 64
MEASURE = b"\x77" * 32
SERIAL = b"NZA9TEST000001"
MNONCE = b"\x31" * 16
ANONCE = b"\x9b\x42\x91\x12"
HRK, HSK, PEK, CEK, OCA, UNUSED = 0, 0x13, 0x1002, 0x1004, 0x1001, 0x1000
NODBG = 1
PAGE = 4096


@dataclass(frozen=True)
class Pair:
    """An SM2 key with the identity that it signs under."""

    key: sm2key.Key
    point: bytes
    identity: bytes

    def sign(self, data: bytes) -> bytes:
        """Return two little-endian fields of 72 bytes."""
        library, length = libcrypto(), ctypes.c_size_t(sm2.SIGNATURE_MAX_BYTES)
        out = ctypes.create_string_buffer(sm2.SIGNATURE_MAX_BYTES)
        with sm2._digest_context(self.key, self.identity) as context:
            begun = library.EVP_DigestSignInit(
                context, None, library.EVP_sm3(), None, self.key.pointer
            )
            done = library.EVP_DigestSign(
                context, out, ctypes.byref(length), data, len(data)
            )
        assert (begun, done) == (1, 1)
        r, s = decode_dss_signature(out.raw[: length.value])
        return r.to_bytes(72, "little") + s.to_bytes(72, "little")

    def body(self) -> bytes:
        """Return the key as certificates have it, with its identity."""
        x, y = self.point[1:33], self.point[33:]
        identity = pack("<H254s", len(self.identity), self.identity)
        return pack("<I72s72s", 3, x[::-1], y[::-1]) + identity

    def id(self) -> bytes:
        return sha256(self.point).digest()[:16]


@cache
def pair(name: str) -> Pair:
    """Return the key of that name, made once."""
    seed = sha256(name.encode()).digest() + bytes(8)
    point = sm2key.public_from_seed(seed)
    identity = f"HYGON-SSD-{name.upper()}".encode()
    return Pair(sm2key.private_key(point, seed), point, identity)


def ca(of: Pair, usage: int, signer: Pair, named: Pair | None = None) -> bytes:
    """Return an HRK or HSK certificate."""
    signer_id = (named or signer).id()
    signed = pack("<I16s16sI24x", 1, of.id(), signer_id, usage) + of.body() + bytes(108)
    return signed + signer.sign(signed) + bytes(112)


def chip(
    of: Pair, usage: int, version: int, signer_id: bytes, *slots: tuple[int, Pair]
) -> bytes:
    """Return a CEK or PEK certificate with up to two signatures."""
    head = pack("<IBBHII", version, 1, 3, 0, usage, 4)
    signed = head + of.body() + signer_id.ljust(16, b"\0") + bytes(608)
    written = [
        pack("<II", by, 4) + signer.sign(signed) + bytes(368) for by, signer in slots
    ]
    unused = pack("<II", UNUSED, 0) + bytes(512)
    return b"".join((signed, *written, *[unused] * (2 - len(slots))))


def xored(data: bytes, anonce: bytes) -> bytes:
    return bytes(each ^ anonce[i % 4] for i, each in enumerate(data))


@dataclass(frozen=True)
class Forge:
    """A report to be, its chain, and what its verifier trusts."""

    policy: int = NODBG
    report_data: bytes = REPORT_DATA
    mnonce: bytes = MNONCE
    version: int = 1
    page: bool = False
    restored: bool = False
    hrk: str = "hrk"
    trusted_hrk: str = "hrk"
    hrk_signer: str = ""
    hsk_signer: str = "hrk"
    hsk_names: str = ""
    cek_signer: str = "hsk"
    cek_names: str = ""
    pek_signer: str = "cek"
    pek_usage: int = PEK
    report_signer: str = "pek"
    algorithm: int = 4
    serial: bytes = SERIAL
    more_chips: tuple[bytes, ...] = ()
    trusted: tuple[bytes, ...] | None = None
    parts: dict[str, bytes] = field(default_factory=dict)

    def but(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def root(self) -> bytes:
        of = pair(self.trusted_hrk)
        return ca(of, HRK, pair(self.hrk_signer or self.trusted_hrk), of)

    def hsk_cek(self) -> bytes:
        hsk, cek = pair("hsk"), pair("cek")
        names = pair(self.cek_names or self.cek_signer).id()
        return ca(
            hsk, HSK, pair(self.hsk_signer), pair(self.hsk_names or self.hsk_signer)
        ) + chip(cek, CEK, 2, names, (HSK, pair(self.cek_signer)))

    def pek(self) -> bytes:
        slots = ((OCA, pair("oca")), (CEK, pair(self.pek_signer)))
        return chip(pair("pek"), self.pek_usage, 1, b"", *slots)

    def fields(self) -> bytes:
        head = bytes(64) + self.report_data + self.mnonce + MEASURE
        return head + pack("<III", self.policy, PEK, self.algorithm)

    def report(self) -> bytes:
        report = self._report_1() if self.version == 1 else self._report_2()
        return report.ljust(PAGE, b"\0") if self.page else report

    def _report_1(self) -> bytes:
        fields = xored(self.fields(), ANONCE)
        signature = pair(self.report_signer).sign(fields[:180])
        return fields + ANONCE + signature + self._signer(ANONCE)

    def _report_2(self) -> bytes:
        rtmrs = b"".join(bytes([0x80 | i]) * 32 for i in range(5))
        extension = pack("<IH14x", 2337, 1) + rtmrs + bytes(656)
        signed = self.fields() + extension
        return signed + pair(self.report_signer).sign(signed) + self._signer(bytes(4))

    def _signer(self, anonce: bytes) -> bytes:
        plain = self.pek() + self.serial.ljust(64, b"\0")
        reserved = b"\xee" * 32
        sent = xored(plain, anonce)
        mac = hmac.digest(self.mnonce, sent + reserved, "sm3")
        return (plain + bytes(32) if self.restored else sent + reserved) + mac

    def evidence(self) -> HardwareEvidence:
        return HardwareEvidence("hygon-csv", {"report": self.report()} | self.parts)

    def trust(self) -> Trust:
        chips = (*self.more_chips, self.hsk_cek())
        if self.trusted is not None:
            chips = self.trusted
        roots = (self.root(),) if self.trusted_hrk else ()
        return Trust(Endorsements(roots, (), {"hsk_cek": chips} if chips else {}))


VALID = Forge()
