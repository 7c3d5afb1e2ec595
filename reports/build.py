"""Stored runs and claims to one report, in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from profiler.files import write_whole_file
from profiler.render import Document
from profiler.render.formats import render_document
from profiler.render.report import BASIS_LEGEND, UNIT_LEGEND, tell
from profiler.values.profile import Profile

from .claim_sections import claims_sections
from .claims import load_claims
from .training_section import TRAININGS, trainings_sections
from .trainings import TrainedModel

FORMS = {"md": ".md", "html": ".html"}


def build_document(
    profiles: Sequence[Profile],
    *,
    trained: Sequence[TrainedModel] = (),
    title: str | None = None,
) -> Document:
    """The report of some profiles and trainings, with the claims of studies about their models."""
    models = {profile.workload.model for profile in profiles} | {each.model for each in trained}
    studies = [study for study in load_claims() if models & {claim.about for claim in study.claims}]
    sections = (
        *trainings_sections(trained, studies),
        *claims_sections(studies, profiles, trained),
    )
    if profiles:
        return tell(profiles, title=title, extra=sections)
    names = dict.fromkeys(each.model for each in trained)
    return Document(
        title=title or f"Training of {' and '.join(names)}",
        lead=(BASIS_LEGEND, UNIT_LEGEND),
        sections=sections,
    )


def shortened(document: Document) -> Document:
    """What a terminal shows: the answers and what to know about them, not every figure."""
    last = max(
        (
            n
            for n, section in enumerate(document.sections)
            if section.title.startswith(("Beside", TRAININGS))
        ),
        default=0,
    )
    kept = document.sections[: last + 1]
    findings = tuple(section for section in document.sections if section.title == "Findings")
    return replace(document, sections=kept + findings)


def write_report(document: Document, stem: Path) -> list[Path]:
    """Write `stem.md` and `stem.html`, each whole or not at all.

    Raises:
        StoreError: one of them cannot be written.
    """
    return [
        write_whole_file(stem.with_name(stem.name + suffix), render_document(document, form))
        for form, suffix in FORMS.items()
    ]
