# SPDX-License-Identifier: Apache-2.0
"""A root and rings under it, closed after each test."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType

import pytest

from strongroom.core.crypto import SecretBuffer
from strongroom.services.crypto import KeyRing, Policy
from tests.services.crypto.ring_world import NOW, MakeRing


@pytest.fixture(scope="session")
def root() -> Iterator[SecretBuffer]:
    """Give an app root key of fixed bytes, so that failures repeat."""
    if not SecretBuffer.supported():
        pytest.skip("no memfd_secret here: keys have nowhere to lie")
    with SecretBuffer(32) as buffer:
        buffer.view[:] = bytes(range(32))
        yield buffer


@pytest.fixture
def make_ring(root: SecretBuffer) -> Iterator[MakeRing]:
    """Return what makes a ring of a suite, with `also` and `imports` of its policy."""
    with ExitStack() as stack:

        def make(
            suite: str = "sm",
            also: Mapping[str, str] = MappingProxyType({}),
            imports: str = "",
        ) -> KeyRing:
            policy = Policy(suite, also, imports)
            return stack.enter_context(KeyRing(root, policy, clock=lambda: NOW))

        yield make


@pytest.fixture
def ring(make_ring: MakeRing) -> KeyRing:
    """Return a ring of the suite sm and nothing besides."""
    return make_ring()
