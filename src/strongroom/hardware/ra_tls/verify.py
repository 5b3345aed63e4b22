# SPDX-License-Identifier: Apache-2.0
"""Verify an RA-TLS certificate: a TEE's evidence speaks for the certificate's key."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from strongroom.core.crypto import constant_time_equal
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.errors import Malformed, Refused
from strongroom.hardware.chain import check_key
from strongroom.hardware.ra_tls.abi import (
    EXTENSIONS,
    KIND,
    NONCE,
    Carried,
    carried,
)
from strongroom.hardware.refusal import refuse

if TYPE_CHECKING:
    from strongroom.core.rats.hardware import Bound, Field

_VERIFIERS: Mapping[str, str] = MappingProxyType(
    {
        "arm-cca": "strongroom.hardware.arm_cca.verify",
        "hygon-csv": "strongroom.hardware.hygon_csv.verify",
        "nitro": "strongroom.hardware.nitro.verify",
        "sev-snp": "strongroom.hardware.sev_snp.verify",
        "sgx": "strongroom.hardware.sgx.verify",
        "tdx": "strongroom.hardware.tdx.verify",
        "tpm2": "strongroom.hardware.tpm2.verify",
    }
)
"""Kinds that a certificate may carry: those that bind what an attester chose."""

_Verify = Callable[[HardwareEvidence, Trust, int], HardwareClaims]
_DIGEST_BYTES = 32
_WORDS = {
    "spki": "report_data[:32] = SHA-256(SPKI DER)",
    "pem": "report_data[:32] = SHA-256(SPKI PEM and a zero byte)",
    "claims": "report_data[:32] = SHA-256(claims), claims hold the {} of the SPKI",
}
_NOT_PROVEN = (
    "when the certificate is valid: its dates are the enclave's own word",
    "who is spoken with: that the other side holds the key TLS tells, not this",
    "freshness: evidence is as old as the certificate, unless a nonce is bound",
)


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what the evidence in a certificate says of its holder.

    Parts: `certificate`, in PEM or DER.

    1. Parse the certificate; every critical extension is understood.
    2. It is signed with its own key, by SHA-256 or better: the key's holder made it.
    3. Parse every extension that carries evidence; there is at least one.
    4. Each piece of evidence holds, as the verifier of its own kind says, with the
       endorsements of `trust`.
    5. Each binds the certificate's key: its report data (nonce, challenge) begins
       with the SHA-256 of the key, or of claims that hold a hash of the key.
    6. Two pieces of evidence are about one and the same program.

    Not checked: the certificate's dates and names, which nobody but the enclave
    stands for; that the other side of a connection holds the key (TLS does); what
    else claims say. Debug, TCB status and nonce are appraisal.

    Args:
        evidence: of kind "ra-tls".
        trust: endorsements of the kind that is inside.
        now: Unix seconds.

    Raises:
        Malformed: steps 1 and 3.
        Untrusted: step 2, `signature`; steps 5 and 6, `binding`; or step 4.
        Stale: step 4.
    """
    # 1
    certificate = Certificate.read(evidence.part("certificate"))
    _check_critical(certificate)
    # 2
    if not certificate.is_signed_by(certificate):
        raise refuse(
            KIND,
            "signature",
            "certificate",
            expected="a certificate signed with its own key",
            got=f"one of {certificate.name[:80]} that is not",
        )
    check_key(KIND, "certificate", certificate.spki, trust)
    # 3
    pieces = carried(certificate)
    if not pieces:
        raise refuse(
            KIND,
            "format",
            "certificate",
            expected=f"an extension with evidence: {', '.join(EXTENSIONS)}",
            got="none of them",
        )
    # 4
    inner = tuple(_verify_inside(each, trust, now) for each in pieces)
    # 5
    for piece, claims in zip(pieces, inner, strict=True):
        _check_binding(piece, claims, certificate.spki)
    # 6
    for other in inner[1:]:
        if (other.kind, other.measurements) != (inner[0].kind, inner[0].measurements):
            raise _unbound(expected="evidence about one program", got="about two")
    return _claims(certificate, pieces[0], inner)


