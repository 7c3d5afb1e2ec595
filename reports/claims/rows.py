"""Claims beside measurements: paper, here, ratio, basis and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from profiler.comparison.ratio import ratio_of
from profiler.comparison.run_to_run import was_contended
from profiler.comparison.verdicts import NOISY_UNITS, compare
from profiler.values.estimate import Basis, Estimate, quotient
from profiler.values.profile import Profile
from profiler.values.quantities import ACCURACY
from profiler.values.units import NOT_SEEN, show
from reports.trainings import TrainedModel, Training, dataset_of

from .metrics import (
    ACCURACY_PER_MAC,
    ENTRY_METRICS,
    METRICS,
    TRAINING_METRICS,
    best_entry,
)
from .study import CLASS_COUNTS, Claim, Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim in one setting.

    Args:
        claim: what the study says.
        setting: what ran here ("batch 128, fp32, cpu"); "" where it makes no difference.
        here: the same figure here, in the unit of the claim's metric; None where nothing ran.
        ratio: here / paper; None where nothing ran.
        is_contended: whether other work took the CPUs: then time and joules have no ratio.
    """

    claim: Claim
    setting: str
    here: Estimate | None
    ratio: Estimate | None
    is_contended: bool = False

    @property
    def shown_here(self) -> Estimate | None:
        """The figure to print: a duration in the unit of the paper, which is not always seconds."""
        if self.here is None or self.here.unit != "s" or self.claim.unit not in ("min", "h"):
            return self.here
        return self.here.scaled(1 / self.claim.factor, self.claim.unit)


def build_rows(
    study: Study, profiles: Sequence[Profile], trained: Sequence[TrainedModel] = ()
) -> tuple[Row, ...]:
    """Every claim of a study, once a setting that gives a figure of its own.

    Claims that nothing here measures keep one row with `here` None. An accuracy stands beside a
    claim only if it was reached on the data set that the claim is about.
    """
    known = [_with_accuracy(profile, study, trained) for profile in profiles]
    return tuple(
        row
        for claim in study.claims
        for row in (_of_best_entry(claim, profiles) or _rows(claim, known, trained))
    )


def _of_best_entry(claim: Claim, profiles: Sequence[Profile]) -> list[Row]:
    """The row of a claim about the best of many networks; [] where it is about another figure."""
    read = ENTRY_METRICS.get(claim.metric or "")
    if read is None:
        return []
    fitting = [p for p in profiles if _is_on(claim, p) and _has_its_classes(claim, p)]
    entry = best_entry(fitting)
    here = None if entry is None else read(entry)
    if entry is None or here is None:
        return [Row(claim=claim, setting="", here=None, ratio=None)]
    setting = f"{entry.workload.model}, {entry.workload.dtype}"
    return [Row(claim=claim, setting=setting, here=here, ratio=_ratio(claim, here))]


def _rows(
    claim: Claim, profiles: Sequence[Profile], trained: Sequence[TrainedModel]
) -> Iterable[Row]:
    found = [
        *_figures(claim, profiles),
        *((setting, here, False) for setting, here in _training_figures(claim, trained)),
    ]
    if not found:
        is_lost = any(_is_lost(claim, profile) for profile in _of(claim.about, claim, profiles))
        return [Row(claim=claim, setting="", here=None, ratio=None, is_contended=is_lost)]
    is_one = len({here.point for _, here, _ in found}) == 1
    if is_one and all(_is_exact(here) or claim.metric == ACCURACY_PER_MAC for _, here, _ in found):
        found = [("", *found[0][1:])]
    return [
        _row(claim, setting, here, is_contended and here.unit in NOISY_UNITS)
        for setting, here, is_contended in found
    ]


def _is_lost(claim: Claim, profile: Profile) -> bool:
    """Whether other work during the run is why it gives no figure."""
    here = _read(claim, profile)
    return here is not None and here.unit in NOISY_UNITS and was_contended(profile)


def _row(claim: Claim, setting: str, here: Estimate, is_contended: bool) -> Row:
    ratio = None if is_contended else _ratio(claim, here)
    return Row(claim=claim, setting=setting, here=here, ratio=ratio, is_contended=is_contended)


def _training_figures(
    claim: Claim, trained: Sequence[TrainedModel]
) -> Iterable[tuple[str, Estimate]]:
    """Of plain trainings on the claim's data set, as long as the claim says."""
    read = TRAINING_METRICS.get(claim.metric or "")
    if read is None:
        return
    fitting = [model for model in trained if _fits(claim, model)]
    for model in (model for model in fitting if model.model == claim.about):
        setting = model.setting
        if claim.versus is None:
            figures = [read(model)]
            if claim.metric != ACCURACY:
                setting += f"; {_joules(model.result.energy_j)}"
        else:
            others = (other for other in fitting if other.model == claim.versus)
            figures = [
                _over(read(model), read(other))
                for other in others
                if other.terms_beside() == model.terms_beside()
            ]
        yield from ((setting, figure) for figure in figures if figure is not None)


def _joules(energy_j: Estimate | None) -> str:
    return f"joules {NOT_SEEN}" if energy_j is None else f"{show(energy_j)} ({energy_j.basis})"


