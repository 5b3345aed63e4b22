# SPDX-License-Identifier: Apache-2.0
"""`strongroom rng`: the statistical battery over a random generator."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.arguments import usage_error
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.extras import needs
from strongroom.cli.output import Block, Grid, Line
from strongroom.cli.words import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.client.randomness.check import Plan, Report
    from strongroom.client.randomness.judgement import Row
    from strongroom.client.randomness.sources import Source

STANDARDS = ("GB/T 32915-2016", "GM/T 0005-2021")
QUICK, FULL = 20, 1000
_TITLES = {
    "": "",
    "monobit frequency": "Monobit frequency",
    "block frequency": "Frequency in a block",
    "poker": "Poker",
    "serial": "Overlapping patterns",
    "runs": "Number of runs",
    "runs distribution": "Distribution of runs",
    "longest run": "Longest run in a block",
    "binary derivative": "Binary derivative",
    "autocorrelation": "Autocorrelation",
    "matrix rank": "Rank of matrices",
    "cumulative sums": "Cumulative sums",
    "approximate entropy": "Approximate entropy",
    "linear complexity": "Linear complexity",
    "universal": "Maurer's universal test",
    "discrete Fourier": "Discrete Fourier",
    "first": "first value",
    "second": "second value",
    "ones": "of ones",
    "zeros": "of zeros",
    "forward": "forward",
    "backward": "backward",
}
"""What people see for the names in a label."""
_LEAST, _MOST = 1_000_000, 99_999_992
group, attach = noun("The random generator of this machine: test its output.")


@command(group, "check")
def check(
    desk: Desk,
    *,
    source: Annotated[
        str,
        typer.Option(
            help="What is tested: kernel, strongroom (the kernel's under our health "
            "tests), - for standard input, or a file."
        ),
    ] = "kernel",
    samples: Annotated[
        int | None, typer.Option(min=1, help="Samples in a round; 20 if not given.")
    ] = None,
    bits: Annotated[
        int,
        typer.Option(min=_LEAST, max=_MOST, help="Bits in a sample, a multiple of 8."),
    ] = _LEAST,
    full: Annotated[
        bool, typer.Option("--full", help="As many samples as the standard asks: 1000.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core if not given.")
    ] = None,
) -> None:
    """Run the 15 tests of GB/T 32915-2016; exit with 1 where they fail twice."""
    with needs("apps"):
        from strongroom.client.randomness.check import Plan, check  # noqa: PLC0415
        from strongroom.client.randomness.sources import open_source  # noqa: PLC0415

    plan = Plan(_samples(samples, full=full), _whole_bytes(bits), jobs or _cores())
    size = plan.samples * plan.sample_bytes
    with open_source(source) as opened:
        with desk.printer.progress("Testing", size) as told:
            report = check(opened, plan, told)
        desk.printer.show(_value(opened, plan, report), *_blocks(opened, plan, report))
    if report.failed:
        raise typer.Exit(1)


def _samples(given: int | None, *, full: bool) -> int:
    if full and given is not None:
        raise usage_error(say("--full and --samples both say how many samples"))
    return FULL if full else given or QUICK


def _whole_bytes(bits: int) -> int:
    if bits % 8:
        raise usage_error(say("--bits must be a multiple of 8"))
    return bits


def _cores() -> int:
    return os.cpu_count() or 1


def _value(source: "Source", plan: "Plan", report: "Report") -> dict[str, object]:
    from strongroom.client.randomness.judgement import false_alarm  # noqa: PLC0415

    return {
        "standards": STANDARDS,
        "source": source.name,
        "grade": source.grade,
        "samples": plan.samples,
        "bits": plan.bits,
        "rounds": [[_row_value(row) for row in rows] for rows in report.rounds],
        "false_alarm": dict(
            zip(("one round", "both rounds"), false_alarm(plan.samples), strict=True)
        ),
        "failed": [vars(label) for label in report.failed],
        "verdict": "failed" if report.failed else "passed",
    }


def _row_value(row: "Row") -> dict[str, object]:
    return {
        **vars(row.label),
        "passed": row.passed,
        "needed": row.needed,
        "uniformity": row.uniformity,
        "ok": row.ok,
    }


def _blocks(source: "Source", plan: "Plan", report: "Report") -> "list[Block]":
    text = (
        "{standard}, {source}, grade {grade}: {samples} samples of {bits} bits a round"
    )
    head = say(
        text,
        standard=STANDARDS[0],
        source=source.name,
        grade=source.grade or say("not known"),
        samples=plan.samples,
        bits=plan.bits,
    )
    grids = [_grid(number, rows) for number, rows in enumerate(report.rounds, 1)]
    return [Line(head), *grids, *_verdict(plan, report)]


def _grid(number: int, rows: "Sequence[Row]") -> Grid:
    columns = ("test", "parameter", "passed", "needed", "uniformity", "verdict")
    return Grid(say("Round {number}", number=number), columns, [*map(_line, rows)])


def _line(row: "Row") -> tuple[object, ...]:
    label = row.label
    parts = (label.parameter, say(_TITLES[label.part]))
    return (
        say(_TITLES[label.test]),
        " ".join(filter(None, parts)),
        row.passed,
        row.needed,
        f"{row.uniformity:.4f}",
        say("pass") if row.ok else say("fail"),
    )


def _verdict(plan: "Plan", report: "Report") -> "Iterator[Line]":
    from strongroom.client.randomness.judgement import false_alarm  # noqa: PLC0415

    if not report.failed:
        text = "No defect was found. That says nothing of entropy."
        yield Line(say(text), "green")
    elif len(report.rounds) == 1:
        text = "Failed, in the only round: the source has no bits for a second one."
        yield Line(say(text), "red")
    else:
        text = "Failed: the same rows in both rounds."
        yield Line(say(text), "red")
    once, twice = (f"{p:.2%}" for p in false_alarm(plan.samples))
    text = (
        "A sound generator fails one round in {once} of all cases or fewer, "
        "the same row of two rounds in {twice} or fewer."
    )
    yield Line(say(text, once=once, twice=twice))
