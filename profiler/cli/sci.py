"""The Software Carbon Intensity of stored runs, ISO/IEC 21031: SCI = ((E x I) + M) / R.

E is gross energy, I the carbon intensity, R one item of the batch (or one call). M, embodied
emissions, is measured by nothing here: what is told is the score without it, a lower bound.
"""

from __future__ import annotations

import argparse
import json
import sys

from profiler.render.document import Column, Table
from profiler.render.formats.text import paragraph, table_text
from profiler.store import load_all
from profiler.values.codec import encode
from profiler.values.profile import SCHEMA_VERSION, Profile
from profiler.values.software_carbon import SoftwareCarbon, software_carbon
from profiler.values.units import NOT_SEEN, show


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sci`."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="as `report` takes them")
    parser.add_argument("--root", default="runs", metavar="DIR", help="where runs are looked for")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Print a row a profile."""
    profiles = [one for word in arguments.runs for one in load_all(word, arguments.root)]
    scores = [(profile, software_carbon(profile)) for profile in profiles]
    if arguments.json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "runs": [
                {"name": profile.name, "created_utc": profile.created_utc, "sci": encode(score)}
                for profile, score in scores
            ],
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    columns = (
        Column(label="run"),
        Column(label="R"),
        Column(label="E of R", role="number"),
        Column(label="I", role="number"),
        Column(label="SCI of R", role="number"),
        Column(label="basis", role="basis"),
    )
    table = Table(
        caption="Software Carbon Intensity, ((E x I) + M) / R",
        columns=columns,
        rows=tuple(_row(*entry) for entry in scores),
    )
    print(table_text(table))
    note = "M, embodied emissions, is not measured: each SCI is at least what is shown."
    print(f"\n{paragraph(note)}")
    return 0


def _row(profile: Profile, score: SoftwareCarbon | None) -> tuple[str, ...]:
    if score is None:
        return (profile.name, "", NOT_SEEN, "", NOT_SEEN, "")
    return (
        profile.name,
        score.functional_unit,
        show(score.energy_kwh),
        show(score.intensity_g_per_kwh),
        f"≥ {show(score.operational_g)}",
        score.operational_g.basis.value,
    )
