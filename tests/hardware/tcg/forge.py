# SPDX-License-Identifier: Apache-2.0
"""Keys, quotes and event logs in TCG's layouts, made here: no TPM took part."""

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from struct import pack

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.crypto import sm2, sm2key
from strongroom.core.crypto.libcrypto import libcrypto

NONCE = b"\x5a" * 20
IDS = {"sha1": 0x04, "sha256": 0x0B, "sha384": 0x0C, "sha512": 0x0D, "sm3": 0x12}
CURVES: dict[str, tuple[int, int, ec.EllipticCurve]] = {
    "P-256": (3, 32, ec.SECP256R1()),
    "P-384": (4, 48, ec.SECP384R1()),
    "P-521": (5, 66, ec.SECP521R1()),
}
SCHEMES = {"rsassa": 0x14, "rsapss": 0x16, "ecdsa": 0x18, "sm2": 0x1B}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - to be refused
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
RESTRICTED_SIGNER = 0x00050072
"""fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign."""


def digest(algorithm: str, data: bytes) -> bytes:
    return hashlib.new(algorithm, data, usedforsecurity=False).digest()


def tpm2b(data: bytes) -> bytes:
    return pack(">H", len(data)) + data


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return the key of that name, made once."""
    del name
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(name: str, curve: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of that name, made once."""
    del name
    return ec.generate_private_key(CURVES[curve][2])


@cache
def sm2_key(name: str) -> tuple[sm2key.Key, bytes]:
    """Return the SM2 key of that name and its point."""
    seed = name.encode().ljust(sm2key.SEED_BYTES, b"\1")
    point = sm2key.public_from_seed(seed)
    return sm2key.private_key(point, seed), point


