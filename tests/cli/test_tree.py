# SPDX-License-Identifier: Apache-2.0
"""The tree of commands: all have help in two languages, `--json`, and a reference."""

from pathlib import Path
from typing import get_args

import pytest

from strongroom.cli import arguments, reference, words
from strongroom.cli.app import tree
from strongroom.management.trusted_list import Role
from tests.cli.catalogue import commands, helps, texts
from tests.cli.line import Run

PATHS = [path for path, _ in commands(tree(), ())]
LEAVES = [p for p in PATHS if not any(q[: len(p)] == p and q != p for q in PATHS)]
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
EVERY_VALUE = "proposed active withdrawn expired exhausted waiting released done failed"


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_help(run: Run, path: tuple[str, ...], language: str) -> None:
    done = run("--lang", language, *path, "--help")
    assert done.code == 0
    assert not done.err
    assert f"strongroom {' '.join(path)}".strip() in done.out
    assert ("显示本帮助并退出" in done.out) == (language == "zh")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_json_even_for_a_wrong_command_line(run: Run, path: tuple[str, ...]) -> None:
    """`--json` stands anywhere, and what cannot be parsed is said in JSON too."""
    for line in (["--json", *path, "--no-such"], [*path, "--no-such", "--json"]):
        done = run(*line)
        assert done.code == 2
        assert done.value["error"] == "usage"
        assert not done.err


def test_reference_is_written_from_the_commands() -> None:
    page = REFERENCE.read_text("utf-8")
    assert page == reference.page(), "run python -m strongroom.cli.reference"
    for path in PATHS:
        assert f"`strongroom {' '.join(path)}".strip() in page


def test_every_text_is_in_the_catalogue() -> None:
    known = words.chinese()
    wanted = {text for text in (*helps(), *texts()) if text}
    assert wanted <= set(known), sorted(wanted - set(known))
    values = {*EVERY_VALUE.split(), "ok", "refused"}
    built_in = {"Show this message and exit.", "Options", "Arguments", "Commands"}
    assert values | built_in <= set(known)
    assert not set(known) - wanted - values - built_in, "no longer used"


def test_translations_keep_their_places() -> None:
    for english, chinese in words.chinese().items():
        for name in ("{name}", "{file}", "{who}", "{count}", "{folder}", "{option}"):
            assert (name in english) == (name in chinese), english


def test_roles_are_those_of_the_trusted_list() -> None:
    assert {each.value for each in arguments.RoleName} == set(get_args(Role))


def test_nothing_given_shows_help(run: Run) -> None:
    assert run().code == 2
    assert run("data").code == 2


def test_language_from_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "密封" in run("data", "--help").out
    assert "密封" not in run("--lang=en", "data", "--help").out
    monkeypatch.setenv("LC_ALL", "C")
    assert "密封" not in run("data", "--help").out
