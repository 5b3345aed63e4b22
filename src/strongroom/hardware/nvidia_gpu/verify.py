# SPDX-License-Identifier: Apache-2.0
"""Verify measurements of GPUs and NVSwitches: authenticity, never expectation."""

import hashlib
from typing import Final

from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.trust import Verified
from strongroom.hardware.chain import verify_path
from strongroom.hardware.nvidia_gpu.abi import (
    FWID,
    GPU_FIELDS,
    SWITCH_FIELDS,
    Exchange,
    opaque_fields,
)
from strongroom.hardware.nvidia_gpu.collateral import CURVE, Chain, Device
from strongroom.hardware.refusal import refuse
from strongroom.hardware.revocation import check_revocation, has_lists, read_lists

KIND: Final = "nvidia-gpu"
CHAIN: Final = "certificate_chain"

_DIGEST: Final = "sha384"
_NOT_PROVEN = (
    "that the firmware is NVIDIA's: measurements are not compared with manifests (RIM)",
    "that developer tools are off: only the reference manifests tell them apart",
    "that the device is attached to this machine: bind its nonce to the CPU's evidence",
)
_NOT_REVOKED = "that no certificate was revoked: no revocation list (CRL, OCSP) is here"


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what a GPU or NVSwitch says, known to be an NVIDIA device's word.

    1. Parse request and response.
    2. The device's certificates lead from the key that signs to a root, all valid at
       `now`; with revocation lists of their issuers none is revoked.
    3. Request and response are signed by that key (ECDSA P-384 with SHA-384).
    4. The firmware id in the response, where it is given, is the certificate's.

    Not checked: measurements against reference manifests (`vbios_rim`, `driver_rim`
    are not read), OCSP, debug state, versions of driver and VBIOS.

    Args:
        evidence: `report`; perhaps `certificate_chain`, where the device's is brought.
        trust: roots; `certificate_chain`, one document a device; `crl`.
        now: Unix seconds.

    Raises:
        Malformed: step 1, or certificates that are none.
        Untrusted: `missing_endorsement`, `chain`, `root`, `revoked` (step 2),
            `signature`, `binding` (step 4).
        Stale: a certificate or list out of its time.
    """
    # 1
    exchange = Exchange.parse(evidence.part("report"))
    chains = _read_chains(evidence, trust, now)
    signer = next((each for each in chains if _signed(exchange, each)), None)
    # 2
    device = _verify_chain(signer or chains[0], trust, now)
    # 3
    if signer is None:
        raise refuse(
            KIND,
            "signature",
            "report",
            expected=f"measurements signed by {device.certificate.name}",
            got="a signature that is not its own",
        )
    # 4
    _check_firmware(exchange, device)
    listed = has_lists(trust)
    return HardwareClaims(
        kind=KIND,
        format=f"SPDM 1.1 measurements of {'NVSwitch' if device.is_switch else 'GPU'}",
        device=device.id,
        bound=exchange.nonce,
        bound_as="nonce",
        debug=False,
        measurements={
            f"measurement.{index}": value
            for index, value in exchange.measurements.items()
        },
        fields={
            "arch": device.arch,
            "spdm_request": exchange.request.hex(),
            "nonce": exchange.nonce.hex(),
            "responder_nonce": exchange.responder_nonce.hex(),
            "measurement_count": len(exchange.measurements),
            "measurements": {
                str(index): value.hex()
                for index, value in exchange.measurements.items()
            },
            "opaque_length": exchange.opaque_length,
            "opaque": opaque_fields(
                exchange.opaque, SWITCH_FIELDS if device.is_switch else GPU_FIELDS
            ),
            "leaf_subject": device.certificate.name,
        },
        not_proven=_NOT_PROVEN if listed else (*_NOT_PROVEN, _NOT_REVOKED),
        proof=vouch(),
    )


def _read_chains(
    evidence: HardwareEvidence, trust: Trust, now: int
) -> tuple[Chain, ...]:
    """Return the chain that came with the evidence, or those of the endorsements."""
    brought = evidence.parts.get(CHAIN)
    documents = trust.documents(CHAIN) if brought is None else (brought,)
    if not documents:
        raise refuse(
            KIND,
            "missing_endorsement",
            CHAIN,
            expected="the certificates of the device",
            got="none",
        )
    return trust.once(
        (KIND, CHAIN, brought),
        now,
        lambda: Verified(tuple(Chain.read(each) for each in documents)),
    )


def _signed(exchange: Exchange, chain: Chain) -> bool:
    key = chain.leaf.public_key
    return key.curve == CURVE and key.signed_raw(exchange.r_s, exchange.signed, _DIGEST)


def _verify_chain(chain: Chain, trust: Trust, now: int) -> Device:
    def make() -> "Verified[Device]":
        path = verify_path(KIND, "device", chain.leaf, chain.above, trust, now)
        lists = read_lists(trust, "crl")
        begin, end = check_revocation(KIND, "device", path, lists, now, required=False)
        # the boot ROM's key stays; the leaf changes with the firmware
        lasting = path.certificates[min(1, len(path.certificates) - 2)]
        return Verified(
            Device.of(path.leaf, hashlib.sha256(lasting.spki).digest()),
            max(begin, path.not_before),
            min(end, path.not_after),
        )

    return trust.once((KIND, "path", chain), now, make)


def _check_firmware(exchange: Exchange, device: Device) -> None:
    reported = exchange.opaque.get(FWID)
    if not reported or constant_time_equal(reported, device.fwid or b""):
        return
    raise refuse(
        KIND,
        "binding",
        "fwid",
        expected="the firmware id of the certificate that signs",
        got=reported.hex()[:32],
    )
