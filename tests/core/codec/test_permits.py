# SPDX-License-Identifier: Apache-2.0
"""What a manifest names is allowed, nothing else: storage, peers, callers."""

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec.bundle import CallerList, Manifest
from strongroom.core.codec.permits import (
    ANYONE,
    HOST,
    Caller,
    allows_command,
    allows_namespace,
    allows_peer,
    products_of,
)
from strongroom.errors import Malformed, Refused

MEASURED = bytes(range(32))
names = st.text(max_size=8)


def app(
    storage: tuple[str, ...] = (),
    peers: tuple[str, ...] = (),
    callers: tuple[CallerList, ...] = (),
) -> Manifest:
    return Manifest(
        suite="intl",
        name="asker",
        svn=1,
        kind="service",
        memory_bytes=1 << 20,
        threads=1,
        processes=0,
        cpu_seconds=0,
        interfaces=(),
        storage=storage,
        peers=peers,
        entry_points=(),
        files=(),
        encrypted=False,
        callers=callers,
    )


@given(declared=st.lists(names, max_size=3), asked=names)
def test_a_namespace_is_allowed_if_and_only_if_it_is_named(
    declared: list[str], asked: str
) -> None:
    if asked in declared:
        allows_namespace(app(storage=tuple(declared)), asked)
        return
    with pytest.raises(Refused) as refusal:
        allows_namespace(app(storage=tuple(declared)), asked)
    assert refusal.value.findings[0].rule == "resource.storage"


@pytest.mark.parametrize("asked", ["journals", "journal/..", "Journal", "", "jour"])
def test_a_namespace_that_is_merely_like_it_is_refused(asked: str) -> None:
    with pytest.raises(Refused, match="declares: journal,"):
        allows_namespace(app(storage=("journal", "audit")), asked)


SIGNER, STRANGER = b"s" * 32, b"t" * 32
LEDGER = products_of("ledger", SIGNER, SIGNER)


def test_a_product_of_another_signer_is_named_with_it() -> None:
    theirs = products_of("ledger", STRANGER, SIGNER)
    allows_peer(app(peers=(f"ledger@{STRANGER.hex()}",)), MEASURED, theirs)
    allows_peer(app(peers=(f"ledger@{SIGNER.hex()}",)), MEASURED, LEDGER)
    for named in ("ledger", f"ledger@{SIGNER.hex()}", f"other@{STRANGER.hex()}"):
        with pytest.raises(Refused):
            allows_peer(app(peers=(named,)), MEASURED, theirs)


def test_a_peer_is_named_by_measurement_or_by_product() -> None:
    allows_peer(app(peers=(MEASURED.hex(),)), MEASURED, LEDGER)
    allows_peer(app(peers=("other", "ledger")), MEASURED, LEDGER)


@pytest.mark.parametrize(
    "peers",
    [(), ("",), ("ledge",), (MEASURED.hex()[:16],), (bytes(32).hex(),), ("Ledger",)],
)
def test_another_peer_is_refused(peers: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refusal:
        allows_peer(app(peers=peers), MEASURED, LEDGER)
    found = refusal.value.findings[0]
    assert found.rule == "resource.peer"
    assert "strongroom.toml" in found.remedy


def test_a_peer_without_a_name_is_not_let_in_by_an_empty_one() -> None:
    with pytest.raises(Refused):
        allows_peer(app(peers=("",)), MEASURED, ("",))


PARTY, HOLDER, ENCLAVE = (
    Caller("key", MEASURED),
    Caller("tls", MEASURED),
    Caller("app", MEASURED, ("vault", f"vault@{SIGNER.hex()}")),
)
EVERYONE = (HOST, ANYONE, PARTY, HOLDER, ENCLAVE)


def allowed(command: str, caller: Caller, lists: dict[str, tuple[str, ...]]) -> bool:
    rows = tuple(CallerList(name, lists[name]) for name in sorted(lists))
    try:
        allows_command(app(callers=rows), command, caller)
    except Refused as refusal:
        finding = refusal.findings[0]
        assert finding.rule == "command.caller"
        assert command in finding.expected
        assert finding.got == str(caller)
        return False
    return True


@pytest.mark.parametrize("caller", EVERYONE, ids=str)
def test_a_command_answers_those_on_its_list_and_nobody_else(caller: Caller) -> None:
    for name in caller.names:
        others = tuple(
            other for each in EVERYONE for other in each.names if each is not caller
        )
        assert allowed("open", caller, {"open": (name,)})
        assert not allowed("open", caller, {"open": ()})
        if caller is not ANYONE:
            listed = tuple(other for other in others if other != "anyone")
            assert not allowed("open", caller, {"open": listed})
        assert allowed("other", caller, {"open": ()})
        assert allowed("open", caller, {"open": ("anyone",), "*": ()})


@pytest.mark.parametrize("caller", EVERYONE, ids=str)
def test_a_star_stands_for_every_command_but_opening_a_channel(caller: Caller) -> None:
    assert not allowed("other", caller, {"*": ()})
    assert allowed("other", caller, {"*": (caller.names[0],)})
    assert allowed("open_channel", caller, {"*": ()})
    assert not allowed("open_channel", caller, {"open_channel": ()})


@pytest.mark.parametrize(
    "caller",
    ["", "key:", "key:00", "KEY:" + "0" * 64, "key:" + "A" * 64, "app:", "nobody"],
)
def test_a_caller_that_nobody_can_be_is_no_caller(caller: str) -> None:
    with pytest.raises(Malformed):
        CallerList("open", (caller,))


def test_two_lists_of_one_command_are_none() -> None:
    with pytest.raises(Malformed):
        app(callers=(CallerList("open", ()), CallerList("open", ("host",))))
