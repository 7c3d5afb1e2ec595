"""Render stored runs as Markdown, HTML, CSV, JSON, LaTeX tables or text."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from profiler.files import write_whole_file
from profiler.render.formats import RENDERERS, render_profiles
from profiler.store import load_all


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `report`."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run's folder, a folder of runs, a JSON file, or a part of a run's name",
    )
    parser.add_argument(
        "--format", choices=tuple(RENDERERS), default="md", help="default: %(default)s"
    )
    parser.add_argument("--title", help="heading of the report")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here, not to stdout")
    parser.add_argument("--root", default="runs", metavar="DIR", help="where runs are looked for")
    parser.add_argument("--quiet", action="store_true", help="do not say what was written")


def execute(arguments: argparse.Namespace) -> int:
    """Print or write the report."""
    profiles = [
        profile for reference in arguments.runs for profile in load_all(reference, arguments.root)
    ]
    text = render_profiles(profiles, arguments.format, title=arguments.title)
    if arguments.out is None:
        sys.stdout.write(text)
        return 0
    write_whole_file(arguments.out, text)
    if not arguments.quiet:
        print(f"wrote {arguments.out}", file=sys.stderr)
    return 0
