# SPDX-License-Identifier: Apache-2.0
"""Storage and peers: what a manifest names is allowed, nothing else (RES-1)."""

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec.bundle import Manifest
from strongroom.core.codec.permits import allows_namespace, allows_peer
from strongroom.errors import Refused

MEASURED = bytes(range(32))
names = st.text(max_size=8)


def app(storage: tuple[str, ...] = (), peers: tuple[str, ...] = ()) -> Manifest:
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


def test_a_peer_is_named_by_measurement_or_by_product() -> None:
    allows_peer(app(peers=(MEASURED.hex(),)), MEASURED, "ledger")
    allows_peer(app(peers=("other", "ledger")), MEASURED, "ledger")


@pytest.mark.parametrize(
    "peers",
    [(), ("",), ("ledge",), (MEASURED.hex()[:16],), (bytes(32).hex(),), ("Ledger",)],
)
def test_another_peer_is_refused(peers: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refusal:
        allows_peer(app(peers=peers), MEASURED, "ledger")
    found = refusal.value.findings[0]
    assert found.rule == "resource.peer"
    assert "strongroom.toml" in found.remedy


def test_a_peer_without_a_name_is_not_let_in_by_an_empty_one() -> None:
    with pytest.raises(Refused):
        allows_peer(app(peers=("",)), MEASURED, "")
