"""What the source studies claim, each figure with its source and how it is measured here."""

from __future__ import annotations

import argparse
import dataclasses
import json

from profiler.render import Column, Document, Section, Table
from profiler.render.formats import render_document
from reports.claims.study import Study, load_claims


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `claims`."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Print the tables, or the JSON object."""
    studies = load_claims()
    if arguments.json:
        listed = {"studies": [dataclasses.asdict(study) for study in studies]}
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return 0
    document = Document(
        title="Claims",
        lead=("Every figure is quoted from its study.",),
        sections=tuple(map(_section, studies)),
    )
    print(render_document(document, "text"), end="")
    return 0


def _section(study: Study) -> Section:
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
