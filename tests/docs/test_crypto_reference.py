# SPDX-License-Identifier: Apache-2.0
"""docs/reference/crypto.md: its table is the literal one, its example runs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from strongroom.core.crypto import SUITES, SecretBuffer
from strongroom.services import crypto
from strongroom.services.crypto import ALGORITHMS, Policy
from strongroom.services.crypto.kinds import Agreement, Kdf

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "crypto.md"
BEGIN = "<!-- table: strongroom.services.crypto.ALGORITHMS -->\n"
END = "<!-- end of table -->"


def table() -> str:
    """Return the table as the page must have it."""
    lines = [
        "| name | suite | allowed | purpose | key | public | standard |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{row.name}` | `{row.suite}` | {'yes' if row.by_default else 'by name'} "
        f"| {', '.join(row.purposes)} | {row.key_bytes} | {row.public_bytes or '-'} "
        f"| {row.standard} |"
        for row in ALGORITHMS.values()
    ]
    return "\n".join(lines) + "\n"


def test_the_table_of_the_page_is_the_table_of_the_code() -> None:
    page = PAGE.read_text()
    written = page.partition(BEGIN)[2].partition(END)[0]
    assert written == table()


def test_every_function_is_on_the_page() -> None:
    page = PAGE.read_text()
    functions = [name for name in crypto.__all__ if name.islower()]
    assert [name for name in functions if f"`{name}`" not in page] == []


@pytest.mark.skipif(not SecretBuffer.supported(), reason="no memfd_secret here")
def test_the_example_runs() -> None:
    inside, alone = (
        each.partition("```")[0] for each in PAGE.read_text().split("```python\n")[1:]
    )
    assert "crypto.decrypt" in alone
    exec(compile(alone, str(PAGE), "exec"), {})  # noqa: S102 - our own page
    use = "agreed = agree(services, one.hex(), public_half(services, two.hex()))"
    with SecretBuffer(32) as root:
        ring = crypto.KeyRing(root, crypto.Policy("intl"), clock=int)
        one, two = (ring.generate("agree", "x25519", "k") for _ in range(2))
        app: dict[str, object] = {"one": one, "two": two}
        app["services"] = SimpleNamespace(keys=ring)
        exec(compile(inside + use, str(PAGE), "exec"), app)  # noqa: S102 - our own page
        letters = bytes.fromhex(str(app["agreed"]))
        sealed = crypto.encrypt(ring, letters, b"dear alice")
        assert crypto.decrypt(ring, letters, sealed) == b"dear alice"
        ring.close()


@pytest.mark.parametrize("suite_id", list(SUITES))
def test_a_suite_allows_its_own_algorithms_and_no_legacy(suite_id: str) -> None:
    expected = {
        name
        for name, row in ALGORITHMS.items()
        if row.suite == suite_id and name not in {"sm4-cbc", "sm4-ctr"}
    }
    assert set(Policy(suite_id).allowed) == expected
    served = {purpose for name in expected for purpose in ALGORITHMS[name].purposes}
    assert served == {"encrypt", "sign", "mac", "derive", "wrap", "agree"}


def test_what_is_agreed_on_is_to_derive_from_in_the_same_suite() -> None:
    for row in ALGORITHMS.values():
        if isinstance(row, Agreement):
            gives = ALGORITHMS[row.gives]
            assert isinstance(gives, Kdf)
            assert gives.suite == row.suite