@dataclass(frozen=True)
class Ak:
    """An attestation key: `kind` is "rsa", a curve, or "sm2"."""

    kind: str = "P-256"
    name: str = "ak"
    attributes: int = RESTRICTED_SIGNER
    scheme: str = ""

    @property
    def public(self) -> bytes:
        """TPMT_PUBLIC."""
        if self.kind == "rsa":
            numbers = rsa_key(self.name).public_key().public_numbers()
            body = pack(">HHHHI", 0x10, 0x14, 0x0B, 2048, 0)
            unique = tpm2b(numbers.n.to_bytes(256, "big"))
            return self._head(0x0001) + body + unique
        if self.kind == "sm2":
            point = sm2_key(self.name)[1][1:]
            body = pack(">HHHHH", 0x10, 0x1B, 0x12, 0x20, 0x10)
            return self._head(0x0023) + body + tpm2b(point[:32]) + tpm2b(point[32:])
        curve, _, _ = CURVES[self.kind]
        at = ec_key(self.name, self.kind).public_key().public_numbers()
        halves = [n.to_bytes((n.bit_length() + 7) // 8, "big") for n in (at.x, at.y)]
        body = pack(">HHHHH", 0x10, 0x18, 0x0B, curve, 0x10)
        return self._head(0x0023) + body + tpm2b(halves[0]) + tpm2b(halves[1])

    def _head(self, kind: int) -> bytes:
        return pack(">HHI", kind, 0x0B, self.attributes) + tpm2b(b"")

    @property
    def key(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        return (
            rsa_key(self.name) if self.kind == "rsa" else ec_key(self.name, self.kind)
        )

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes, algorithm: str = "sha256") -> bytes:
        """Return TPMT_SIGNATURE."""
        if self.kind == "sm2":
            head = pack(">HH", SCHEMES["sm2"], IDS["sm3"])
            r, s = decode_dss_signature(sign_plain(sm2_key(self.name)[0], data))
            return head + tpm2b(r.to_bytes(32, "big")) + tpm2b(s.to_bytes(32, "big"))
        if self.kind == "rsa":
            scheme = self.scheme or "rsassa"
            head = pack(">HH", SCHEMES[scheme], IDS[algorithm])
            return head + tpm2b(self.raw(data, algorithm))
        head = pack(">HH", SCHEMES["ecdsa"], IDS[algorithm])
        width = CURVES[self.kind][1]
        halves = decode_dss_signature(self.raw(data, algorithm))
        return head + b"".join(tpm2b(half.to_bytes(width, "big")) for half in halves)

    def raw(self, data: bytes, algorithm: str = "sha256") -> bytes:
        """Return RSA's bytes or the DER of ECDSA."""
        key, made = self.key, HASHES[algorithm]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(made))
        if self.scheme == "rsapss":
            pss = padding.PSS(padding.MGF1(made), made.digest_size)
            return key.sign(data, pss, made)
        return key.sign(data, padding.PKCS1v15(), made)


def sign_plain(key: sm2key.Key, data: bytes) -> bytes:
    """Return the DER signature of SM2 over SM3 of `data` alone, as a TPM makes it."""
    library, pointer, size = libcrypto(), ctypes.c_void_p, ctypes.c_size_t
    library.EVP_PKEY_sign_init.argtypes = (pointer,)
    library.EVP_PKEY_sign.argtypes = (pointer, pointer, pointer, pointer, size)
    e, length = digest("sm3", data), size(sm2.SIGNATURE_MAX_BYTES)
    out = ctypes.create_string_buffer(length.value)
    with sm2._key_context(key) as context:
        assert library.EVP_PKEY_sign_init(context) == 1
        done = library.EVP_PKEY_sign(context, out, ctypes.byref(length), e, len(e))
    assert done == 1
    return out.raw[: length.value]


Selections = Sequence[tuple[str, Sequence[int]]]


def bitmap(indices: Sequence[int], size: int = 3) -> bytes:
    return sum(1 << index for index in indices).to_bytes(size, "little")


def attest(
    selections: Selections,
    pcr_digest: bytes,
    *,
    extra_data: bytes = NONCE,
    head: bytes = b"\xffTCG\x80\x18",
    safe: int = 1,
    trailing: bytes = b"",
) -> bytes:
    """Return TPMS_ATTEST of a quote."""
    selected = b"".join(
        pack(">HB", IDS.get(bank, 0x27), 3) + bitmap(pcrs) for bank, pcrs in selections
    )
    return (
        head
        + tpm2b(b"\x00\x0b" + bytes(range(32)))
        + tpm2b(extra_data)
        + pack(">QIIBQ", 123_456, 7, 2, safe, 0x2020_0312_0012_0003)
        + pack(">I", len(selections))
        + selected
        + tpm2b(pcr_digest)
        + trailing
    )


def selection_list(*banks: tuple[int, int, Sequence[int]], count: int = -1) -> bytes:
    """Return a TPML_PCR_SELECTION in memory: bank, bytes of a bitmap, registers."""
    rows = b"".join(
        pack("<HB", bank, size) + bitmap(pcrs, 4) + b"\0" for bank, size, pcrs in banks
    )
    listed = pack("<I", len(banks) if count < 0 else count)
    return (listed + rows).ljust(4 + 16 * 8, b"\0")


def digest_list(*values: bytes, count: int = -1) -> bytes:
    """Return a TPML_DIGEST in memory."""
    rows = b"".join(pack("<H", len(value)) + value.ljust(64, b"\0") for value in values)
    listed = pack("<I", len(values) if count < 0 else count)
    return (listed + rows).ljust(4 + 8 * 66, b"\0")


@dataclass(frozen=True)
class Event:
    """An event of a log; `measured` is what was hashed, or None for the data."""

    register: int
    kind: int
    data: bytes
    measured: bytes | None = None

    def digest(self, algorithm: str) -> bytes:
        return digest(algorithm, self.data if self.measured is None else self.measured)


NO_ACTION, SEPARATOR, ACTION, IPL = 3, 4, 5, 13
BOOT = (
    Event(0, 0x08, "Firmware 1".encode("utf-16-le")),
    Event(7, ACTION, b"Secure Boot on"),
    *(Event(index, SEPARATOR, bytes(4)) for index in range(8)),
    Event(4, 0x80000003, b"", b"a boot loader"),
    Event(8, IPL, b"grub_cmd: linux /vmlinuz\0", b"linux /vmlinuz"),
    Event(9, IPL, b"/vmlinuz\0", b"a kernel"),
)


@dataclass(frozen=True)
class Log:
    """A log of measured boot and how it is written down."""

    events: tuple[Event, ...] = BOOT
    algorithms: tuple[str, ...] = ("sha1", "sha256", "sha384")
    locality: int | None = None
    vendor: bytes = b""
    header: bytes | None = None
    trailing: bytes = b""

    def with_(self, **changes: object) -> "Log":
        return replace(self, **changes)  # type: ignore[arg-type]

    def agile(self) -> bytes:
        """Return the crypto-agile form, of TPM 2.0 and of CCEL."""
        header = self.spec_id() if self.header is None else self.header
        said = b"StartupLocality\0" + bytes([self.locality or 0])
        first = [] if self.locality is None else [Event(0, NO_ACTION, said)]
        written = b"".join(map(self._event, (*first, *self.events)))
        return sha1_event(0, NO_ACTION, header) + written + self.trailing

    def legacy(self) -> bytes:
        """Return the older form, with SHA-1 alone and no header."""
        return b"".join(
            sha1_event(each.register, each.kind, each.data, each.digest("sha1"))
            for each in self.events
        )

    def spec_id(self) -> bytes:
        pairs = b"".join(
            pack("<HH", IDS[each], len(digest(each, b""))) for each in self.algorithms
        )
        head = b"Spec ID Event03\0" + pack("<IBBBB", 0, 0, 2, 0, 2)
        count = pack("<I", len(self.algorithms))
        return head + count + pairs + bytes([len(self.vendor)]) + self.vendor

    def _event(self, event: Event) -> bytes:
        measured = b"".join(
            pack("<H", IDS[each]) + event.digest(each) for each in self.algorithms
        )
        head = pack("<III", event.register, event.kind, len(self.algorithms))
        return head + measured + pack("<I", len(event.data)) + event.data

    def registers(self, algorithm: str = "sha256") -> dict[int, bytes]:
        """Return what registers 0 to 15, and others with events, hold after them."""
        zero = bytes(len(digest(algorithm, b"")))
        values = dict.fromkeys(range(16), zero)
        values[0] = zero[:-1] + bytes([self.locality or 0])
        for event in self.events:
            if event.kind != NO_ACTION:
                extended = values.get(event.register, zero) + event.digest(algorithm)
                values[event.register] = digest(algorithm, extended)
        return values


def sha1_event(
    register: int, kind: int, data: bytes, measured: bytes = bytes(20)
) -> bytes:
    """Return a TCG_PCR_EVENT."""
    return pack("<II", register, kind) + measured + pack("<I", len(data)) + data


@dataclass(frozen=True)
class Quote:
    """A quote with its signature and the values of its registers."""

    ak: Ak = Ak()
    log: Log = Log()
    selections: Selections = (("sha256", tuple(range(10))),)
    signed_with: str = "sha256"
    extra_data: bytes = NONCE
    safe: int = 1
    values: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def with_(self, **changes: object) -> "Quote":
        return replace(self, **changes)  # type: ignore[arg-type]

    def registers(self) -> dict[str, dict[int, bytes]]:
        """Return the values of the quoted registers by bank."""
        return {
            bank: {
                index: self.values.get(bank, {}).get(
                    index, self.log.registers(bank)[index]
                )
                for index in indices
            }
            for bank, indices in self.selections
        }

    def attest(self) -> bytes:
        registers = self.registers()
        joined = b"".join(
            registers[bank][index]
            for bank, indices in self.selections
            for index in indices
        )
        return attest(
            self.selections,
            digest(self.signed_with, joined),
            extra_data=self.extra_data,
            safe=self.safe,
        )
