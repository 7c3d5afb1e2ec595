"""Render stored runs as a report: Markdown, HTML, CSV, JSON, text, or a LaTeX table for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from profiler.errors import StoreError
from profiler.render.report import tell
from profiler.store import load_named
from profiler.values.plain_text import clean
from profiler.values.profile import Profile

from .report_output import add_report_output, intensities, print_report

CHECKOUT = Path(__file__).resolve().parents[2]
NEIGHBOUR = "reports"
TRAINING_FILES = ("result.json", "recipe.json", "experiment.json", "study.json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `report`."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run's folder, a folder of runs, a JSON file, or a part of a run's name",
    )
    add_report_output(parser, form="md")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here, not to stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Print or write the report."""
    # Only a page has a figure of the raw readings.
    with_traces = arguments.format == "html"
    named = [
        run
        for reference in arguments.runs
        for run in _load(reference, arguments.root, with_traces=with_traces)
    ]
    document = tell(
        [profile for _, profile in named],
        title=arguments.title,
        run_ids=[name for name, _ in named],
        intensities=intensities(arguments.countries),
    )
    print_report(document, arguments)
    return 0


def _load(reference: str, root: str, *, with_traces: bool) -> tuple[tuple[str, Profile], ...]:
    try:
        return load_named(reference, root, with_traces=with_traces)
    except StoreError as error:
        if not any((Path(reference) / name).is_file() for name in TRAINING_FILES):
            raise
        raise StoreError(
            f"'{clean(reference)}' holds a training or a study, and this is a report of runs",
            hint=_where_to_go(reference),
        ) from error


def _where_to_go(reference: str) -> str:
    """The command that reads trainings, where the user has it: the wheel does not hold it."""
    if (CHECKOUT / NEIGHBOUR / "__main__.py").is_file():
        return f"python -m {NEIGHBOUR} build {clean(reference)}"
    return "the checkout that trained it makes reports of trainings"
