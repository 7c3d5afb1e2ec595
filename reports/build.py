"""Stored runs, trainings and claims to one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from profiler.files import write_whole_file
from profiler.render import Document
from profiler.render.document import Record, Section
from profiler.render.formats import render_document
from profiler.render.glossary import SEE
from profiler.render.report import BASIS_LEGEND, GLANCE, UNIT_LEGEND, tell
from profiler.values.estimate import Estimate
from profiler.values.profile import Profile
from reports.claims.study import load_claims
from reports.sections.break_even import break_even_section
from reports.sections.claims import claims_sections
from reports.sections.split import WHY, split_sections
from reports.sections.studies import NETWORKS, study_sections
from reports.sections.trainings import TRAININGS, trainings_sections

from .material import Gathered
from .trainings import TrainedModel, Training

FORMS = {"md": ".md", "html": ".html"}


def build_document(
    profiles: Sequence[Profile],
    *,
    trained: Sequence[TrainedModel] = (),
    title: str | None = None,
    paper: str | None = None,
    first: Sequence[Section] = (),
    run_ids: Sequence[str] = (),
    intensities: Mapping[str, Estimate] | None = None,
) -> Document:
    """The report of some profiles and trainings, with the claims of studies about their models.

    Args:
        profiles: what was measured; the first in a place is what the others are compared with.
        trained: what was trained.
        title: its heading; None for one made of what it is about.
        paper: id of the study whose claims alone are told; None for all that fit.
        first: sections before all others.
        run_ids: what the runs are called in the store, one a profile.
        intensities: g/kWh by country, for the same joules elsewhere.
    """
    models = {profile.workload.model for profile in profiles} | {each.model for each in trained}
    studies = [study for study in load_claims() if paper in (None, study.id)]
    if paper is None:
        studies = [s for s in studies if models & {claim.about for claim in s.claims}]
    examined = [_with_accuracy(profile, trained) for profile in profiles]
    pays = break_even_section(profiles, trained)
    sections: tuple[Section, ...] = (
        *first,
        *trainings_sections(trained, studies),
        *([] if pays is None else [pays]),
        *claims_sections(studies, profiles, trained),
        *split_sections(studies, profiles),
    )
    records = tuple(_records(trained))
    if profiles:
        told = tell(examined, title=title, extra=sections, run_ids=run_ids, intensities=intensities)
        return replace(told, records=records)
    names = dict.fromkeys(each.model for each in trained)
    return Document(
        title=title or f"Training of {' and '.join(names)}",
        lead=(BASIS_LEGEND, UNIT_LEGEND),
        sections=sections,
        records=records,
    )


def _with_accuracy(profile: Profile, trained: Sequence[TrainedModel]) -> Profile:
    """A profile without an accuracy, with that of the only training of its model, if there is one.

    Joules do not depend on the weights; the source says whose accuracy it is.
    """
    models = [each for each in trained if each.model == profile.workload.model]
    if profile.accuracy is not None or len(models) != 1 or models[0].result.accuracy is None:
        return profile
    accuracy = models[0].result.accuracy
    source = f"training of the same model, {models[0].setting}: {accuracy.source}"
    data = models[0].runs[0].data
    return replace(profile, accuracy=replace(accuracy, source=source), accuracy_data=data)


def _records(trained: Sequence[TrainedModel]) -> Iterator[Record]:
    for model in trained:
        for training in model.runs:
            yield _record(training)


def _record(training: Training) -> Record:
    run, recipe = training.run, training.recipe
    return Record(
        run_id=run.folder,
        kind="training",
        facts={
            "name": run.model,
            "model": run.model,
            "device": training.device,
            "device_name": training.environment.device_name,
            "dtype": recipe.dtype,
            "batch_size": recipe.batch_size,
            "data": training.data,
            "seed": recipe.seed,
            "findings": "; ".join(finding.kind for finding in run.findings),
        },
        figures={
            "accuracy": run.accuracy,
            "energy_j": run.energy_j,
            "duration_s": training.duration_s,
            "images_per_joule": run.images_per_joule,
        },
    )


def document_of(
    material: Gathered,
    *,
    title: str | None = None,
    intensities: Mapping[str, Estimate] | None = None,
) -> Document:
    """The report of what was gathered; that of one study is under its title, and of its paper.

    Args:
        material: runs, trainings and studies.
        title: its heading; None for that of the only study, or one made of what it is about.
        intensities: g/kWh by country, for the same joules elsewhere.

    Raises:
        StoreError: what a cell of a study stored cannot be read.
    """
    only = material.studies[0].document if len(material.studies) == 1 else None
    return build_document(
        material.profiles,
        trained=material.trained,
        title=title or (None if only is None else only.title),
        paper=None if only is None else only.paper,
        first=[section for study in material.studies for section in study_sections(study)],
        run_ids=material.run_ids,
        intensities=intensities,
    )


def shortened(document: Document) -> Document:
    """What a terminal shows: the answers and what to know about them, not every figure.

    A study's table of networks holds what the glance shows.
    """
    last = max(
        (
            n
            for n, section in enumerate(document.sections)
            if section.title.startswith(("Beside", TRAININGS, WHY))
        ),
        default=0,
    )
    is_study = any(section.title == NETWORKS for section in document.sections)
    kept = tuple(
        replace(section, notes=tuple(note for note in section.notes if note != SEE))
        for section in document.sections[: last + 1]
        if not section.fold and not (is_study and section.title == GLANCE)
    )
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
