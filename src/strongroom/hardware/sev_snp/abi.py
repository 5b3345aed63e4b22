# SPDX-License-Identifier: Apache-2.0
"""Layout of SEV-SNP attestation reports ("SEV-SNP Firmware ABI", AMD 56860).

Numbers are little-endian. Versions 2 to 5 have one size: 3 adds the CPUID of the
processor, 5 the mitigation vectors; 4, which AMD never published, is met in clouds
with the layout of 3.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Literal, Self

from strongroom.core.rats.hardware import Field
from strongroom.errors import Malformed
from strongroom.hardware.sev_snp.tcb import Product, product_of_cpuid

KIND = "sev-snp"

SigningKey = Literal["vcek", "vlek"]

REPORT_BYTES = 1184
SIGNED_BYTES = 0x2A0
"""What the signature covers: all before it (table ATTESTATION_REPORT)."""

VERSIONS = (2, 3, 4, 5)
HOST_VMPL = 0xFFFFFFFF
"""VMPL of a report that the host asked for (SNP_HV_REPORT_REQ)."""

_CPUID_SINCE, _MITIGATIONS_SINCE = 3, 5
_VMPLS = (0, 1, 2, 3, HOST_VMPL)
_ECDSA_P384_SHA384 = 1
_DEBUG = 1 << 19
_AUTHOR_KEY, _MASK_CHIP_KEY = 1, 2
_KNOWN_FLAGS = 0b11111
_SIGNING_KEYS: dict[int, SigningKey] = {0: "vcek", 1: "vlek"}
_HALF = 48

_LAYOUT = Struct(
    "<IIQ16s16sIIQQI4s64s48s32s48s48s32s32sQ"  # to 0x188
    "BBB21s64sQBBBsBBBsQQQ152s"  # to the signature, 0x2A0
    f"{_HALF}s24s{_HALF}s24s368s"
)


@dataclass(frozen=True, slots=True)
class Report:
    """An ATTESTATION_REPORT as it was read: UNVERIFIED.

    The fields are those of the ABI in its order, each TCB_VERSION as the number that
    its 8 bytes are; what a version does not have yet is zero.
    """

    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    signature_algo: int
    current_tcb: int
    platform_info: int
    flags: int
    reserved_4c: bytes
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: int
    cpuid_family: int
    cpuid_model: int
    cpuid_stepping: int
    reserved_18b: bytes
    chip_id: bytes
    committed_tcb: int
    current_build: int
    current_minor: int
    current_major: int
    reserved_1eb: bytes
    committed_build: int
    committed_minor: int
    committed_major: int
    reserved_1ef: bytes
    launch_tcb: int
    launch_mit_vector: int
    current_mit_vector: int
    reserved_208: bytes
    signature_r: bytes
    reserved_r: bytes
    signature_s: bytes
    reserved_s: bytes
    reserved_330: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a report of any version.

        Raises:
            Malformed: any other size, an unknown version, algorithm, VMPL, flag or
                processor, or reserved bytes that are not zero.
        """
        if len(data) != REPORT_BYTES:
            message = f"SNP report: {len(data)} bytes in place of {REPORT_BYTES}"
            raise Malformed(message)
        report = cls(*_LAYOUT.unpack(data))
        report._check()
        return report

    def _check(self) -> None:
        known = {
            f"version {self.version}": self.version in VERSIONS,
            f"signature algorithm {self.signature_algo}": self.signature_algo
            == _ECDSA_P384_SHA384,
            f"VMPL {self.vmpl}": self.vmpl in _VMPLS,
            f"flags {self.flags:#x}": self.flags <= _KNOWN_FLAGS,
            "reserved bytes that are not zero": not self._has_reserved(),
        }
        for what, holds in known.items():
            if not holds:
                message = f"SNP report: this version does not know {what}"
                raise Malformed(message)
        if self.version >= _CPUID_SINCE:
            product_of_cpuid(self.cpuid_family, self.cpuid_model)

    def _has_reserved(self) -> bool:
        early = (
            (self.cpuid_family, self.cpuid_model, self.cpuid_stepping)
            if self.version < _CPUID_SINCE
            else ()
        )
        vectors = (
            (self.launch_mit_vector, self.current_mit_vector)
            if self.version < _MITIGATIONS_SINCE
            else ()
        )
        return any((*early, *vectors)) or any(
            self.reserved_4c
            + self.reserved_18b
            + self.reserved_1eb
            + self.reserved_1ef
            + self.reserved_208
            + self.reserved_r
            + self.reserved_s
            + self.reserved_330
        )

    @property
    def debug_allowed(self) -> bool:
        """Whether the guest's policy lets the host debug it (GUEST_POLICY bit 19)."""
        return bool(self.policy & _DEBUG)

    @property
    def author_key_en(self) -> bool:
        """Whether the digest of an author key is there."""
        return bool(self.flags & _AUTHOR_KEY)

    @property
    def mask_chip_key(self) -> bool:
        """Whether the firmware left the signature out (MaskChipKey)."""
        return bool(self.flags & _MASK_CHIP_KEY)

    @property
    def signing_key(self) -> SigningKey | None:
        """Which key signed; None where the report says that none did."""
        return _SIGNING_KEYS.get(self.flags >> 2 & 0b111)

    @property
    def product(self) -> Product | None:
        """The product by its CPUID; None before version 3, which has none."""
        if self.version < _CPUID_SINCE:
            return None
        return product_of_cpuid(self.cpuid_family, self.cpuid_model)

    @property
    def signature(self) -> bytes:
        """The halves r and s, each 48 bytes big-endian."""
        return self.signature_r[::-1] + self.signature_s[::-1]

    def fields(self) -> dict[str, Field]:
        """Return every field by its name; a TCB, policy or platform info in hex."""
        fields: dict[str, Field] = {
            "version": self.version,
            "guest_svn": self.guest_svn,
            "policy": f"{self.policy:016x}",
            "family_id": self.family_id.hex(),
            "image_id": self.image_id.hex(),
            "vmpl": self.vmpl,
            "signature_algo": self.signature_algo,
            "current_tcb": _tcb_hex(self.current_tcb),
            "platform_info": f"{self.platform_info:016x}",
            "flags": self.flags,
            "report_data": self.report_data.hex(),
            "measurement": self.measurement.hex(),
            "host_data": self.host_data.hex(),
            "id_key_digest": self.id_key_digest.hex(),
            "author_key_digest": self.author_key_digest.hex(),
            "report_id": self.report_id.hex(),
            "report_id_ma": self.report_id_ma.hex(),
            "reported_tcb": _tcb_hex(self.reported_tcb),
            "chip_id": self.chip_id.hex(),
            "committed_tcb": _tcb_hex(self.committed_tcb),
            "current_build": self.current_build,
            "current_version": f"{self.current_major}.{self.current_minor}",
            "committed_build": self.committed_build,
            "committed_version": f"{self.committed_major}.{self.committed_minor}",
            "launch_tcb": _tcb_hex(self.launch_tcb),
            "debug_allowed": self.debug_allowed,
            "author_key_en": self.author_key_en,
            "mask_chip_key": self.mask_chip_key,
        }
        if self.version >= _CPUID_SINCE:
            fields["cpuid_family"] = self.cpuid_family
            fields["cpuid_model"] = self.cpuid_model
            fields["cpuid_stepping"] = self.cpuid_stepping
        if self.version >= _MITIGATIONS_SINCE:
            fields["launch_mit_vector"] = f"{self.launch_mit_vector:016x}"
            fields["current_mit_vector"] = f"{self.current_mit_vector:016x}"
        return fields


def _tcb_hex(tcb: int) -> str:
    return tcb.to_bytes(8, "little").hex()
