"""Run a study cell by cell, each in a process of its own, then build its report.

A cell that fails is a row with its reason, and the others go on. What is finished is not run
again: the same command goes on with a study that was interrupted. STUDY is a name or a TOML file
of your own. In the folder of a study lie its cells, report.md and report.html.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.cli.options import positive, whole_number
from profiler.cli.page import add_wide, page_width
from profiler.errors import ProfilerError, UsageError
from profiler.values.plain_text import clean
from profiler.values.units import show_duration
from profiler.version import __version__
from reports.engines import ENGINES
from reports.studies.plan import Changes, StudyPlan, changed, find_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.studies.cell import Cell, CellEnd
    from reports.studies.study_folder import StoredStudy, StudyDocument

DEFAULT_STUDY = "quick"
STUDIES = Path("studies")
INTERRUPTED = 130
MOST_NAMES = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `study`."""
    add = parser.add_argument
    add("study", nargs="?", default=DEFAULT_STUDY, metavar="STUDY", help="default: %(default)s")
    add("--out", type=Path, metavar="DIR", help=f"default: {STUDIES}/STUDY")
    add("--dry-run", action="store_true", help="print the cells and how long they may take")
    add("--only", action="append", default=[], metavar="PATTERN",
        help="only cells whose names fit (* and ?), and what they need; repeatable")  # fmt: skip
    add("--device", metavar="D", help="in the place of the study's own")
    add("--data", metavar="SOURCE", help="images in the place of the study's own")
    add("--epochs", type=whole_number("--epochs", 1), metavar="N", help="of every training")
    add("--seeds", type=whole_number("--seeds", 1, 1000), metavar="N", help="seeds 0 to N - 1")
    add(
        "--max-seconds",
        type=positive("--max-seconds"),
        metavar="S",
        help="budget of every measurement",
    )
    add("--minutes", type=positive("--minutes"), metavar="N",
        help="for all of it: no cell begins that is not expected to end in them")  # fmt: skip
    add("--engine", choices=tuple(ENGINES), default="local", help="default: %(default)s")
    add("--address", metavar="A", help="of a running Ray cluster (default: one of this machine)")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")
    add("--again", action="store_true", help="measure again what other work disturbed")
    add("--quiet", action="store_true", help="nothing on stderr but failures")
    add_wide(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run what is not finished, and tell what came of it."""
    from reports.studies.grid_cells import cells_of, only

    if arguments.address is not None and arguments.engine != "ray":
        raise UsageError("--address is that of a Ray cluster", hint="add --engine ray")
    changes = Changes(
        device=arguments.device,
        data=arguments.data,
        epochs=arguments.epochs,
        seed_count=arguments.seeds,
        max_seconds=arguments.max_seconds,
    )
    plan = changed(find_plan(arguments.study), changes)
    cells = cells_of(plan, _device_of)
    chosen = only(cells, arguments.only)
    folder = arguments.out or STUDIES / plan.id
    if arguments.dry_run:
        return _tell_cells(arguments, folder, chosen)
    return _run(arguments, folder, _planned(plan, cells), chosen)


def _planned(plan: StudyPlan, cells: tuple[Cell, ...]) -> StudyDocument:
    from reports.engines.job import utc_now
    from reports.studies.study_folder import StudyDocument

    return StudyDocument(
        id=plan.id,
        title=plan.title,
        paper=plan.paper,
        created_utc=utc_now(),
        version=__version__,
        cells=cells,
    )


def _device_of(word: str) -> str:
    """What "auto" stands for here; every other word says it itself."""
    if word != "auto":
        return "cuda:0" if word == "cuda" else word
    from profiler.machine.device import find_device

    return find_device(word).name


def _run(
    arguments: argparse.Namespace, folder: Path, planned: StudyDocument, cells: tuple[Cell, ...]
) -> int:
    from reports.studies.study_folder import is_study, locked, read_study, write_study

    _check_own(folder, planned.id)
    with locked(folder):
        if is_study(folder):
            begun_utc = read_study(folder).document.created_utc
            planned = replace(planned, created_utc=begun_utc)
        write_study(folder, planned)
        if arguments.again:
            before = read_study(folder)
            for cell in _contended(before, cells):
                before.forget(cell)
        again = shlex.join(_command(arguments))
        try:
            ends = _conduct(arguments, folder, cells)
        except KeyboardInterrupt:
            done = len(read_study(folder).ends)
            text = f"interrupted; {done} cells are kept in {folder}, go on with `{again}`"
            print(clean(text), file=sys.stderr)
            return INTERRUPTED
        failed = [name for name, end in ends.items() if end.state == "failed"]
        unbegun = sum(end.state == "not begun" for end in ends.values())
        study = read_study(folder)
        _report(arguments, study)
        if not arguments.quiet:
            _tell_contended(_contended(study, cells), again)
    if failed:
        raise ProfilerError(
            f"{len(failed)} of {len(cells)} cells failed", hint=f"`{again}` tries them again"
        )
    if unbegun:
        text = f"{unbegun} of {len(cells)} cells were not begun; go on with `{again}`"
        print(clean(text), file=sys.stderr)
    return 0


def _contended(study: StoredStudy, cells: tuple[Cell, ...]) -> list[Cell]:
    """The finished measurements that other work disturbed most of the time."""
    from profiler.comparison.run_to_run import was_contended

    return [cell for cell in cells if any(was_contended(run) for _, run in study.runs_of(cell))]


def _tell_contended(cells: Sequence[Cell], again: str) -> None:
    """Say how to get the ratios that there are none of, as a finished cell is not run again."""
    if cells:
        rest = len(cells) - MOST_NAMES
        named = ", ".join(cell.name for cell in cells[:MOST_NAMES])
        text = (
            f"other work disturbed {named}{f' and {rest} more' if rest > 0 else ''}: no ratio of "
            f"them is told; where it has ended, `{again} --again` measures them again"
        )
        print(clean(text), file=sys.stderr)


def _command(arguments: argparse.Namespace) -> list[str]:
    """The command line that goes on with what this one began."""
    words = ["python", "-m", "reports", "study", arguments.study]
    for pattern in arguments.only:
        words += ["--only", pattern]
    for name in ("out", "device", "data", "epochs", "seeds", "max_seconds", "minutes", "address"):
        value = getattr(arguments, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words if arguments.engine == "local" else [*words, "--engine", arguments.engine]


def _check_own(folder: Path, study_id: str) -> None:
    """Refuse a folder that holds another study, or something else."""
    from reports.studies.study_folder import is_study, read_study

    hint = "give another folder with --out"
    if is_study(folder):
        other = read_study(folder).document.id
        if other != study_id:
            raise UsageError(
                f"'{clean(str(folder))}' holds the study '{clean(other)}', not '{study_id}'",
                hint=hint,
            )
    elif folder.is_dir() and any(path.name[0] != "." for path in folder.iterdir()):
        raise UsageError(f"there is something in '{clean(str(folder))}' already", hint=hint)


def _conduct(
    arguments: argparse.Namespace, folder: Path, cells: tuple[Cell, ...]
) -> Mapping[str, CellEnd]:
    from reports.studies.conductor import Conductor
    from reports.studies.results import result_text
    from reports.studies.study_folder import past_of, read_study
    from reports.studies.time_left import TimeLeft
    from reports.studies.view import choose_watch

    past, minutes = past_of(folder), arguments.minutes
    engine = ENGINES[arguments.engine](
        tuple(dict.fromkeys(cell.device for cell in cells)), arguments.address
    )
    watch = choose_watch(
        lambda cell: result_text(read_study(folder), cell), past, quiet=arguments.quiet
    )
    time_left = None if minutes is None else TimeLeft(60 * minutes, past)
    try:
        return Conductor(folder, cells, engine, arguments.engine, watch, time_left).run()
    finally:
        watch.close()


def _report(arguments: argparse.Namespace, study: StoredStudy) -> None:
    """Write the report; print its short form, or the study as JSON."""
    from profiler.cli.report_output import COUNTRIES, intensities
    from profiler.values.codec import encode
    from reports.build import document_of, shortened, write_report
    from reports.material import gather
    from reports.studies.study_folder import SCHEMA_VERSION

    material = gather([str(study.folder)], with_traces=True)
    document = document_of(material, intensities=intensities(COUNTRIES))
    written = write_report(document, study.folder / "report")
    if arguments.json:
        told = {"study": encode(study.document), "ends": encode(study.ends)}
        print(json.dumps({"schema_version": SCHEMA_VERSION, **told}))
    else:
        from profiler.render.formats.text import render

        print(render(shortened(document), page_width(is_wide=arguments.wide)), end="")
    if not arguments.quiet:
        print(f"wrote {' and '.join(str(path) for path in written)}", file=sys.stderr)


def _tell_cells(arguments: argparse.Namespace, folder: Path, cells: tuple[Cell, ...]) -> int:
    """Print the cells, what of them is finished, and how long the rest may take."""
    from profiler.render.document import Column, Table
    from profiler.render.formats.text import table_text
    from profiler.values.codec import encode
    from reports.studies.cell import CellState
    from reports.studies.expected_time import expected_s, whole_s
    from reports.studies.study_folder import past_of, read_ends
    from reports.studies.view import left_text

    past = past_of(folder)
    ends = read_ends(folder, cells)
    done = {name for name, end in ends.items() if end.state is CellState.FINISHED}
    expected = {cell.name: expected_s(cell, past) for cell in cells}
    left = [cell for cell in cells if cell.name not in done]
    if arguments.json:
        listed = [
            {**encode(cell), "is_finished": cell.name in done, "expected_s": expected[cell.name]}
            for cell in cells
        ]
        print(json.dumps({"cells": listed}))
        return 0
    rows = tuple(
        (cell.name, "finished" if cell.name in done else _time(expected[cell.name]))
        for cell in cells
    )
    columns = (Column(label="cell", role="code"), Column(label="time", role="number"))
    print(table_text(Table(caption=f"{len(cells)} cells", columns=columns, rows=rows)))
    print(f"\n{left_text(*whole_s(left, past))}" if left else "\neverything is finished")
    return 0


def _time(seconds: float | None) -> str:
    return "not known" if seconds is None else f"about {show_duration(seconds)}"
