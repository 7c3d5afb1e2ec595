"""Copy a study into a folder to be kept: reports, ends, runs with raw readings, ledgers.

Each run is verified first. Checkpoints go along where they are small enough.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from profiler.cli.options import number
from profiler.errors import UsageError
from profiler.values.plain_text import clean
from profiler.values.units import show_number

BYTES_OF_A_MB = 1e6


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `publish`."""
    add = parser.add_argument
    add("study", type=Path, metavar="STUDY", help="folder that `study` wrote")
    add("out", type=Path, metavar="DIR", help="a new folder, such as reports/results/NAME")
    add("--most-mb", type=number("--most-mb"), default=2.0, metavar="MB",
        help="no file is larger (default: %(default)g)")  # fmt: skip


def execute(arguments: argparse.Namespace) -> int:
    """Verify, copy, and tell what was copied."""
    from reports.publication import publish
    from reports.studies.study_folder import read_study

    if arguments.most_mb <= 0:
        raise UsageError(
            f"--most-mb {arguments.most_mb:g} is not possible", hint="give more than 0"
        )
    done = publish(
        read_study(arguments.study),
        arguments.out,
        most_bytes=round(arguments.most_mb * BYTES_OF_A_MB),
    )
    print(f"{done.files} files, {show_number(done.size_bytes, 'B')}, in {clean(str(done.folder))}")
    print(f"{len(done.verified)} runs were verified")
    for name, size_bytes in done.left_out.items():
        print(f"left out: {clean(name)}, {show_number(size_bytes, 'B')}")
    return 0
