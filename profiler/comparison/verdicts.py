"""Two profiles side by side: ratios with intervals, and verdicts that may be "no difference".

A ratio is other / base. Its interval is built on the logarithm, where the errors of a quotient add:

    half width(ln ratio)^2 = sides^2 + (z s_base)^2 + (z s_other)^2 + gain terms

- sides: each profile's own interval, brought to 95 %. Where several processes shared the run it
  holds how much these differ.
- s: what a second run would add, see `run_to_run`.
- gain: the systematic error of a sensor cancels where both runs used the same sensor of the same
  machine; otherwise the gain error of each is added.

Two profiles that were measured in turns are compared round by round instead: whatever moves both
blocks of a round alike cancels, and nothing need be assumed about another run. A run whose CPUs
were taken by other work most of the time has no ratio of time, power or energy.

What is counted (MACs, parameters) is exact, and compares exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.values.estimate import Basis, Estimate
from profiler.values.figures import figure_frame
from profiler.values.findings import Finding
from profiler.values.profile import Profile
from profiler.values.quantities import ACCURACY, QUANTITIES, Quantity

from .differences import differ_in_carbon, findings_of
from .judging import Verdict, verdict_of
from .paired_accuracy import paired_accuracy
from .ratio import ratio_of
from .rounds import TurnRatios, rounds_of
from .run_to_run import run_to_run, was_contended

if TYPE_CHECKING:
    import pandas

# Time, power and energy vary from run to run; counts, memory and accuracy do not by themselves.
NOISY_UNITS = frozenset({"s", "J", "W", "kWh", "g", "item/s"})
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
        ratio: other / base; None where base is 0, one of them is negative or a lower bound, or
            other work took the CPUs of one of the runs.
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
        rounds: where both were measured in turns, the ratio of their rounds.
        findings: what to know before trusting the ratios.
        per_item: True where the batch sizes differ, so that figures per call say nothing.
    """

    base: Profile
    other: Profile
    noise_base: float
    noise_other: float
    rounds: TurnRatios | None
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
    def is_contended(self) -> bool:
        """Whether other work took the CPUs of one of the runs."""
        return was_contended(self.base) or was_contended(self.other)

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
    rounds = rounds_of(base, other)
    noise_base, noise_other = (
        (0.0 if rounds is not None else run_to_run(profile)) if noise is None else noise
        for profile in (base, other)
    )
    per_item = base.workload.batch_size != other.workload.batch_size
    both = math.hypot(noise_base, noise_other)
    rows = (
        _compare_quantity(quantity, base, other, both, rounds)
        for quantity in QUANTITIES
        if not (per_item and quantity.key in _PER_CALL)
    )
    ratios = tuple(row for row in rows if row is not None)
    return Comparison(
        base=base,
        other=other,
        noise_base=noise_base,
        noise_other=noise_other,
        rounds=rounds,
        ratios=ratios,
        findings=findings_of(base, other),
        per_item=per_item,
    )


def _compare_quantity(
    quantity: Quantity, base: Profile, other: Profile, noise: float, rounds: TurnRatios | None
) -> Ratio | None:
    first, second = quantity.of(base), quantity.of(other)
    if first is None or second is None or first.unit != second.unit:
        return None
    if quantity.key == ACCURACY and base.accuracy_data != other.accuracy_data:
        return None  # an exam and another exam
    if first.unit == "g" and differ_in_carbon(base, other):
        return None  # a place and another place
    paired = paired_accuracy(base, other) if quantity.key == ACCURACY else None
    ratio = paired[0] if paired else _ratio(quantity.key, first, second, base, other, noise, rounds)
    return Ratio(
        key=quantity.key,
        label=quantity.label,
        base=first,
        other=second,
        ratio=ratio,
        verdict=paired[1] if paired else verdict_of(ratio),
        lower_is_better=quantity.lower_is_better,
    )


def _ratio(
    key: str,
    first: Estimate,
    second: Estimate,
    base: Profile,
    other: Profile,
    noise: float,
    rounds: TurnRatios | None,
) -> Estimate | None:
    if first.is_lower_bound or second.is_lower_bound:
        return None
    is_noisy = _is_noisy(first, second)
    if is_noisy and (was_contended(base) or was_contended(other)):
        return None
    in_turns = None if rounds is None or noise else rounds.ratio(key, first, second)
    if is_noisy and in_turns is not None:
        return in_turns
    same_machine = base.environment.fingerprint == other.environment.fingerprint
    return ratio_of(
        first,
        second,
        noise=noise if is_noisy else 0.0,
        same_sensor=same_machine and first.source == second.source,
    )


def _is_noisy(first: Estimate, second: Estimate) -> bool:
    counted = first.basis is Basis.COUNTED and second.basis is Basis.COUNTED
    return first.unit in NOISY_UNITS and not counted
