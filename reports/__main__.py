"""`python -m reports claims|study|build`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from profiler.errors import ProfilerError, UsageError
from profiler.render import Column, Document, Section, Table
from profiler.render.formats import render_document
from profiler.store import load_all

from .build import build_document, shortened, write_report
from .claims import Study, load_claims
from .studies import MeasureFailed, find_plan, run_plan
from .trainings import load_trainings

DEFAULT_STUDY = "lightweight-vs-resnet18"
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is 0, or 1 after an error told on stderr."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except ProfilerError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except MeasureFailed as failure:
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    claims = verbs.add_parser("claims", help="what the source studies claim")
    claims.add_argument("--json", action="store_true", help="one JSON object on stdout")
    claims.set_defaults(run=_claims)
    study = verbs.add_parser("study", help="measure a study's models, then build its report")
    study.add_argument("name", nargs="?", default=DEFAULT_STUDY, help=f"default {DEFAULT_STUDY}")
    study.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the runs")
    _add_training(study)
    _add_out(study)
    study.set_defaults(run=_study)
    build = verbs.add_parser("build", help="a report of stored runs, beside the claims")
    build.add_argument("runs", nargs="*", metavar="RUN", help="folder or name of a run")
    _add_training(build)
    _add_out(build)
    build.set_defaults(run=_build)
    return parser


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--training",
        type=Path,
        nargs="+",
        default=(),
        metavar="DIR",
        help="folders of finished trainings; those that differ in their seed alone are brought "
        "together",
    )


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("report"), help="path without suffix: OUT.md and OUT.html"
    )


def _claims(arguments: argparse.Namespace) -> None:
    studies = load_claims()
    if arguments.json:
        listed = {"studies": [dataclasses.asdict(study) for study in studies]}
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    sections = tuple(_claims_section(study) for study in studies)
    document = Document(
        title="Claims", lead=("Every figure is quoted from its study.",), sections=sections
    )
    print(render_document(document, "text"), end="")


def _claims_section(study: Study) -> Section:
    columns = (
        Column(label="id", role="code"),
        Column(label="dataset"),
        Column(label="paper", role="number"),
        Column(label="how the study came to it"),
        Column(label="how it is measured here"),
    )
    rows = tuple(
        (claim.id, claim.dataset, claim.text(), claim.method, claim.here) for claim in study.claims
    )
    notes = dict.fromkeys(note for claim in study.claims for note in claim.notes)
    return Section(
        title=study.title,
        tables=(Table(caption="What it claims", columns=columns, rows=rows),),
        notes=tuple(f"{note.status.value}: {note.text}" for note in notes),
    )


def _study(arguments: argparse.Namespace) -> None:
    plan = find_plan(arguments.name)
    trained = load_trainings(arguments.training)
    profiles = run_plan(plan, arguments.runs)
    _finish(build_document(profiles, trained=trained, title=plan.title), arguments.out)


def _build(arguments: argparse.Namespace) -> None:
    if not arguments.runs and not arguments.training:
        raise UsageError(
            "there is nothing to build a report of",
            hint="name runs, or finished trainings with --training",
        )
    trained = load_trainings(arguments.training)
    profiles = [profile for run in arguments.runs for profile in load_all(run)]
    _finish(build_document(profiles, trained=trained), arguments.out)


def _finish(document: Document, stem: Path) -> None:
    written = write_report(document, stem)
    print(render_document(shortened(document), "text"), end="")
    print(f"wrote {' and '.join(str(path) for path in written)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
