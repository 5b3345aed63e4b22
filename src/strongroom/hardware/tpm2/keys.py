# SPDX-License-Identifier: Apache-2.0
"""Keys in the TPM: their templates (TPM 2.0 Library, Part 2, sections 11 and 12).

attestation key   restricted P-256 signing key of the endorsement hierarchy: signs what
                  the TPM itself made and nothing else
storage key       P-256, of the owner hierarchy: wraps the two below
device key        HMAC key that never leaves the TPM
boot key          the same, usable only while the PCRs hold one measured boot
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.crypto import SecretBuffer
from strongroom.core.crypto.hashing import SHA256 as HASH
from strongroom.hardware.parts.keys import KEY_BYTES
from strongroom.hardware.tpm2 import commands
from strongroom.hardware.tpm2.client import PASSWORD, Tpm
from strongroom.hardware.tpm2.commands import SHA256, sized

_ECC, _KEYED_HASH, _P256 = 0x0023, 0x0008, 0x0003
_ECDSA, _HMAC, _AES, _CFB, _NULL = 0x0018, 0x0005, 0x0006, 0x0043, 0x0010

_FIXED = 1 << 1 | 1 << 4 | 1 << 5
"""fixedTPM, fixedParent, sensitiveDataOrigin: made in this TPM, and stays there."""
_WITH_PASSWORD, _NO_LOCKOUT = 1 << 6, 1 << 10
_RESTRICTED, _DECRYPT, _SIGN = 1 << 16, 1 << 17, 1 << 18

UNIQUE_BYTES = 32


@dataclass(frozen=True)
class WrappedKey(Record):
    """A key that only its own TPM can unwrap: TPM2B contents of both parts."""

    TYPE = "strongroom/tpm2-key/v1"

    private: bytes
    public: bytes


def attestation_template(unique: bytes) -> bytes:
    """Return TPMT_PUBLIC of the attestation key that belongs to `unique`."""
    attributes = _FIXED | _WITH_PASSWORD | _NO_LOCKOUT | _RESTRICTED | _SIGN
    scheme = struct.pack(">HHHHH", _NULL, _ECDSA, SHA256, _P256, _NULL)
    return _public(_ECC, attributes, b"", scheme + sized(unique) + sized(b""))


def storage_template() -> bytes:
    """Return TPMT_PUBLIC of the storage key (TCG's template of an SRK)."""
    attributes = _FIXED | _WITH_PASSWORD | _NO_LOCKOUT | _RESTRICTED | _DECRYPT
    scheme = struct.pack(">HHHHHH", _AES, 128, _CFB, _NULL, _P256, _NULL)
    empty = sized(bytes(UNIQUE_BYTES))
    return _public(_ECC, attributes, b"", scheme + empty + empty)


def hmac_template(policy: bytes) -> bytes:
    """Return TPMT_PUBLIC of an HMAC key; with a policy, of no other use than by it."""
    attributes = _FIXED | _NO_LOCKOUT | _SIGN | (0 if policy else _WITH_PASSWORD)
    scheme = struct.pack(">HH", _HMAC, SHA256)
    return _public(_KEYED_HASH, attributes, policy, scheme + sized(b""))


def pcr_policy(values: dict[int, bytes]) -> bytes:
    """Return the policy that these PCRs have these values."""
    pcrs = sorted(values)
    digest = HASH.digest(*(values[pcr] for pcr in pcrs))
    return HASH.digest(commands.pcr_policy_bytes(pcrs, digest))


@contextmanager
def primary(tpm: Tpm, hierarchy: int, template: bytes) -> Iterator[tuple[int, bytes]]:
    """Lend handle and public area of a hierarchy's key."""
    handle, public = commands.create_primary(tpm, hierarchy, template)
    try:
        yield handle, public
    finally:
        commands.flush(tpm, handle)


def make_hmac_key(tpm: Tpm, policy: bytes = b"") -> WrappedKey:
    """Return a new HMAC key, drawn and kept by the TPM."""
    with primary(tpm, commands.OWNER, storage_template()) as (parent, _):
        return WrappedKey(*commands.create(tpm, parent, hmac_template(policy)))


def secret_of(
    tpm: Tpm,
    key: WrappedKey,
    label: bytes,
    pcrs: tuple[int, ...] = (),
    nonce: bytes = b"",
) -> SecretBuffer:
    """Return HMAC(key, label), 32 bytes, which the caller closes.

    Args:
        tpm: where the key was made.
        key: what `make_hmac_key` returned.
        label: one for each use.
        pcrs: of the key's policy; none for a key without one.
        nonce: 16 fresh bytes for a session, where there is a policy.

    Raises:
        TpmError: the TPM is another one, or the PCRs hold something else.
    """
    secret = SecretBuffer(KEY_BYTES)
    try:
        with _loaded(tpm, key) as handle:
            session = commands.start_pcr_policy(tpm, nonce, pcrs) if pcrs else PASSWORD
            try:
                commands.hmac(tpm, handle, label, session, secret)
            except BaseException:
                if pcrs:
                    commands.flush(tpm, session)
                raise
    except BaseException:
        secret.close()
        raise
    return secret


@contextmanager
def _loaded(tpm: Tpm, key: WrappedKey) -> Iterator[int]:
    with primary(tpm, commands.OWNER, storage_template()) as (parent, _):
        handle = commands.load(tpm, parent, key.private, key.public)
    try:
        yield handle
    finally:
        commands.flush(tpm, handle)


def _public(kind: int, attributes: int, policy: bytes, rest: bytes) -> bytes:
    return struct.pack(">HHI", kind, SHA256, attributes) + sized(policy) + rest
