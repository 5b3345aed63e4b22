# SPDX-License-Identifier: Apache-2.0
"""The key ring: one purpose a key, rotation, shredding, derivation, origin."""

import os
from itertools import product

import pytest

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import (
    Conflict,
    Malformed,
    NotFound,
    Refused,
    StrongroomError,
    Unavailable,
)
from strongroom.services import crypto
from strongroom.services.crypto import (
    ALGORITHMS,
    HANDLE_BYTES,
    ROOT,
    Handle,
    KeyRing,
    KeySpec,
    Policy,
)
from strongroom.services.crypto.records import Purpose
from tests.services.crypto.ring_world import (
    NOW,
    PURPOSES,
    MakeRing,
    Use,
    first_of,
    outside,
    uses,
)


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
@pytest.mark.parametrize(("made", "used"), [*product(PURPOSES, PURPOSES)])
def test_a_key_serves_its_purpose_and_no_other(
    make_ring: MakeRing, suite_id: str, made: Purpose, used: Purpose
) -> None:
    ring = make_ring(suite_id)
    handle = ring.generate(made, first_of(suite_id, made), "k")
    if made == used:
        assert uses(suite_id)[used](ring, handle)
        return
    with pytest.raises(Refused) as caught:
        uses(suite_id)[used](ring, handle)
    finding = caught.value.findings[0]
    assert finding.rule == "crypto.purpose"
    assert finding.expected == f"a key made to {used}"
    assert f"made to {made}" in finding.got
    assert used in finding.remedy


def test_a_purpose_that_the_algorithm_does_not_serve(ring: KeyRing) -> None:
    with pytest.raises(Refused, match="encrypt or wrap") as caught:
        ring.generate("sign", "sm4-gcm", "k")
    assert caught.value.findings[0].rule == "crypto.algorithm-purpose"


def test_every_allowed_algorithm_and_purpose_makes_a_key(make_ring: MakeRing) -> None:
    for suite_id in ("sm", "intl"):
        ring = make_ring(suite_id, {"sm4-cbc": "test", "sm4-ctr": "test"})
        for name in ring.policy.allowed:
            row = ALGORITHMS[name]
            for purpose in row.purposes:
                info = ring.info(ring.generate(purpose, name, "k"))
                assert info.newest.origin == "generated"
                assert len(info.newest.public) == row.public_bytes
                derived = ring.derive(KeySpec(purpose, name, "k"))
                assert len(ring.info(derived).newest.public) == row.public_bytes


def test_what_is_known_of_a_key(ring: KeyRing) -> None:
    handle = ring.generate("sign", "sm2-sm3", "statements")
    info = ring.info(handle)
    assert info.spec == KeySpec("sign", "sm2-sm3", "statements", extractable=False)
    assert (info.id, len(info.id)) == (handle, 16)
    (version,) = info.versions
    assert (version.number, version.created) == (1, 1_750_000_000)
    assert ring.public(handle).raw == version.public
    assert ring.inventory() == (info,)


def test_a_symmetric_key_has_no_public_half(ring: KeyRing) -> None:
    with pytest.raises(Refused, match="public half"):
        ring.public(ring.generate("mac", "hmac-sm3", "k"))


@pytest.mark.parametrize("label", ["", "x" * 129, "new\nline", "\x00"])
def test_labels_that_no_log_could_show(ring: KeyRing, label: str) -> None:
    with pytest.raises(Malformed, match="label"):
        ring.generate("mac", "hmac-sm3", label)


@pytest.mark.parametrize("handle", [bytes(16), b""])
def test_unknown_handles(ring: KeyRing, handle: Handle) -> None:
    own: list[Use] = [KeyRing.rotate, KeyRing.shred, KeyRing.info, KeyRing.public]
    for use in (*uses("sm").values(), *own):
        with pytest.raises(NotFound):
            use(ring, handle)


def test_nothing_but_derivation_can_be_done_with_the_root(ring: KeyRing) -> None:
    for purpose, use in uses("sm").items():
        if purpose == "derive":
            assert use(ring, ROOT)
        else:
            with pytest.raises(NotFound):
                use(ring, ROOT)


def test_keys_from_outside_are_refused_or_marked(make_ring: MakeRing) -> None:
    spec = KeySpec("mac", "hmac-sm3", "old system")
    buffer = outside(bytes(32))
    with pytest.raises(Refused) as caught:
        make_ring().adopt(spec, buffer)
    assert caught.value.findings[0].rule == "crypto.import"
    with pytest.raises(Conflict):
        _ = buffer.view
    ring = make_ring(imports="migration")
    handle = ring.adopt(spec, outside(bytes(32)))
    assert ring.info(handle).newest.origin == "imported"
    assert ring.rotate(handle) == 2
    assert [each.origin for each in ring.info(handle).versions] == [
        "imported",
        "generated",
    ]


