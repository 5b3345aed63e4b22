# SPDX-License-Identifier: Apache-2.0
"""Every refusal of the crypto service: rule, expected, got, remedy."""

from strongroom.errors import Finding, Refused, Stale, Tampered, Untrusted
from strongroom.services.crypto.records import Handle, KeyInfo

OWNER = "crypto"


def wrong_purpose(info: KeyInfo, wanted: str) -> Refused:
    """A key is used for what it was not made for (KM-3)."""
    return Refused.because(
        "crypto.purpose",
        OWNER,
        expected=f"a key made to {wanted}",
        got=f"{short(info.id)} ({info.spec.label}), made to {info.spec.purpose}",
        remedy=f"Generate a key with the purpose {wanted!r}, or derive one.",
    )


def wrong_algorithm(info: KeyInfo, wanted: str) -> Refused:
    """A key's algorithm does not do what was asked."""
    return Refused.because(
        "crypto.operation",
        OWNER,
        expected=wanted,
        got=f"{short(info.id)} ({info.spec.label}), a key of {info.spec.algorithm}",
        remedy="Use the operation that docs/reference/crypto.md has for it.",
    )


def shredded(info: KeyInfo, version: int | None = None) -> Refused:
    """The key existed and is gone."""
    which = f" version {version}" if version else ""
    return Refused.because(
        "crypto.shredded",
        OWNER,
        expected="a key that is there",
        got=f"{short(info.id)} ({info.spec.label}){which}, which was shredded",
        remedy="What was under it alone cannot be had back; make a new key.",
    )


def not_allowed(algorithm: str, suite: str) -> Refused:
    """The algorithm is not of the suite and nobody configured it (SYS-4)."""
    return Refused.because(
        "crypto.algorithm",
        OWNER,
        expected=f"an algorithm that suite {suite!r} allows by default, or one "
        "that the policy names with a reason",
        got=algorithm,
        remedy="Use one of the suite, or add it to the policy's `also`.",
    )


def wrong_use_of_algorithm(algorithm: str, purpose: str, has: str) -> Refused:
    """A key is asked for whose algorithm does not serve its purpose."""
    return Refused.because(
        "crypto.algorithm-purpose",
        OWNER,
        expected=f"a purpose of {algorithm}: {has}",
        got=purpose,
        remedy="Choose the algorithm for the purpose in docs/reference/crypto.md.",
    )


def no_import(label: str) -> Refused:
    """A key from outside, where the policy allows none (KM-2)."""
    return Refused.because(
        "crypto.import",
        OWNER,
        expected="keys made inside",
        got=f"a key from outside ({label})",
        remedy="Generate or derive it here, or give the policy's `imports` a reason.",
    )


def not_extractable(info: KeyInfo) -> Refused:
    """A key that was made to stay is asked to leave."""
    return Refused.because(
        "crypto.extractable",
        OWNER,
        expected="a key made with extractable=True",
        got=f"{short(info.id)} ({info.spec.label}), made to stay inside",
        remedy="Make a new extractable key, or move the work to where the key is.",
    )


def no_rotation(info: KeyInfo, why: str) -> Refused:
    """A key of which there can be no next version."""
    return Refused.because(
        "crypto.rotation",
        OWNER,
        expected="a key that was generated here or derived from one that is there",
        got=f"{short(info.id)} ({info.spec.label}), {why}",
        remedy="Make a new key instead.",
    )


def other_key(expected: Handle, got: Handle) -> Refused:
    """A ciphertext, signature or tag names another key than the one given."""
    return Refused.because(
        "crypto.key",
        OWNER,
        expected=f"one made by {short(expected)}",
        got=f"one that names {short(got)}",
        remedy="Use the key that it names.",
    )


def other_algorithm(expected: str, got: str) -> Refused:
    """A signature names another algorithm than that of the key given."""
    return Refused.because(
        "crypto.key",
        OWNER,
        expected=f"a signature of {expected}",
        got=f"one of {got[:64]}",
        remedy="Use the key that made it.",
    )


def unauthenticated(info: KeyInfo) -> Refused:
    """A cipher without authentication where an authenticated one is meant."""
    return Refused.because(
        "crypto.unauthenticated",
        OWNER,
        expected="an authenticated algorithm",
        got=f"{info.spec.algorithm}, which authenticates neither data nor "
        "associated data",
        remedy="Use a GCM key; for old peers encrypt_unauthenticated, by name.",
    )


def no_associated_data(info: KeyInfo) -> Refused:
    """Associated data for a cipher that would silently drop it."""
    return Refused.because(
        "crypto.associated-data",
        OWNER,
        expected=f"no associated data: {info.spec.algorithm} cannot bind any",
        got="some",
        remedy="Use an authenticated cipher, or an envelope with `info`.",
    )


def wrong_tag() -> Tampered:
    """A MAC does not match."""
    return _tampered(
        "crypto.tag", "the tag of this message", "another one", "Get it again."
    )


def not_its_signature(info: KeyInfo) -> Untrusted:
    """What is shown as a key's signature or tag does not name that key."""
    finding = Finding(
        "crypto.signature",
        OWNER,
        f"a signature or tag of {short(info.id)} ({info.spec.label})",
        "bytes that name another key, version or algorithm",
        "Get the statement again from the one who signed it.",
    )
    return Untrusted(str(finding), [finding])


def wrong_confirmation() -> Tampered:
    """The peer of a key exchange did not get the same key."""
    return _tampered(
        "crypto.confirmation",
        "the peer's hash over the agreed key (GB/T 32918.3)",
        "another one, so the key is shredded",
        "Begin the exchange again, with the keys that both sides really have.",
    )


def wrong_counter(expected: int, got: int) -> Stale:
    """A keyring is not the newest one."""
    finding = Finding(
        "crypto.keyring-counter",
        OWNER,
        f"the keyring of counter {expected}",
        f"one of counter {got}: an older state was put back, or the newest lost",
        "Restore from the newest keyring; never set the counter back.",
    )
    return Stale(str(finding), [finding])


def other_suite(expected: str, got: str) -> Refused:
    """A keyring is of another suite than the policy."""
    return Refused.because(
        "crypto.keyring-suite",
        OWNER,
        expected=f"a keyring of suite {expected!r}",
        got=f"one of {got[:8]!r}",
        remedy="Restore it under the suite it was made in.",
    )


def unknown(handle: Handle) -> str:
    """Return the message for a key that never was; it is not a refusal."""
    return f"there is no key {short(handle)} here"


def short(handle: Handle) -> str:
    """Return a handle as people are shown it."""
    return handle[:4].hex() or "none"


def _tampered(rule: str, expected: str, got: str, remedy: str) -> Tampered:
    finding = Finding(rule, OWNER, expected, got, remedy)
    return Tampered(str(finding), [finding])