def _fits(claim: Claim, model: TrainedModel) -> bool:
    return (
        model.dataset == claim.dataset
        and claim.epochs in (None, model.epochs)
        and (claim.device is None or _ran_on(claim.device, model.runs[0]))
        and not model.is_distilled
        and not model.is_resized
    )


def _ran_on(device: str, training: Training) -> bool:
    """Whether it ran on the one device of a claim: an "RTX 3060 Ti" is no "RTX 3060"."""
    if training.device == "cpu" or training.gpu_count > 1:
        return device.lower() == training.device
    return training.environment.device_name.endswith(device)


def _over(first: Estimate | None, second: Estimate | None) -> Estimate | None:
    if first is None or second is None:
        return None
    return quotient(first, second, unit="x", source=f"{first.source} / {second.source}")


def _figures(claim: Claim, profiles: Sequence[Profile]) -> Iterable[tuple[str, Estimate, bool]]:
    """Setting, figure, and whether its run was contended."""
    for profile in _of(claim.about, claim, profiles):
        if claim.versus is None:
            figures = [_read(claim, profile)]
        else:
            figures = [
                _relative(claim, profile, base)
                for base in _of(claim.versus, claim, profiles)
                if same_terms(base, profile)
            ]
        is_contended = was_contended(profile)
        for figure in figures:
            if figure is not None:
                yield _setting(profile), figure, is_contended


def _of(model: str, claim: Claim, profiles: Sequence[Profile]) -> Iterable[Profile]:
    for profile in profiles:
        size = profile.workload.batch_size
        same_work = claim.batch_size in (None, size) and _has_its_classes(claim, profile)
        if profile.workload.model == model and same_work:
            yield profile


def _has_its_classes(claim: Claim, profile: Profile) -> bool:
    """Whether the network has the claim's classes: with others it is another network."""
    classes = profile.workload.class_count
    return classes is None or classes == CLASS_COUNTS.get(claim.dataset, classes)


def _read(claim: Claim, profile: Profile) -> Estimate | None:
    if claim.metric not in METRICS:
        return None
    if claim.metric == ACCURACY and (claim.epochs is not None or not _is_on(claim, profile)):
        return None  # of a training whose length nothing says, of other images, or the claim itself
    return METRICS[claim.metric](profile)


def _relative(claim: Claim, profile: Profile, base: Profile) -> Estimate | None:
    """Profile / base, as the comparison of the two has it where it has that quantity."""
    for row in compare(base, profile).ratios:
        if row.key == claim.metric:
            return row.ratio
    here, there = _read(claim, profile), _read(claim, base)
    return None if here is None or there is None else ratio_of(there, here)


def _ratio(claim: Claim, here: Estimate) -> Estimate | None:
    """Here / paper. What neither side states, the ratio does not state either."""
    paper = claim.estimate(here.unit)
    ratio = quotient(here, paper, unit="x", source=f"{here.source} / the study's figure")
    if ratio is None or (here.confidence not in (None, 1.0) and paper.low is None):
        return ratio
    if paper.low is None and here.confidence == 1.0:
        return replace(ratio, low=None, high=None, confidence=None)
    return replace(ratio, confidence=None)


def _with_accuracy(profile: Profile, study: Study, trained: Sequence[TrainedModel]) -> Profile:
    """The profile with an accuracy on the study's data set, for what is derived from it.

    Its own, where its checkpoint was evaluated on it; else that of the only training there is of
    this model on it; else the study's own, quoted.
    """
    for claim in study.claims:
        is_its = claim.about == profile.workload.model and claim.versus is None
        if claim.metric != ACCURACY or claim.setting is not None or not is_its:
            continue
        if profile.accuracy is not None and _is_on(claim, profile):
            return profile
        fitting = [
            model.result.accuracy
            for model in trained
            if model.model == claim.about and _fits(claim, model) and model.result.accuracy
        ]
        quoted = replace(claim.estimate(""), source="accuracy quoted from the study")
        accuracy = fitting[0] if len(fitting) == 1 else quoted
        return replace(profile, accuracy=accuracy, accuracy_data=None)
    return replace(profile, accuracy=None, accuracy_data=None)


def _is_on(claim: Claim, profile: Profile) -> bool:
    """Whether the profile's accuracy was reached on the data set of the claim."""
    return dataset_of(profile.accuracy_data or "") == claim.dataset


def same_terms(first: Profile, second: Profile) -> bool:
    """Whether the ratio of two profiles is one of their models alone."""
    terms = [
        (replace(each.workload, model="", checkpoint=None), each.environment.fingerprint)
        for each in (first, second)
    ]
    return terms[0] == terms[1]


def _setting(profile: Profile) -> str:
    workload = profile.workload
    batch = "" if workload.batch_size is None else f"batch {workload.batch_size:,}, "
    return f"{batch}{workload.dtype}, {workload.device}"


def _is_exact(estimate: Estimate) -> bool:
    """Whether it is counted or quoted: no setting of a run changes it."""
    return estimate.basis in (Basis.COUNTED, Basis.QUOTED)
