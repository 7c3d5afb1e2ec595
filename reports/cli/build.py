"""A report of stored runs and finished trainings, beside the claims of the studies."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from profiler.errors import UsageError
from profiler.render import Document
from profiler.render.formats import render_document
from profiler.store import load_all
from reports.build import build_document, shortened, write_report
from reports.trainings import load_trainings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `build`."""
    parser.add_argument("runs", nargs="*", metavar="RUN", help="folder or name of a run")
    add_report(parser)


def add_report(parser: argparse.ArgumentParser) -> None:
    """--training and --out."""
    parser.add_argument(
        "--training",
        type=Path,
        nargs="+",
        default=(),
        metavar="DIR",
        help="folders of finished trainings; those that differ in their seed alone are brought "
        "together",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("report"), help="path without suffix: OUT.md and OUT.html"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Build the report of what is named."""
    if not arguments.runs and not arguments.training:
        raise UsageError(
            "there is nothing to build a report of",
            hint="name runs, or finished trainings with --training",
        )
    trained = load_trainings(arguments.training)
    profiles = [profile for run in arguments.runs for profile in load_all(run)]
    finish(build_document(profiles, trained=trained), arguments.out)
    return 0


def finish(document: Document, stem: Path) -> None:
    """Write a report, and print its short form."""
    written = write_report(document, stem)
    print(render_document(shortened(document), "text"), end="")
    print(f"wrote {' and '.join(str(path) for path in written)}", file=sys.stderr)
