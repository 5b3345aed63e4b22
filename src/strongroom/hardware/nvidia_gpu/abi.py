# SPDX-License-Identifier: Apache-2.0
"""An SPDM 1.1 exchange as evidence: GET_MEASUREMENTS, then MEASUREMENTS.

    request     37 bytes: version, code, params, nonce, slot
    response    version, code, params, measurement blocks, nonce, opaque data
    signature   96 bytes: ECDSA P-384 over all before it, two big-endian halves

Numbers are little-endian. Source: DMTF DSP0274 1.1.2, sections 10.11 to 10.12;
NVIDIA/nvtrust, spdm_msrt_resp_msg.py, and NVIDIA/attestation-sdk, *_opaque_data_parser,
for the types of opaque data.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

from strongroom.core.rats.hardware import Field
from strongroom.errors import Malformed

WHAT: Final = "SPDM measurements"
SIGNATURE_BYTES: Final = 96
REQUEST_BYTES: Final = 37

_VERSION_1_1, _GET_MEASUREMENTS, _MEASUREMENTS = 0x11, 0xE0, 0x60
_SIGNATURE_REQUESTED = 1
_REQUEST = struct.Struct("<BBBB32sB")
_RESPONSE = struct.Struct("<BBBBB")
_RECORD_LENGTH_BYTES, _NONCE_BYTES = 3, 32
_BLOCK = struct.Struct("<BBHBH")
_BLOCK_HEADER_BYTES, _DMTF_HEADER_BYTES, _DMTF = 4, 3, 1
_OPAQUE = struct.Struct("<HH")

_COMMON: Mapping[int, str] = MappingProxyType(
    {
        1: "cert_issuer_name",
        2: "cert_authority_key_identifier",
        3: "driver_version",
        4: "gpu_info",
        5: "sku",
        6: "vbios_version",
        7: "manufacturer_id",
        8: "tamper_detection",
        9: "smc",
        10: "vpr",
        11: "nvdec0_status",
        12: "msrscnt",
        13: "cprinfo",
        14: "board_id",
        15: "chip_sku",
        16: "chip_sku_mod",
        17: "project",
        18: "project_sku",
        19: "project_sku_mod",
        20: "fwid",
        21: "protected_pcie_status",
    }
)
GPU_FIELDS: Final = MappingProxyType(
    {
        **_COMMON,
        22: "switch_pdi",
        23: "floorswept_ports",
        24: "position_id",
        25: "lock_switch_status",
        32: "gpu_link_conn",
        33: "sys_enable_status",
        34: "opaque_data_version",
        35: "chip_info",
        36: "feature_flag",
    }
)
SWITCH_FIELDS: Final = MappingProxyType(
    {
        **_COMMON,
        22: "device_pdi",
        23: "disabled_ports",
        24: "switch_position_id",
        25: "switch_lock_status",
        26: "switch_gpu_pdis",
        27: "switch_ports",
    }
)
FWID: Final = 20
_VBIOS_VERSION, _MEASUREMENT_COUNTS = 6, 12
_TEXTS = frozenset({3, 15, 16, 17, 18, 19, 35})
_VBIOS_BYTES = 8


@dataclass(frozen=True)
class Exchange:
    """A request and its response as they were read: UNVERIFIED.

    Attributes:
        request: the request's bytes.
        nonce: what the requester chose.
        responder_nonce: what the device chose.
        measurements: digests by index.
        opaque: NVIDIA's data by type.
        opaque_length: bytes of it.
        signed: what the signature is over.
        r_s: the signature.
    """

    request: bytes
    nonce: bytes
    responder_nonce: bytes
    measurements: Mapping[int, bytes]
    opaque: Mapping[int, bytes]
    opaque_length: int
    signed: bytes
    r_s: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse an exchange.

        Raises:
            Malformed: of another version, without a signature, with blocks that are
                no DMTF measurements, with an index or a type twice, cut short, or with
                bytes left over.
        """
        try:
            return cls._parse(data)
        except struct.error as error:
            message = f"{WHAT}: cut short"
            raise Malformed(message) from error

    @classmethod
    def _parse(cls, data: bytes) -> Self:
        nonce = _read_request(data)
        version, code, _, _, blocks = _RESPONSE.unpack_from(data, REQUEST_BYTES)
        if (version, code) != (_VERSION_1_1, _MEASUREMENTS):
            message = f"{WHAT}: not a MEASUREMENTS response of SPDM 1.1"
            raise Malformed(message)
        at = REQUEST_BYTES + _RESPONSE.size
        begin = at + _RECORD_LENGTH_BYTES
        end = begin + int.from_bytes(data[at:begin], "little")
        measurements = _read_blocks(data[begin:end], blocks)
        responder_nonce, opaque_length = struct.unpack_from("<32sH", data, end)
        begin = end + _NONCE_BYTES + 2
        end = begin + opaque_length
        if len(data) != end + SIGNATURE_BYTES:
            message = f"{WHAT}: {len(data)} bytes, {end + SIGNATURE_BYTES} expected"
            raise Malformed(message)
        return cls(
            request=data[:REQUEST_BYTES],
            nonce=nonce,
            responder_nonce=responder_nonce,
            measurements=measurements,
            opaque=_read_opaque(data[begin:end]),
            opaque_length=opaque_length,
            signed=data[:end],
            r_s=data[end:],
        )


