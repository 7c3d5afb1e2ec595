"""Where the joules of a run went: by phase and epoch, over all its segments and hosts.

It can be asked at any time. What a running or killed process had not settled yet is inferred from
its raw readings, so that at most the last seconds are missing.
"""

from __future__ import annotations

import argparse
import json
import sys

from .options import add_json
from .output_folders import find_run

SCHEMA_VERSION = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ledger`."""
    parser.add_argument(
        "run", metavar="RUN", help="a run's folder, or a part of its name below trainings/"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "csv"),
        default="text",
        help="csv is a row an epoch, as epochs.csv of a run that has ended (default: %(default)s)",
    )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Read and print."""
    from profiler.ledger import read_ledger
    from profiler.values.codec import encode

    folder = find_run(arguments.run)
    summary = read_ledger(folder)
    if arguments.json or arguments.format == "json":
        document = {
            "schema_version": SCHEMA_VERSION,
            "folder": encode(str(folder)),
            "projected_j": encode(summary.projected_j()),
            **encode(summary),
        }
        print(json.dumps(document, allow_nan=False, ensure_ascii=False))
        return 0
    if arguments.format == "csv":
        from profiler.ledger.epochs_csv import epochs_csv

        sys.stdout.write(epochs_csv(summary))
        return 0
    from profiler.ledger.table import render_ledger

    from .screens import render_epochs

    sys.stdout.write(render_ledger(summary, str(folder)) + render_epochs(summary))
    return 0
