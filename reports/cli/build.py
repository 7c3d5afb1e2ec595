"""A report of any mix of runs, trainings, experiments and studies, beside the papers' claims.

Without --format it is written as Markdown and HTML, and its short form is printed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from profiler.cli.page import page_width
from profiler.cli.report_output import add_report_output, intensities, print_report
from profiler.errors import UsageError
from profiler.render import Document
from profiler.render.formats.text import render
from reports.build import document_of, shortened, write_report
from reports.material import gather

REPORT = Path("report")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `build`."""
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="FOLDER",
        help="of a run, a training, an experiment or a study, or one that holds such; or a part of "
        "a run's name",
    )
    add_report_output(parser, form=None)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help=f"the file of --format, not stdout; without --format, PATH.md and PATH.html (default: "
        f"{REPORT}.md and {REPORT}.html)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Build the report of what is named."""
    for flag in ("table", "columns", "baseline"):
        if arguments.format is None and getattr(arguments, flag) is not None:
            raise UsageError(
                f"--{flag} is of the table for a paper, which needs a format",
                hint="add --table joules --format latex",
            )
    with_traces = arguments.format in (None, "html")
    material = gather(arguments.folders, arguments.root, with_traces=with_traces)
    for folder in material.unfinished:
        print(f"left out {folder}: its training is not finished", file=sys.stderr)
    document = document_of(
        material, title=arguments.title, intensities=intensities(arguments.countries)
    )
    if arguments.format is not None:
        print_report(document, arguments)
    else:
        stem = arguments.out or REPORT
        finish(document, stem, is_wide=arguments.wide, is_quiet=arguments.quiet)
    return 0


def finish(document: Document, stem: Path, *, is_wide: bool, is_quiet: bool) -> None:
    """Write a report, and print its short form."""
    written = write_report(document, stem)
    sys.stdout.write(render(shortened(document), page_width(is_wide=is_wide)))
    if not is_quiet:
        print(f"wrote {' and '.join(str(path) for path in written)}", file=sys.stderr)
