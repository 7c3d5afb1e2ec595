"""What two runs do not share, and what else to know before trusting their ratios."""

from __future__ import annotations

from profiler.values.estimate import Basis, weakest
from profiler.values.findings import CONTENDED, Finding
from profiler.values.profile import Profile
from profiler.values.quantities import MOSTLY_ASSUMED, assumed_share
from profiler.values.rounds import in_turns

from .run_to_run import was_contended

_SETTINGS = (
    "batch_size", "device", "dtype", "data", "channels_last", "executor", "threads", "allocator",
)  # fmt: skip
_TOLD_AS = {"executor": "run-time"}


def findings_of(base: Profile, other: Profile) -> tuple[Finding, ...]:
    """What to know before trusting the ratios, the decisive first."""
    findings = []
    shared = [
        name for name, run in (("the first", base), ("the second", other)) if was_contended(run)
    ]
    if shared:
        findings.append(
            Finding(
                kind=CONTENDED,
                observed=f"other work took CPUs from {' and '.join(shared)} run most of the time: "
                "there is no ratio of time, power or energy",
                remedy=_quieter(base, other),
            )
        )
    findings += _differences(base, other)
    shares = [assumed_share(profile) for profile in (base, other)]
    if min(shares) > MOSTLY_ASSUMED:
        findings.append(
            Finding(
                kind="assumed-joules",
                observed=f"{min(shares):.0%} or more of the joules of both are an assumed constant "
                "times the time: their verdict is a verdict on time",
                remedy="`python -m profiler doctor` says which sensor could be read, and how",
            )
        )
    if differ_in_carbon(base, other):
        findings.append(
            Finding(
                kind="different-carbon",
                observed="the grams are not compared: the two runs use different carbon "
                "intensities or PUEs",
                remedy="give both the same --country or --intensity, and the same --pue",
            )
        )
    if base.accuracy and other.accuracy and base.accuracy_data != other.accuracy_data:
        findings.append(
            Finding(
                kind="different-accuracy-data",
                observed=f"the accuracies are not compared: one was reached on "
                f"{base.accuracy_data or 'data that nothing names'}, the other on "
                f"{other.accuracy_data or 'data that nothing names'}",
                remedy="evaluate both checkpoints on the same images, and measure them again",
            )
        )
    energies = [profile.energy_j for profile in (base, other) if profile.energy_j is not None]
    if len(energies) == 2 and weakest(energy.basis for energy in energies) is Basis.ESTIMATED:
        findings.append(
            Finding(
                kind="estimate-only",
                observed="at least one of the two energies comes from a model of the hardware, not "
                "from a sensor: their ratio is the ratio of two estimates",
                remedy="`python -m profiler doctor` says which sensor could be read, and how",
            )
        )
    return tuple(findings)


def _quieter(base: Profile, other: Profile) -> str:
    """What helps where other work disturbed: runs that were in turns need no more turns."""
    first, second = base.repetition, other.repetition
    if first is not None and second is not None and in_turns(first, second):
        return "stop the other work, or leave it a CPU with --threads, and measure again"
    return "stop the other work and measure both in turns: measure --model A --model B"


def _differences(base: Profile, other: Profile) -> list[Finding]:
    findings = []
    if base.environment.fingerprint != other.environment.fingerprint:
        names = f"{base.environment.device_name} and {other.environment.device_name}"
        findings.append(
            Finding(
                kind="different-environment",
                observed=f"hardware, driver or software differ between the two runs ({names}): "
                f"{_changed_facts(base, other)}",
                remedy="measure both on one machine, one after the other",
            )
        )
    for name in _SETTINGS:
        first, second = getattr(base.workload, name), getattr(other.workload, name)
        told = _TOLD_AS.get(name, name)
        if first != second:
            remedy = "figures are compared per item" if name == "batch_size" else ""
            findings.append(
                Finding(
                    kind=f"different-{told.replace('_', '-')}",
                    observed=f"{told} is {first} in the one run and {second} in the other",
                    remedy=remedy
                    or "measure both with the same settings, unless this is the point",
                )
            )
    return findings


def _changed_facts(base: Profile, other: Profile) -> str:
    first, second = base.environment.facts, other.environment.facts
    keys = sorted(key for key in {*first, *second} if first.get(key) != second.get(key))
    texts = [f"{key} {first.get(key, 'absent')} / {second.get(key, 'absent')}" for key in keys[:4]]
    return "; ".join(texts) or "the fingerprints are not equal"


def differ_in_carbon(base: Profile, other: Profile) -> bool:
    """Whether joules became grams by different factors."""
    factors = [
        (profile.carbon.intensity_g_per_kwh.point, profile.carbon.pue.point)
        for profile in (base, other)
        if profile.carbon is not None
    ]
    return len(factors) == 2 and factors[0] != factors[1]
