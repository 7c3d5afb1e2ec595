"""The factors between papers' energies and measured ones as a section of a report."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from profiler.comparison.run_to_run import was_contended
from profiler.render import Column, Section, Table
from profiler.values.profile import Profile
from profiler.values.units import show
from reports.claims.factor_split import FactorSplit, ProxyClaim, split_energy, split_ratio
from reports.claims.rows import same_terms
from reports.claims.study import CLASS_COUNTS, Claim, Study

WHY = "Why the joules differ"
CONTENDED = "other work took the CPUs, and their joules hold for that state only"
_ENERGY = "energy_per_million_kwh"
_COLUMNS = (
    Column(label="cause"),
    Column(label="paper", role="number"),
    Column(label="here", role="number"),
    Column(label="factor", role="number"),
    Column(label="basis", role="basis"),
)


def split_sections(studies: Sequence[Study], profiles: Sequence[Profile]) -> tuple[Section, ...]:
    """One section with a table for each claim and setting that can be split; () for none.

    The joules of a run whose CPUs other work took are left out, as they are of every ratio.
    """
    calm = [profile for profile in profiles if not was_contended(profile)]
    tables = [table for study in studies for table in _tables(study, calm)]
    left_out = len(profiles) - len(calm)
    if not tables and not any(_tables(study, profiles) for study in studies):
        return ()
    return (
        Section(
            title=WHY,
            paragraphs=(
                "The study's energy is MACs times a constant. Each row says how many times larger "
                "one cause makes the figure here; the rows multiply to the last. MACs: its count "
                "against the exact one. pJ per MAC: net joules of the processor. Unit: what its "
                "own numbers give against what it writes. Idle power and host: joules that no "
                "count of MACs holds.",
            ),
            tables=tuple(tables),
            notes=(f"{left_out} of {len(profiles)} runs are left out: {CONTENDED}.",)
            if left_out
            else (),
        ),
    )


def _tables(study: Study, profiles: Sequence[Profile]) -> list[Table]:
    tables = []
    splits: dict[str, list[tuple[Profile, FactorSplit]]] = {}
    for claim in study.claims:
        if claim.proxy is None or claim.value is None or claim.metric != _ENERGY:
            continue
        proxy = ProxyClaim(
            energy_kwh=claim.value * claim.factor,
            mac_count=claim.proxy.mac_count,
            pj_per_mac=claim.proxy.pj_per_mac,
        )
        for profile in profiles:
            if profile.workload.model != claim.about or not _has_classes(claim, profile):
                continue
            split = split_energy(proxy, profile)
            if split is not None:
                splits.setdefault(claim.about, []).append((profile, split))
                tables.append(_table(f"{claim.about}: {claim.label}", profile, split))
    for claim in study.claims:
        if claim.versus is None or claim.metric != _ENERGY:
            continue
        pairs = itertools.product(splits.get(claim.about, ()), splits.get(claim.versus, ()))
        for (over_profile, over), (under_profile, under) in pairs:
            split = split_ratio(over, under) if same_terms(over_profile, under_profile) else None
            if split is not None:
                name = f"{claim.about} / {claim.versus}: {claim.label}"
                tables.append(_table(name, over_profile, split))
    return tables


def _has_classes(claim: Claim, profile: Profile) -> bool:
    classes = profile.workload.class_count
    return classes is None or classes == CLASS_COUNTS.get(claim.dataset, classes)


def _table(name: str, profile: Profile, split: FactorSplit) -> Table:
    workload = profile.workload
    rows = [
        (factor.cause, factor.paper, factor.here, show(factor.ratio), factor.ratio.basis.value)
        for factor in split.factors
    ]
    rows.append(("here / paper", "", "", show(split.whole), split.whole.basis.value))
    return Table(
        caption=f"{name}, batch {workload.batch_size}, {workload.dtype}, {workload.device}",
        columns=_COLUMNS,
        rows=tuple(rows),
    )