@pytest.mark.parametrize(
    ("purpose", "algorithm", "raw"),
    [
        pytest.param("mac", "hmac-sha256", bytes(31), id="short"),
        pytest.param("sign", "ecdsa-p256", bytes(32), id="zero"),
        pytest.param("sign", "ecdsa-p384", b"\xff" * 48, id="over the order"),
    ],
)
def test_bytes_that_are_no_key(
    make_ring: MakeRing, purpose: Purpose, algorithm: str, raw: bytes
) -> None:
    ring = make_ring("intl", imports="test")
    with pytest.raises(Malformed):
        ring.adopt(KeySpec(purpose, algorithm, "k"), outside(raw))
    assert ring.inventory() == ()


def test_a_suite_allows_its_own_and_nothing_else(make_ring: MakeRing) -> None:
    for suite_id in ("sm", "intl"):
        ring = make_ring(suite_id)
        for name, row in ALGORITHMS.items():
            if row.suite == suite_id and row.by_default:
                ring.generate(row.purposes[0], name, "k")
                continue
            with pytest.raises(Refused) as caught:
                ring.generate(row.purposes[0], name, "k")
            assert caught.value.findings[0].rule == "crypto.algorithm"


def test_others_are_allowed_by_name_and_reason(make_ring: MakeRing) -> None:
    ring = make_ring("sm", {"ed25519": "releases are signed for people abroad"})
    assert crypto.sign(ring, ring.generate("sign", "ed25519", "k"), b"data")
    with pytest.raises(Malformed, match="say why"):
        Policy("sm", {"ed25519": " "})
    with pytest.raises(Malformed, match="no algorithm"):
        Policy("sm", {"rot13": "fast"})
    with pytest.raises(Malformed, match="no suite"):
        Policy("rc4")
    with pytest.raises(Malformed, match="no algorithm"):
        ring.generate("sign", "rot13", "k")


def test_a_policy_does_not_change_with_the_callers_map() -> None:
    also = {"ed25519": "reason"}
    policy = Policy("sm", also)
    also["x25519"] = "slipped in"
    assert "x25519" not in policy.allowed
    assert "ed25519" in policy.allowed


class Broken:
    """A generator that has failed its health tests."""

    def bytes(self, n: int) -> bytes:
        """Refuse."""
        message = f"no {n} bytes"
        raise Unavailable(message)

    def fill(self, secret: SecretBuffer) -> None:
        """Refuse."""
        self.bytes(len(secret))


def test_no_key_without_random_numbers(root: SecretBuffer) -> None:
    ring = KeyRing(root, Policy("sm"), clock=int, entropy=Broken())
    with pytest.raises(Unavailable):
        ring.generate("mac", "hmac-sm3", "k")
    assert ring.inventory() == ()


def test_nothing_shows_a_key(make_ring: MakeRing) -> None:
    """Neither records nor errors nor what lies on the heap as text hold key bytes."""
    ring = make_ring(imports="a planted key")
    planted = bytes.fromhex("5ec7e75ec7e75ec7e75ec7e75ec7e75e")
    handle = ring.adopt(
        KeySpec("encrypt", "sm4-gcm", "k", extractable=True), outside(planted)
    )
    wrapper = ring.generate("wrap", "sm4-gcm", "w")
    shown = [
        ring.info(handle).to_bytes(),
        crypto.encrypt(ring, handle, b"data"),
        crypto.wrap(ring, wrapper, handle),
        ring.export(1),
        repr(ring.info(handle)).encode(),
        repr(ring.inventory()).encode(),
    ]
    try:
        crypto.sign(ring, handle, b"")
    except Refused as error:
        shown.append(repr((error, error.findings)).encode())
    for each in shown:
        assert planted not in each
        assert planted.hex().encode() not in each


def test_every_error_is_one_of_ours(ring: KeyRing) -> None:
    for bad in (b"", b"\xa0", b"\xff" * 40, bytes(100)):
        handle = ring.generate("encrypt", "sm4-gcm", "k")
        with pytest.raises(StrongroomError):
            crypto.decrypt(ring, handle, bad)


class Counted:
    """Entropy of the kernel; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def bytes(self, n: int) -> bytes:
        """Return random bytes."""
        self.asked += 1
        return os.urandom(n)

    def fill(self, secret: SecretBuffer) -> None:
        """Fill `secret`."""
        self.asked += 1
        secret.fill_random()


@pytest.mark.parametrize("algorithm", Policy("intl").allowed)
def test_a_key_and_its_handle_are_drawn_at_once(
    root: SecretBuffer, algorithm: str
) -> None:
    entropy = Counted()
    purpose = ALGORITHMS[algorithm].purposes[0]
    with KeyRing(root, Policy("intl"), clock=lambda: NOW, entropy=entropy) as ring:
        handles = {ring.generate(purpose, algorithm, "k") for _ in range(3)}
        assert entropy.asked == len(handles) == 3
        assert {len(each) for each in handles} == {HANDLE_BYTES}
