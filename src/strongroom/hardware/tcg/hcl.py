# SPDX-License-Identifier: Apache-2.0
"""The report of Azure's host compatibility layer (HCL), the paravisor beside a guest.

It runs in the confidential VM, above the guest's operating system, and is its TPM. At
boot it asks the hardware for a report that binds the attestation key (AK) of that TPM,
and leaves both in NV index 0x01400001:

    header          32 bytes, "HCLA"
    hardware report 1184 bytes: an SNP report, or a TDREPORT and zeros
    runtime data    20 bytes of header, then JSON: keys, VM configuration, user data

Source: "Guest attestation for confidential VMs", Microsoft Learn; layout as OpenHCL
(openvmm, openhcl/openhcl_attestation_protocol/src/igvm_attest) has it.
"""

from dataclasses import dataclass
from hashlib import sha256, sha384, sha512
from struct import Struct
from typing import Self

from strongroom.core.codec.jws import decode_base64url, strict_json
from strongroom.core.crypto import constant_time_equal
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.rats.hardware import Field
from strongroom.errors import Malformed
from strongroom.hardware.refusal import refuse

HARDWARE_REPORT_BYTES = 1184
SNP, TDX = 2, 4
"""Types of hardware reports."""

_WHAT = "hcl_report"
_MAX_BYTES, _MAX_RUNTIME_BYTES = 64 << 10, 32 << 10
_HEADER = Struct("<4sIIII12x")
_RUNTIME = Struct("<IIIII")
_MAGIC = b"HCLA"
_VERSIONS, _RUNTIME_VERSIONS = (1, 2), (1,)
_HASHES = {1: sha256, 2: sha384, 3: sha512}
_AK = "HCLAkPub"
_MAX_USER_DATA = 1024


@dataclass(frozen=True, slots=True)
class HclReport:
    """A report as it was read; `runtime_data` is JSON that nobody has parsed yet.

    `report_type` is `SNP` or `TDX`, `hash_type` says how the hardware report binds
    the runtime data.
    """

    version: int
    hardware_report: bytes
    report_type: int
    hash_type: int
    runtime_data: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the contents of the NV index.

        Raises:
            Malformed: another layout or version, or bytes after its end that are not 0.
        """
        head = _HEADER.size + HARDWARE_REPORT_BYTES
        start = head + _RUNTIME.size
        if not start <= len(data) <= _MAX_BYTES:
            message = f"{_WHAT}: {len(data)} bytes are none"
            raise Malformed(message)
        magic, version, size, _, _ = _HEADER.unpack_from(data)
        rest, runtime, report_type, hash_type, claims = _RUNTIME.unpack_from(data, head)
        if (
            magic != _MAGIC
            or version not in _VERSIONS
            or runtime not in _RUNTIME_VERSIONS
        ):
            message = f"{_WHAT}: versions {version} and {runtime} of {magic.hex()}"
            raise Malformed(message)
        end = start + claims
        if (
            claims > _MAX_RUNTIME_BYTES
            or rest != _RUNTIME.size + claims
            or (size, end) != (end, min(end, len(data)))
            or any(data[end:])
        ):
            message = f"{_WHAT}: sizes {size}, {rest} and {claims} in {len(data)} bytes"
            raise Malformed(message)
        if hash_type not in _HASHES:
            message = f"{_WHAT}: hash {hash_type} is not known"
            raise Malformed(message)
        return cls(
            version,
            data[_HEADER.size : head],
            report_type,
            hash_type,
            data[start:end],
        )

    def check_binding(self, kind: str, report_data: bytes) -> None:
        """Refuse runtime data whose digest the report data do not begin with.

        Args:
            kind: of the evidence, for rule ids.
            report_data: of a hardware report that was verified.

        Raises:
            Untrusted: `binding`.
        """
        digest = _HASHES[self.hash_type](self.runtime_data).digest()
        if constant_time_equal(report_data[: len(digest)], digest):
            return
        raise refuse(
            kind,
            "binding",
            "runtime_data",
            expected=f"runtime data with digest {report_data[:8].hex()}",
            got=digest[:8].hex(),
        )

    def check_type(self, kind: str, report_type: int) -> None:
        """Refuse a report around another kind of hardware report.

        Raises:
            Malformed: it is.
        """
        if self.report_type != report_type:
            raise refuse(
                kind,
                "format",
                "report_type",
                expected=f"a hardware report of type {report_type}",
                got=str(self.report_type),
            )


@dataclass(frozen=True)
class RuntimeData:
    """What the paravisor had bound; its own word, once the binding holds.

    Attributes:
        attestation_key: the AK of the guest's TPM.
        user_data: what the guest wrote for the next report, or b"".
        vm_configuration: as the paravisor knows it ("secure-boot", ...).
        digest: SHA-256 of the JSON.
    """

    attestation_key: ForeignKey
    user_data: bytes
    vm_configuration: dict[str, Field]
    digest: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the JSON.

        Raises:
            Malformed: other JSON, or no AK in it.
        """
        try:
            claims = strict_json(data)
        except Malformed as error:
            message = "runtime data: not a JSON object without floats and doubles"
            raise Malformed(message) from error
        user_data = claims.get("user-data", "")
        configuration = claims.get("vm-configuration", {})
        if not isinstance(user_data, str) or not isinstance(configuration, dict):
            message = "runtime data: user-data or vm-configuration of another type"
            raise Malformed(message)
        return cls(
            _attestation_key(claims.get("keys")),
            _from_hex(user_data),
            configuration,
            sha256(data).digest(),
        )

    def fields(self) -> dict[str, Field]:
        """Return what it says, as fields of evidence."""
        return {
            "hcl_user_data": self.user_data.hex(),
            "vm_configuration": self.vm_configuration,
            "runtime_data_sha256": self.digest.hex(),
        }


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text[: 2 * _MAX_USER_DATA])
    except ValueError as error:
        message = "runtime data: user-data that is not hex"
        raise Malformed(message) from error


def _attestation_key(keys: object) -> ForeignKey:
    """Return the one JSON Web Key (RFC 7517) that is called the AK."""
    listed = keys if isinstance(keys, list) else []
    found = [
        each for each in listed if isinstance(each, dict) and each.get("kid") == _AK
    ]
    if len(found) != 1 or found[0].get("kty") != "RSA":
        message = f"runtime data: not one RSA key called {_AK}"
        raise Malformed(message)
    return ForeignKey.from_rsa(_number(found[0].get("n")), _number(found[0].get("e")))


def _number(value: object) -> int:
    if not isinstance(value, str) or not value.isascii():
        message = "runtime data: a key without its numbers"
        raise Malformed(message)
    return int.from_bytes(decode_base64url(value.encode()), "big")
