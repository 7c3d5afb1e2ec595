"""Two profiles side by side: ratios with intervals, and verdicts that may be "no difference".

A ratio is other / base. Its interval is built on the logarithm, where the errors of a quotient add:

    half width(ln ratio)^2 = sides^2 + (z s_base)^2 + (z s_other)^2 + gain terms

- sides: each profile's own interval, brought to 95 %.
- s: run-to-run reproducibility, the relative standard deviation between whole runs of the same
  thing on the same machine. The interval of one run cannot know it: blocks within a run share one
  temperature, one memory layout, one set of neighbours. Kalibera and Jones, "Rigorous benchmarking
  in reasonable time" (ISMM 2013), show that the highest level of repetition carries most of the
  variance. With one run a side it cannot be estimated, so it is assumed (REPRODUCIBILITY). But a
  machine that drifts between the blocks of one run drifts no less between two runs, so s is never
  taken smaller than the spread of the run's own blocks, which is seen: on a busy machine a verdict
  becomes harder, as it should.
- gain: the systematic error of a sensor cancels where both runs used the same sensor of the same
  machine; otherwise the gain error of each is added.

A verdict needs significance and size: the whole interval must lie beyond SMALLEST_DIFFERENCE. So
two runs of one model are told apart in fewer than 1 of 20 comparisons, as long as s is no
understatement. What is counted (MACs, parameters) is exact, and compares exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from profiler.values.estimate import Basis, Estimate
from profiler.values.figures import figure_frame
from profiler.values.findings import CONTENDED, Finding
from profiler.values.profile import Profile
from profiler.values.quantities import ACCURACY, QUANTITIES, Quantity

from .ratio import ratio_of
from .run_to_run import run_to_run, was_contended

if TYPE_CHECKING:
    import pandas

LESS: Literal["less"] = "less"
MORE: Literal["more"] = "more"
NO_DIFFERENCE: Literal["no detectable difference"] = "no detectable difference"
Verdict = Literal["less", "more", "no detectable difference"]

SMALLEST_DIFFERENCE = 0.01
"""A difference below this share is of no account even where it is significant."""

# Time, power and energy vary from run to run; counts, memory and accuracy do not by themselves.
_NOISY_UNITS = frozenset({"s", "J", "W", "kWh", "g", "item/s"})
_SETTINGS = ("batch_size", "device", "dtype", "data", "channels_last", "compiled", "threads")
_PER_CALL = {
    "latency_s": "latency_per_item_s",
    "energy_j": "energy_per_item_j",
    "net_energy_j": "net_energy_per_item_j",
    "mac_count": "mac_count_per_item",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One quantity of two profiles.

    Args:
        key: of `profiler.quantities`.
        label: for a person.
        base: the value in the first profile.
        other: the value in the second profile.
        ratio: other / base; None where base is 0 or one of them is negative.
        verdict: of other against base; None where no interval is stated, so nothing can be said.
        lower_is_better: None where neither is better.
    """

    key: str
    label: str
    base: Estimate
    other: Estimate
    ratio: Estimate | None
    verdict: Verdict | None
    lower_is_better: bool | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison:
    """`other` against `base`.

    Args:
        base: the profile that ratios are relative to.
        other: the profile compared with it.
        noise_base: run-to-run standard deviation taken for base, relative.
        noise_other: the same for other.
        ratios: every quantity that both have, in the order of `profiler.quantities`.
        findings: what to know before trusting the ratios.
        per_item: True where the batch sizes differ, so that figures per call say nothing.
    """

    base: Profile
    other: Profile
    noise_base: float
    noise_other: float
    ratios: tuple[Ratio, ...]
    findings: tuple[Finding, ...]
    per_item: bool

    def __str__(self) -> str:
        lines = [f"{self.other.name} against {self.base.name}:"]
        for row in self.ratios:
            said = "" if row.verdict is None else f", {row.verdict}"
            lines.append(f"  {row.label}: {row.base} -> {row.other}, ratio {row.ratio}{said}")
        lines += [f"  ! {finding.observed}" for finding in self.findings]
        return "\n".join(lines)

    __repr__ = __str__

    def to_pandas(self) -> pandas.DataFrame:
        """One row a ratio, with interval, basis and source."""
        ratios = {row.key: row.ratio for row in self.ratios if row.ratio is not None}
        return figure_frame(ratios)

    def of(self, key: str) -> Ratio | None:
        """The ratio of a quantity; per item where the batch sizes differ. None if not seen."""
        wanted = _PER_CALL.get(key, key) if self.per_item else key
        return next((row for row in self.ratios if row.key == wanted), None)

    @property
    def energy_ratio(self) -> Estimate | None:
        """Gross joules of other / base."""
        row = self.of("energy_j")
        return None if row is None else row.ratio

    @property
    def latency_ratio(self) -> Estimate | None:
        """Seconds of other / base."""
        row = self.of("latency_s")
        return None if row is None else row.ratio

    @property
    def verdict(self) -> Verdict | None:
        """Whether `other` takes less energy than `base`; None where no energy was seen."""
        row = self.of("energy_j")
        return None if row is None else row.verdict

    @property
    def same_environment(self) -> bool:
        """Whether both ran on the same hardware, driver and software."""
        return self.base.environment.fingerprint == self.other.environment.fingerprint


