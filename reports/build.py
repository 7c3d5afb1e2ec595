"""Stored runs and claims to one report, in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from profiler.files import write_whole_file
from profiler.render import Document, Section
from profiler.render.formats import render_document
from profiler.render.report import BASIS_LEGEND, UNIT_LEGEND, tell
from profiler.values.profile import Profile

from .claim_sections import claims_sections
from .claims import load_claims
from .split_section import WHY, split_sections
from .studies.results import evaluated_profiles, networks_of_study
from .studies.study_folder import StoredStudy
from .study_sections import study_sections
from .training_section import TRAININGS, trainings_sections
from .trainings import TrainedModel, load_trainings

FORMS = {"md": ".md", "html": ".html"}


def build_document(
    profiles: Sequence[Profile],
    *,
    trained: Sequence[TrainedModel] = (),
    title: str | None = None,
    paper: str | None = None,
    first: Sequence[Section] = (),
) -> Document:
    """The report of some profiles and trainings, with the claims of studies about their models.

    Args:
        profiles: what was measured.
        trained: what was trained.
        title: its heading; None for one made of what it is about.
        paper: id of the study whose claims alone are told; None for all that fit.
        first: sections before all others.
    """
    models = {profile.workload.model for profile in profiles} | {each.model for each in trained}
    studies = [study for study in load_claims() if paper in (None, study.id)]
    if paper is None:
        studies = [s for s in studies if models & {claim.about for claim in s.claims}]
    sections = (
        *first,
        *trainings_sections(trained, studies),
        *claims_sections(studies, profiles, trained),
        *split_sections(studies, profiles),
    )
    if profiles:
        return tell(profiles, title=title, extra=sections)
    names = dict.fromkeys(each.model for each in trained)
    return Document(
        title=title or f"Training of {' and '.join(names)}",
        lead=(BASIS_LEGEND, UNIT_LEGEND),
        sections=sections,
    )


def study_document(study: StoredStudy) -> Document:
    """The report of a study: its networks, the claims of its paper, and what failed.

    Raises:
        StoreError: what a cell stored cannot be read.
    """
    cells = study.document.cells
    profiles = [
        profile for network in networks_of_study(study) for profile in evaluated_profiles(network)
    ]
    folders = [folder for cell in cells if (folder := study.training_of(cell)) is not None]
    return build_document(
        profiles,
        trained=load_trainings(folders),
        title=study.document.title,
        paper=study.document.paper,
        first=study_sections(study),
    )


def shortened(document: Document) -> Document:
    """What a terminal shows: the answers and what to know about them, not every figure."""
    last = max(
        (
            n
            for n, section in enumerate(document.sections)
            if section.title.startswith(("Beside", TRAININGS, WHY))
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
