# SPDX-License-Identifier: Apache-2.0
"""Attest the Nitro enclave that this runs in, through its security module /dev/nsm.

The structures are those of Linux's include/uapi/linux/nsm.h (since 6.8; the driver
that AWS ships for older kernels has the same), the messages those of AWS's nsm-api:
CBOR, with the name of the request as the one key.

Not covered: an instance with NitroTPM outside of an enclave; its document comes from
the TPM.
"""

import struct
from dataclasses import dataclass

from strongroom.core.codec import cbor
from strongroom.core.rats import HardwareEvidence
from strongroom.errors import Malformed, StrongroomError, Unavailable
from strongroom.hardware.machine import LINUX, Machine, iowr, using

KIND = "nitro"
DEVICE = "/dev/nsm"
NEEDS = "this needs a Nitro enclave (`nitro-cli run-enclave`)"

RAW = iowr(0x0A, 0, 32)
"""NSM_IOCTL_RAW."""

MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES = 0x1000, 0x3000
MAX_NONCE_BYTES, MAX_USER_DATA_BYTES, MAX_PUBLIC_KEY_BYTES = 512, 512, 1024
"""AWS Nitro Enclaves, attestation process: nonce, user_data, public_key."""

_RAW = struct.Struct("<QQQQ")
_REQUEST_AT, _RESPONSE_AT = 0, 16


@dataclass(frozen=True)
class NitroAttester:
    """Attests this enclave; implements `Attester`.

    Attributes:
        machine: that this runs on.
        public_key: DER of a key to bind as well, or b"".
        user_data: anything else to bind, or b"".
    """

    machine: Machine = LINUX
    public_key: bytes = b""
    user_data: bytes = b""

    @property
    def kind(self) -> str:
        """The kind of evidence."""
        return KIND

    def collect(self, bound: bytes) -> HardwareEvidence:
        """Return a document with `bound` as its nonce.

        Raises:
            Malformed: the nonce, key or user data is longer than a document takes.
            Misconfigured: this is no Nitro enclave.
            Unavailable: its security module did not answer, or answered an error.
        """
        request = attestation_request(bound, self.user_data, self.public_key)
        response = exchange(self.machine, request)
        return HardwareEvidence(KIND, {"document": document(response)})

    def missing(self) -> str:
        """Return why this machine gives no such evidence, or "" if it does."""
        try:
            exchange(self.machine, cbor.encode("DescribeNSM"))
        except StrongroomError as error:
            return error.message
        return ""


def attester(machine: Machine = LINUX) -> NitroAttester:
    """Return the attester of this enclave."""
    return NitroAttester(machine)


def exchange(machine: Machine, request: bytes) -> bytes:
    """Return what the security module answers.

    Raises:
        Malformed: the request is longer than the driver takes.
        Misconfigured: there is no such device, or this user may not use it.
        Unavailable: it did not answer.
    """
    if len(request) > MAX_REQUEST_BYTES:
        message = f"{DEVICE} takes requests of {MAX_REQUEST_BYTES} bytes at most"
        raise Malformed(message)
    argument = bytearray(_RAW.pack(0, len(request), 0, MAX_RESPONSE_BYTES))
    response = bytearray(MAX_RESPONSE_BYTES)
    with using(DEVICE, NEEDS):
        machine.ioctl(
            DEVICE,
            RAW,
            argument,
            {_REQUEST_AT: bytearray(request), _RESPONSE_AT: response},
        )
    *_, length = _RAW.unpack(argument)
    return bytes(response[:length])


def attestation_request(nonce: bytes, user_data: bytes, public_key: bytes) -> bytes:
    """Return the request `Attestation`; what is empty is absent.

    Raises:
        Malformed: something is longer than a document takes.
    """
    for name, value, limit in (
        ("nonce", nonce, MAX_NONCE_BYTES),
        ("user_data", user_data, MAX_USER_DATA_BYTES),
        ("public_key", public_key, MAX_PUBLIC_KEY_BYTES),
    ):
        if len(value) > limit:
            message = f"a Nitro document takes a {name} of {limit} bytes at most"
            raise Malformed(message)
    return cbor.encode(
        {
            "Attestation": {
                "user_data": user_data or None,
                "nonce": nonce or None,
                "public_key": public_key or None,
            }
        }
    )


def document(response: bytes) -> bytes:
    """Return the document in a response to `Attestation`.

    Raises:
        Unavailable: the response is an error, or none to that request.
    """
    try:
        value = cbor.decode(response)
    except Malformed as error:
        message = f"{DEVICE} answered no CBOR; try again"
        raise Unavailable(message) from error
    if isinstance(value, dict):
        answer = value.get("Attestation")
        found = answer.get("document") if isinstance(answer, dict) else None
        if isinstance(found, bytes):
            return found
        if "Error" in value:
            message = f"{DEVICE} answered {str(value['Error'])[:64]}"
            raise Unavailable(message)
    message = f"{DEVICE} answered something else than a document"
    raise Unavailable(message)