def opaque_fields(opaque: Mapping[int, bytes], names: Mapping[int, str]) -> Field:
    """Return opaque data by name: text as text, counts as numbers, the rest as hex."""
    return {
        names.get(each, f"type_{each}"): _opaque_value(each, value)
        for each, value in opaque.items()
    }


def _opaque_value(of: int, value: bytes) -> Field:
    if of == _VBIOS_VERSION and len(value) == _VBIOS_BYTES:
        # a GPU's: 96.00.9F.00.01 is 00 9F 00 96 01 00 00 00; a switch sends text
        number = bytes((*value[3::-1], value[4]))
        return number.hex(".").upper()
    if of == _MEASUREMENT_COUNTS and len(value) % 4 == 0:
        return [each[0] for each in struct.iter_unpack("<I", value)]
    text = value.rstrip(b"\0")
    if of in _TEXTS or of == _VBIOS_VERSION:
        return text.decode("ascii", "backslashreplace")
    return value.hex()


def _read_request(data: bytes) -> bytes:
    version, code, attributes, _, nonce, _ = _REQUEST.unpack_from(data)
    if (version, code) != (_VERSION_1_1, _GET_MEASUREMENTS):
        message = f"{WHAT}: not a GET_MEASUREMENTS request of SPDM 1.1"
        raise Malformed(message)
    if not attributes & _SIGNATURE_REQUESTED:
        message = f"{WHAT}: the request wanted no signature"
        raise Malformed(message)
    found: bytes = nonce
    return found


def _read_blocks(record: bytes, count: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(count):
        index, form, block_bytes, _, value_bytes = _BLOCK.unpack_from(record, at)
        if form != _DMTF or block_bytes != value_bytes + _DMTF_HEADER_BYTES:
            message = f"{WHAT}: block {index} is no DMTF measurement"
            raise Malformed(message)
        end = at + _BLOCK_HEADER_BYTES + block_bytes
        if index in found or end > len(record):
            message = f"{WHAT}: block {index} comes twice, or is cut short"
            raise Malformed(message)
        found[index] = record[at + _BLOCK.size : end]
        at = end
    if at != len(record) or not found:
        message = f"{WHAT}: {count} blocks are not the whole record"
        raise Malformed(message)
    return found


def _read_opaque(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        of, length = _OPAQUE.unpack_from(data, at)
        begin = at + _OPAQUE.size
        at = begin + length
        if of in found or at > len(data):
            message = f"{WHAT}: opaque data of type {of} comes twice, or is cut short"
            raise Malformed(message)
        found[of] = data[begin:at]
    return found
