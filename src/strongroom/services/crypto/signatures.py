# SPDX-License-Identifier: Apache-2.0
"""Signatures (IF-12, IF-13) and message authentication codes by handle.

Both name their key and version, so that rotation does not end what was made before.
Their value is the plain one of the algorithm's standard: `verify_value` takes those
of signers elsewhere.
"""

from strongroom.core.crypto import Buffer, constant_time_equal
from strongroom.errors import Malformed, NotFound, Tampered, Untrusted
from strongroom.services.crypto import refusals
from strongroom.services.crypto.ciphers import require_named
from strongroom.services.crypto.keyring import KeyRing
from strongroom.services.crypto.kinds import Mac, Signing
from strongroom.services.crypto.records import Handle, PublicKey, Signature, Tag
from strongroom.services.crypto.shelf import version_of


def sign(ring: KeyRing, handle: Handle, message: Buffer, context: bytes = b"") -> bytes:
    """Return a `Signature` of `message` by the newest version.

    Args:
        ring: the keys.
        handle: a key to sign with.
        message: what is signed.
        context: for SM2 the ID of the signer (empty: 1234567812345678, the default
            of GB/T 35276), for ML-DSA its context string; the others take none.

    Raises:
        Malformed: a context that the algorithm does not take.
        NotFound: no such key.
        Refused: the key is not to sign with, or is shredded.
    """
    with ring.lend(handle, "sign") as lent:
        if not isinstance(lent.row, Signing):
            raise refusals.wrong_algorithm(lent.info, "a key of a signature scheme")
        lent.row.scheme.check_context(context)
        named = lent.info.id, lent.version.number, lent.row.name
        by_key = lent.row.scheme.load(lent.key, lent.version.public)
    return Signature(*named, value=by_key(message, context)).to_bytes()


def verify(
    ring: KeyRing,
    key: Handle | PublicKey,
    message: Buffer,
    signature: bytes,
    context: bytes = b"",
) -> Signature:
    """Return the `Signature` if it is of `key` over `message`.

    Raises:
        Malformed: not a signature, or `key` is no public key.
        NotFound: no such key or version.
        Refused: another key's, not allowed, or the key is shredded: whoever shreds
            keeps the public key if signatures are to outlive it.
        Untrusted: it does not verify.
    """
    parsed = Signature.from_bytes(signature)
    if isinstance(key, bytes):
        require_named(key, parsed.key)
        with ring.lend(key, "sign", parsed.version) as lent:
            key = PublicKey(lent.row.name, lent.version.public)
    if parsed.algorithm != key.algorithm:
        raise refusals.other_algorithm(key.algorithm, parsed.algorithm)
    verify_value(ring, key, message, parsed.value, context)
    return parsed


def verify_value(
    ring: KeyRing, key: PublicKey, message: Buffer, value: bytes, context: bytes = b""
) -> None:
    """Return if `value`, as the algorithm's standard has it, is `key`'s signature.

    Raises:
        Malformed: `key` is no public key of a signature scheme.
        Refused: the policy does not allow the algorithm.
        Untrusted: it does not verify.
    """
    row = ring.policy.require_algorithm(key.algorithm)
    if not isinstance(row, Signing):
        raise refusals.wrong_use_of_algorithm(
            row.name, "sign", " or ".join(row.purposes)
        )
    if not row.scheme.verify(key.raw, value, message, context):
        raise Untrusted.because(
            "crypto.signature",
            refusals.OWNER,
            expected=f"a signature of {row.name} by the key given",
            got="one that does not verify",
            remedy="Get the statement again from the one who signed it.",
        )


def holds(
    ring: KeyRing, key: Handle | PublicKey, message: Buffer, proof: bytes
) -> bool:
    """Return whether `proof` is a key's over `message`.

    Args:
        ring: the keys.
        key: a handle, whose `Signature` or `Tag` it has to be, or a public key.
        message: what was signed.
        proof: of a public key a `Signature`, or its value as the standard has it.

    Raises:
        Malformed: `key` is no public key of a signature scheme.
        NotFound: no such key.
        Refused: the key is for something else, not allowed, or shredded.
    """
    try:
        if isinstance(key, PublicKey):
            verify_value(ring, key, message, _value(proof))
        elif ring.info(key).spec.purpose == "mac":
            verify_mac(ring, key, message, _own(ring, key, Tag, proof))
        else:
            verify(ring, key, message, _own(ring, key, Signature, proof))
    except (Tampered, Untrusted):
        return False
    return True


def mac(ring: KeyRing, handle: Handle, message: Buffer) -> bytes:
    """Return a `Tag` of `message` by the newest version.

    Raises:
        NotFound: no such key.
        Refused: the key is not for MACs, or is shredded.
    """
    return _tag(ring, handle, message, None).to_bytes()


def verify_mac(ring: KeyRing, handle: Handle, message: Buffer, tag: bytes) -> None:
    """Return if `tag` is of `handle` over `message`; compares in constant time.

    Raises:
        Malformed: not a tag.
        NotFound: no such key or version.
        Refused: another key's, or the key may not be used for it.
        Tampered: it does not match.
    """
    parsed = Tag.from_bytes(tag)
    require_named(handle, parsed.key)
    right = _tag(ring, handle, message, parsed.version)
    same = constant_time_equal(right.value, parsed.value)
    if not same or parsed.algorithm != right.algorithm:
        raise refusals.wrong_tag()


def _tag(ring: KeyRing, handle: Handle, message: Buffer, version: int | None) -> Tag:
    with ring.lend(handle, "mac", version) as lent:
        if not isinstance(lent.row, Mac):
            raise refusals.wrong_algorithm(lent.info, "a key of HMAC")
        named = lent.info.id, lent.version.number, lent.row.name
        state = lent.row.hashing.keyed(lent.key)
    state.update(message)
    return Tag(*named, value=state.digest())


def _own(
    ring: KeyRing, handle: Handle, kind: type[Signature | Tag], proof: bytes
) -> bytes:
    """Return `proof` if it names a key that may be used for it, and a version of it.

    Raises:
        Untrusted: it does not.
    """
    info = ring.usable(handle, "mac" if kind is Tag else "sign")
    try:
        parsed = kind.from_bytes(proof)
        version_of(info, parsed.version)
    except (Malformed, NotFound) as error:
        raise refusals.not_its_signature(info) from error
    if (parsed.key, parsed.algorithm) != (handle, info.spec.algorithm):
        raise refusals.not_its_signature(info)
    return proof


def _value(proof: bytes) -> bytes:
    try:
        return Signature.from_bytes(proof).value
    except Malformed:
        return proof