def compare(base: Profile, other: Profile, *, noise: float | None = None) -> Comparison:
    """Put `other` beside `base`.

    Args:
        base: what ratios are relative to.
        other: what is compared with it.
        noise: relative standard deviation from run to run, for both; None takes that of
            `reproducibility.run_to_run` for each.

    Raises:
        ValueError: a negative noise.
    """
    if noise is not None and not 0 <= noise < math.inf:
        raise ValueError(f"noise is a relative standard deviation of 0 or more, not {noise}")
    noise_base = run_to_run(base) if noise is None else noise
    noise_other = run_to_run(other) if noise is None else noise
    both = math.hypot(noise_base, noise_other)
    per_item = base.workload.batch_size != other.workload.batch_size
    same = base.environment.fingerprint == other.environment.fingerprint
    rows = (
        _compare_quantity(quantity, base, other, both, same)
        for quantity in QUANTITIES
        if not (per_item and quantity.key in _PER_CALL)
    )
    ratios = tuple(row for row in rows if row is not None)
    return Comparison(
        base=base,
        other=other,
        noise_base=noise_base,
        noise_other=noise_other,
        ratios=ratios,
        findings=_findings(base, other, ratios),
        per_item=per_item,
    )


def _compare_quantity(
    quantity: Quantity, base: Profile, other: Profile, noise: float, same_machine: bool
) -> Ratio | None:
    first, second = quantity.of(base), quantity.of(other)
    if first is None or second is None or first.unit != second.unit:
        return None
    if quantity.key == ACCURACY and base.accuracy_data != other.accuracy_data:
        return None  # an exam and another exam
    ratio = ratio_of(
        first,
        second,
        noise=noise if _is_noisy(first, second) else 0.0,
        same_sensor=same_machine and first.source == second.source,
    )
    return Ratio(
        key=quantity.key,
        label=quantity.label,
        base=first,
        other=second,
        ratio=ratio,
        verdict=_verdict(ratio),
        lower_is_better=quantity.lower_is_better,
    )


def _is_noisy(first: Estimate, second: Estimate) -> bool:
    counted = first.basis is Basis.COUNTED and second.basis is Basis.COUNTED
    return first.unit in _NOISY_UNITS and not counted


def _verdict(ratio: Estimate | None) -> Verdict | None:
    if ratio is None or ratio.low is None or ratio.high is None:
        return None
    smallest = 0.0 if ratio.low == ratio.high else SMALLEST_DIFFERENCE
    if ratio.high < 1 - smallest:
        return LESS
    if ratio.low > 1 + smallest:
        return MORE
    return NO_DIFFERENCE


def _findings(base: Profile, other: Profile, ratios: tuple[Ratio, ...]) -> tuple[Finding, ...]:
    findings = list(_differences(base, other))
    shared = [
        name for name, run in (("the first", base), ("the second", other)) if was_contended(run)
    ]
    if shared:
        findings.append(
            Finding(
                kind=CONTENDED,
                observed=f"other work took CPUs from {' and '.join(shared)} run: their time and "
                "joules cannot be told apart from its effect",
                remedy="measure again on a quiet machine, or leave room with --threads",
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
    energy = [row for row in ratios if row.base.unit == "J"]
    if energy and any(row.ratio and row.ratio.basis is Basis.ESTIMATED for row in energy):
        findings.append(
            Finding(
                kind="estimate-only",
                observed="at least one of the two energies comes from a model of the hardware, not "
                "from a sensor: their ratio is the ratio of two estimates",
                remedy="`python -m profiler doctor` says which sensor could be read, and how",
            )
        )
    return tuple(findings)


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
        if first != second:
            remedy = "figures are compared per item" if name == "batch_size" else ""
            findings.append(
                Finding(
                    kind=f"different-{name.replace('_', '-')}",
                    observed=f"{name} is {first} in the one run and {second} in the other",
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
