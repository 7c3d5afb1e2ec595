"""Claims beside measurements: paper, here, ratio, basis and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from profiler.comparison import compare, ratio_of
from profiler.estimate import Basis, Estimate, quotient
from profiler.profile import Profile

from .claims import Claim, Study
from .metrics import METRICS

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim in one setting.

    Args:
        claim: what the study says.
        setting: what ran here ("batch 128, fp32, cpu"); "" where it makes no difference.
        here: the same figure here, in the unit of the claim's metric; None where nothing ran.
        ratio: here / paper; None where nothing ran.
    """

    claim: Claim
    setting: str
    here: Estimate | None
    ratio: Estimate | None


def build_rows(study: Study, profiles: Sequence[Profile]) -> tuple[Row, ...]:
    """Every claim of a study, once a setting that gives a figure of its own.

    Claims that nothing here measures keep one row with `here` None.
    """
    known = [_with_accuracy(profile, study) for profile in profiles]
    return tuple(row for claim in study.claims for row in _rows(claim, known))


def _rows(claim: Claim, profiles: Sequence[Profile]) -> Iterable[Row]:
    found = list(_figures(claim, profiles))
    if not found:
        return [Row(claim=claim, setting="", here=None, ratio=None)]
    if len({here.point for _, here in found}) == 1 and all(_is_exact(here) for _, here in found):
        found = [("", found[0][1])]
    return [
        Row(claim=claim, setting=setting, here=here, ratio=_ratio(claim, here))
        for setting, here in found
    ]


def _figures(claim: Claim, profiles: Sequence[Profile]) -> Iterable[tuple[str, Estimate]]:
    for profile in _of(claim.about, claim, profiles):
        if claim.versus is None:
            figures = [_read(claim, profile)]
        else:
            figures = [
                _relative(claim, profile, base)
                for base in _of(claim.versus, claim, profiles)
                if _terms(base) == _terms(profile)
            ]
        yield from ((_setting(profile), figure) for figure in figures if figure is not None)


def _of(model: str, claim: Claim, profiles: Sequence[Profile]) -> Iterable[Profile]:
    for profile in profiles:
        size = profile.workload.batch_size
        if profile.workload.model == model and claim.batch_size in (None, size):
            yield profile


def _read(claim: Claim, profile: Profile) -> Estimate | None:
    if claim.metric is None:
        return None
    here = METRICS[claim.metric](profile)
    if claim.metric == "accuracy" and here is not None and here.basis is Basis.QUOTED:
        return None  # the claim itself
    return here


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


def _with_accuracy(profile: Profile, study: Study) -> Profile:
    """The profile with the study's own accuracy, unless one was measured on its data set."""
    for claim in study.claims:
        is_its = claim.about == profile.workload.model and claim.versus is None
        if claim.metric != "accuracy" or claim.setting is not None or not is_its:
            continue
        if profile.accuracy is not None and _dataset(profile) == claim.dataset:
            return profile
        quoted = replace(claim.estimate(""), source="accuracy quoted from the study")
        return replace(profile, accuracy=quoted)
    return replace(profile, accuracy=None)


def _dataset(profile: Profile) -> str | None:
    """What the images are; `Workload.data` starts with the name of their source."""
    return DATASETS.get(profile.workload.data.partition(":")[0])


def _terms(profile: Profile) -> tuple[object, ...]:
    """What two profiles must share for their ratio to be one of models alone."""
    workload = replace(profile.workload, model="", checkpoint=None)
    return workload, profile.environment.fingerprint


def _setting(profile: Profile) -> str:
    workload = profile.workload
    batch = "" if workload.batch_size is None else f"batch {workload.batch_size:,}, "
    return f"{batch}{workload.dtype}, {workload.device}"


def _is_exact(estimate: Estimate) -> bool:
    """Whether it is counted or quoted: no setting of a run changes it."""
    return estimate.basis in (Basis.COUNTED, Basis.QUOTED)
