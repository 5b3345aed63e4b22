# SPDX-License-Identifier: Apache-2.0
"""Identities rest under a passphrase; the trusted list goes forward only (WL-1)."""

import os

import pytest

from strongroom.core.codec.signed import sign_record
from strongroom.errors import Malformed, Refused, Stale, Untrusted
from strongroom.management.keys import Identity, PublicIdentity
from strongroom.management.trusted_list import Member, TrustedList, open_trusted_list

SUITES = ("sm", "intl")


def identity(name: str, suite_id: str = "intl") -> Identity:
    return Identity.generate(name, suite_id, os.urandom)


@pytest.mark.parametrize("suite_id", SUITES)
def test_a_locked_identity_opens_with_its_passphrase_only(suite_id: str) -> None:
    made = identity("hospital-a", suite_id)
    data = made.lock(b"correct horse", os.urandom)
    opened = Identity.unlock(data, b"correct horse")
    assert opened.public == made.public
    with pytest.raises(Refused, match="passphrase"):
        Identity.unlock(data, b"wrong")


@pytest.mark.parametrize("suite_id", SUITES)
def test_both_keys_work_after_unlocking(suite_id: str) -> None:
    made = identity("bank", suite_id)
    opened = Identity.unlock(made.lock(b"p", os.urandom), b"p")
    made.public.verifying.verify(opened.signing.sign(b"word"), b"word")
    assert (
        opened.kem.open(made.public.recipient.seal(b"secret", b"i"), b"i") == b"secret"
    )


def test_the_id_covers_name_and_keys() -> None:
    first, second = identity("bank"), identity("bank")
    assert first.public.id != second.public.id
    renamed = PublicIdentity("other", "intl", first.public.sign, first.public.kem)
    assert renamed.id != first.public.id


def test_a_private_identity_does_not_show_its_seeds() -> None:
    assert "seed" not in repr(identity("bank"))


def listed(admin: Identity, version: int, *members: Member) -> bytes:
    return sign_record(admin.signing, TrustedList("intl", version, 1_000, members))


def test_a_list_older_than_one_seen_is_stale() -> None:
    admin = identity("admin")
    with pytest.raises(Stale, match="version 3"):
        open_trusted_list(listed(admin, 2), admin.public.verifying, newest_version=3)


def test_a_list_of_someone_else_is_untrusted() -> None:
    admin, other = identity("admin"), identity("other")
    with pytest.raises(Untrusted):
        open_trusted_list(listed(other, 1), admin.public.verifying)


def test_whoever_is_not_listed_or_has_another_role_is_refused() -> None:
    admin, bank = identity("admin"), identity("bank")
    data = listed(admin, 1, Member(bank.public, ("data",)))
    trusted = open_trusted_list(data, admin.public.verifying)
    assert trusted.require(bank.public.id, "data") == bank.public
    with pytest.raises(Refused, match=r"trusted-list\.role"):
        trusted.require(bank.public.id, "result")
    with pytest.raises(Refused, match=r"trusted-list\.member"):
        trusted.require(admin.public.id)


def test_two_parties_may_not_share_a_name() -> None:
    members = (Member(identity("a").public, ()), Member(identity("a").public, ()))
    with pytest.raises(Malformed):
        TrustedList("intl", 1, 0, members)
