"""Run a command and report the joules that this machine's sensors saw meanwhile.

The command keeps its stdin, stdout, stderr, signals and exit code; the report goes to stderr. With
--json the report is one JSON object on stdout, and the command's own stdout goes to stderr. Sensors
see whole devices: whatever else runs on them is in the number too, as it is on the bill.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import StoreError, UsageError

from .options import add_carbon, add_codecarbon, add_sensors, chosen_codecarbon

if TYPE_CHECKING:
    from profiler.values.profile import Profile

NOT_EXECUTABLE, NOT_FOUND = 126, 127


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD ...")
    add_carbon(parser)
    add_codecarbon(parser)
    add = parser.add_argument
    add_sensors(parser)
    add("--name", metavar="NAME", help="name of the run (default: the command's)")
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="where the run is written")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")
    add("--quiet", action="store_true", help="no report; the run is written all the same")


def execute(arguments: argparse.Namespace) -> int:
    """Run, report, and pass the exit code on."""
    from profiler.machine.carbon import carbon_factors
    from profiler.measurement.command import StartFailure, run_command

    words = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not words:
        raise UsageError(
            "no command was given", hint="put it after two dashes: wattprof run -- python train.py"
        )
    carbon = carbon_factors(
        country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
    )
    codecarbon = chosen_codecarbon(arguments)
    name = arguments.name or Path(words[0]).name
    path, journal = _prepare(arguments.out, name)
    try:
        with _live_line(arguments.quiet or arguments.json) as live:
            outcome = run_command(
                words,
                name=name,
                carbon=carbon,
                journal=journal,
                stdout=sys.stderr if arguments.json else None,
                live=live,
                codecarbon=codecarbon,
            )
    except StartFailure as failure:
        _discard(journal)
        print(f"error: {failure.message}", file=sys.stderr)
        return NOT_FOUND if failure.missing else NOT_EXECUTABLE
    _report(arguments, outcome.profile, _store(outcome.profile, path, journal))
    return outcome.exit_code


def _prepare(root: Path, name: str) -> tuple[Path | None, Path | None]:
    """Where the run and its journal go; nowhere, with a warning, if nothing can be written.

    The command matters more than its record: it is run in any case.
    """
    from profiler.files import PARTIAL_SUFFIX
    from profiler.recording.journal import JOURNAL_FILE
    from profiler.store import new_run_path

    path = new_run_path(root, name)
    folder = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        folder.mkdir(parents=True)
        (folder / JOURNAL_FILE).touch()
        (folder / JOURNAL_FILE).unlink()
    except OSError as error:
        print(
            f"warning: nothing will be stored: {root} cannot be written ({error.strerror})\n"
            "hint: name a folder of yours with --out",
            file=sys.stderr,
        )
        return None, None
    return path, folder / JOURNAL_FILE


def _discard(journal: Path | None) -> None:
    if journal is not None:
        shutil.rmtree(journal.parent, ignore_errors=True)


def _store(profile: Profile, path: Path | None, journal: Path | None) -> Path | None:
    """Write the run and return where it is; None where that fails.

    The journal stays then, and the command's exit code does too.
    """
    from profiler.store import save

    if path is None:
        return None
    try:
        save(profile, path)
    except StoreError as error:
        print(f"warning: the run is not stored: {error}", file=sys.stderr)
        return None
    _discard(journal)
    return path


def _report(arguments: argparse.Namespace, profile: Profile, path: Path | None) -> None:
    from profiler.values.codec import profile_document

    if arguments.json:
        document = profile_document(profile)
        print(json.dumps({"schema_version": profile.schema_version, "profiles": [document]}))
        if path is not None and not arguments.quiet:
            print(f"stored in {path}", file=sys.stderr)
    elif not arguments.quiet:
        from profiler.cli.screen import render_brief

        stored = [] if path is None else [str(path)]
        sys.stderr.write(render_brief([profile], stored))


@contextmanager
def _live_line(quiet: bool) -> Iterator[Callable[[float, float | None], None] | None]:
    """A line that is rewritten while the command runs: on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield None
        return

    def show(seconds: float, energy_j: float | None) -> None:
        joules = "no counter" if energy_j is None else f"{energy_j:,.0f} J so far"
        sys.stderr.write(f"\r\x1b[K[wattprof] {seconds:.1f} s, {joules}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