def _check_critical(certificate: Certificate) -> None:
    unknown = [oid for oid in certificate.critical_unknown if oid not in EXTENSIONS]
    if unknown:
        raise refuse(
            KIND,
            "format",
            "certificate",
            expected="critical extensions that are understood",
            got=", ".join(unknown)[:200],
        )


def _verify_inside(piece: Carried, trust: Trust, now: int) -> HardwareClaims:
    kind = piece.evidence.kind
    module = _VERIFIERS.get(kind)
    if module is None:
        raise refuse(
            KIND,
            "format",
            "evidence",
            expected=f"evidence of kind {', '.join(_VERIFIERS)}",
            got=kind[:80],
        )
    return cast("_Verify", import_module(module).verify)(piece.evidence, trust, now)


def _check_binding(piece: Carried, claims: HardwareClaims, spki: bytes) -> None:
    if piece.binding == "claims":
        _require(claims.bound, piece.claims, "the claims beside the evidence")
        _check_key_hash(piece, spki)
    elif piece.binding == "pem":
        _require(claims.bound, _pem(spki), "the certificate's key in PEM")
    else:
        _require(claims.bound, spki, "the certificate's key")


def _require(bound: bytes, of: bytes, what: str) -> None:
    digest = hashlib.sha256(of).digest()
    if not constant_time_equal(bound[:_DIGEST_BYTES], digest):
        raise _unbound(
            expected=f"report data with the SHA-256 of {what}, {digest.hex()[:16]}",
            got=bound[:_DIGEST_BYTES].hex()[:16] or "none",
        )


def _check_key_hash(piece: Carried, spki: bytes) -> None:
    named = piece.key_hash
    if named is None:
        raise _unbound(
            expected="claims that name the certificate's key", got="none that do"
        )
    digest = hashlib.new(named.algorithm, spki).digest()
    if not constant_time_equal(named.digest, digest):
        raise _unbound(
            expected=f"claims that name the certificate's key, {digest.hex()[:16]}",
            got=named.digest.hex()[:16],
        )


def _unbound(*, expected: str, got: str) -> Refused | Malformed:
    return refuse(KIND, "binding", "key", expected=expected, got=got)


def _pem(spki: bytes) -> bytes:
    """Return a key as Open Enclave hashes it: PEM and the zero that ends it in C."""
    text = b64encode(spki)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    begin, end = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"
    return b"\n".join((begin, *lines, end, b"\0"))


def _words(piece: Carried) -> str:
    algorithm = piece.key_hash.algorithm if piece.key_hash else ""
    return _WORDS[piece.binding].format(algorithm.upper().replace("SHA", "SHA-"))


def _claims(
    certificate: Certificate, piece: Carried, inner: tuple[HardwareClaims, ...]
) -> HardwareClaims:
    first = inner[0]
    nonce = piece.named.get(NONCE)
    bound_as: Bound = first.bound_as if nonce is None else "nonce"
    spki = certificate.spki
    fields: dict[str, Field] = {
        **first.fields,
        "extension_oid": piece.oid,
        "binding": _words(piece),
        "spki_sha256": hashlib.sha256(spki).hexdigest(),
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "claims": {name: value.hex() for name, value in piece.named.items()},
    }
    return HardwareClaims(
        kind=KIND,
        format=f"RA-TLS certificate ({piece.oid}) with {first.format}",
        device=first.device,
        bound=first.bound if nonce is None else nonce,
        bound_as=bound_as,
        debug=any(each.debug for each in inner),
        measurements=first.measurements,
        fields=fields,
        svns=first.svns,
        inner=inner,
        issued_at=first.issued_at,
        key=spki,
        not_proven=_NOT_PROVEN,
        proof=vouch(),
    )
