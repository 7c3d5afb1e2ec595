"""Measure a study's models, each in a process of its own, then build its report."""

from __future__ import annotations

import argparse
from pathlib import Path

from reports.build import build_document
from reports.studies import MeasureFailed, find_plan, run_plan
from reports.trainings import load_trainings

from .build import add_report, finish

DEFAULT_STUDY = "lightweight-vs-resnet18"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `study`."""
    parser.add_argument("name", nargs="?", default=DEFAULT_STUDY, help=f"default {DEFAULT_STUDY}")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the runs")
    add_report(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Measure and build; the exit code of a `measure` that failed."""
    plan = find_plan(arguments.name)
    trained = load_trainings(arguments.training)
    try:
        profiles = run_plan(plan, arguments.runs)
    except MeasureFailed as failure:  # `measure` has told why
        return failure.exit_code
    finish(build_document(profiles, trained=trained, title=plan.title), arguments.out)
    return 0
