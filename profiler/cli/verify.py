"""Recompute every joule of stored runs from their raw readings, and compare their sources.

A folder that ends in .partial, left by a run that was killed, is read up to the last second that
its journal holds. Exit code 0 where all that is stored follows from the readings, 1 where not. A
run that an older estimator stored is told apart: it holds where old and new number lie inside each
other's interval.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.render.document import Column, Section, Table
from profiler.render.formats.text import section_blocks
from profiler.values.plain_text import clean
from profiler.values.units import show

if TYPE_CHECKING:
    from profiler.measurement.verification import Verification
    from profiler.values.profile import Profile


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `verify`."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run's folder, a folder of runs, or a part of a run's name",
    )
    parser.add_argument("--root", default="runs", metavar="DIR", help="where runs are looked for")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Verify each profile that the references stand for."""
    from profiler.measurement.verification import verify
    from profiler.recording.journal import JOURNAL_FILE
    from profiler.store import load_all

    journals = [Path(run) / JOURNAL_FILE for run in arguments.runs]
    cut_short = [journal for journal in journals if journal.is_file()]
    if cut_short and len(journals) > 1:
        raise UsageError(
            f"'{clean(str(cut_short[0].parent))}' was cut short, and holds no result to compare",
            hint="verify it alone",
        )
    if cut_short:
        return _recovered(cut_short[0], arguments.json)
    verified = [
        (profile, verify(profile))
        for reference in arguments.runs
        for profile in load_all(reference, arguments.root, with_traces=True)
    ]
    holds = all(verification.holds for _, verification in verified)
    if arguments.json:
        runs = [_document(profile, verification) for profile, verification in verified]
        print(json.dumps({"holds": holds, "runs": runs}))
    else:
        for profile, verification in verified:
            sys.stdout.write(_text(profile, verification))
    return 0 if holds else 1


def _document(profile: Profile, verification: Verification) -> dict[str, Any]:
    from profiler.values.codec import encode

    return {
        "name": profile.name,
        "created_utc": profile.created_utc,
        "holds": verification.holds,
        "checks": [
            {**encode(check), "agrees": check.agrees, "verdict": check.verdict}
            for check in verification.checks
        ],
        "sources": [encode(source) for source in verification.sources],
        "findings": [asdict(finding) for finding in verification.findings],
    }


def _text(profile: Profile, verification: Verification) -> str:
    checks = Table(
        caption="Stored beside recomputed",
        columns=_columns("number", "stored", "recomputed", "verdict"),
        rows=tuple(
            (
                check.name,
                show(check.stored),
                show(check.recomputed),
                check.verdict,
            )
            for check in verification.checks
        ),
    )
    sources = Table(
        caption="The timed windows together, by each source alone",
        columns=_columns("device", "joules", "source"),
        rows=tuple(
            (source.device, show(source.energy_j), source.source) for source in verification.sources
        ),
    )
    verdict = "DOES NOT HOLD"
    if all(check.agrees for check in verification.checks):
        verdict = "every joule follows from the readings"
    elif verification.holds:
        verdict = "stored by an older estimator; what today's gives lies within the intervals"
    section = Section(
        title=f"{profile.name}, {profile.created_utc}: {verdict}",
        tables=(checks, sources),
        notes=tuple(finding.observed for finding in verification.findings),
    )
    return "\n\n".join(block for block in section_blocks(section) if block) + "\n"


def _columns(*labels: str) -> tuple[Column, ...]:
    return tuple(Column(label=label) for label in labels)


def _recovered(journal: Path, as_json: bool) -> int:
    """What a killed run had recorded: its windows, up to the last reading."""
    from profiler.inference import infer_energies
    from profiler.recording.journal import last_instant_s, recover
    from profiler.values.codec import encode

    traces, windows = recover(journal)
    now_s = last_instant_s(traces, windows)
    energies = infer_energies(traces, [(window,) for window in windows], windows, now_s=now_s)
    rows = []
    for window, energy in zip(windows, energies, strict=True):
        seconds = (now_s if window.end_s is None else window.end_s) - window.start_s
        rows.append((window.name, seconds, energy.energy_j))
    if as_json:
        recovered = [
            {"window": name, "duration_s": seconds, "energy_j": encode(energy_j)}
            for name, seconds, energy_j in rows
        ]
        print(json.dumps({"recovered": recovered}))
        return 0
    table = Table(
        caption="Up to the last reading before the process was killed",
        columns=_columns("window", "seconds", "joules"),
        rows=tuple((name, f"{seconds:.2f}", show(energy_j)) for name, seconds, energy_j in rows),
    )
    section = Section(title=f"Recovered from {journal.name}", tables=(table,))
    sys.stdout.write("\n\n".join(block for block in section_blocks(section) if block) + "\n")
    return 0
