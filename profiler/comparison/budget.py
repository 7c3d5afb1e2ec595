"""A budget: what a model may cost at most, and whether a measured run is within it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from profiler.errors import UsageError
from profiler.values.bounds import read_bound
from profiler.values.estimate import Estimate
from profiler.values.profile import Profile
from profiler.values.quantities import QUANTITIES, Quantity
from profiler.values.units import NOT_SEEN, show, show_number

from .run_to_run import was_contended

_BY_KEY = {row.key: row for row in QUANTITIES}


class BoundVerdict(StrEnum):
    """What a run says of a bound."""

    WITHIN = "within"
    OVER = "over"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Bounds for one model.

    Args:
        model: its reference, as it was measured.
        device: where; None for every one. "cuda" is any of its kind.
        batch_size: items of a call; None for every one.
        dtype: precision; None for every one.
        runtime: what executes it; None for every one.
        at_most: by key of a quantity of which less is better ("energy_per_item_j", "latency_s",
            "size_bytes"), the most it may be, with its unit: "0.5 mJ".
        at_least: by key of a quantity of which more is better, the least: accuracy = "90 %".
    """

    model: str
    device: str | None = None
    batch_size: int | None = None
    dtype: str | None = None
    runtime: str | None = None
    at_most: Mapping[str, str] = field(default_factory=dict)
    at_least: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.at_most and not self.at_least:
            raise ValueError(f"the budget of '{self.model}' has neither 'at_most' nor 'at_least'")
        for name, lower_is_better in (("at_most", True), ("at_least", False)):
            for key, text in getattr(self, name).items():
                row = _BY_KEY.get(key)
                if row is None or row.lower_is_better is not lower_is_better:
                    fitting = [q.key for q in QUANTITIES if q.lower_is_better is lower_is_better]
                    raise ValueError(f"'{name}' has no '{key}'; it has {', '.join(fitting)}")
                try:
                    read_bound(text, UNITS[key])
                except UsageError as error:
                    raise ValueError(f"'{key}': {error.message}; {error.hint}") from error

    def is_about(self, profile: Profile) -> bool:
        """Whether a run is one that this budget limits."""
        workload = profile.workload
        wanted = {
            "model": (self.model, workload.model),
            "batch_size": (self.batch_size, workload.batch_size),
            "dtype": (self.dtype, workload.dtype),
            "runtime": (self.runtime, workload.executor),
        }
        is_there = self.device in (None, workload.device, workload.device.partition(":")[0])
        return is_there and all(asked in (None, is_) for asked, is_ in wanted.values())

    @property
    def words(self) -> str:
        """What it is about, in short."""
        size = None if self.batch_size is None else f"batch {self.batch_size}"
        return ", ".join(filter(None, (self.model, size, self.dtype, self.runtime, self.device)))


UNITS = {
    "latency_s": "s", "latency_per_item_s": "s", "throughput_per_s": "item/s", "energy_j": "J",
    "net_energy_j": "J", "energy_per_item_j": "J", "net_energy_per_item_j": "J", "carbon_g": "g",
    "power_w": "W", "idle_power_w": "W", "peak_memory_bytes": "B", "energy_per_million_kwh": "kWh",
    "net_energy_per_million_kwh": "kWh", "carbon_per_million_g": "g", "mac_count": "MAC",
    "mac_count_per_item": "MAC", "effective_mac_count": "MAC", "parameter_count": "",
    "size_bytes": "B", "compressed_bytes": "B", "score": "", "score_by_ratio": "", "accuracy": "",
}  # fmt: skip
"""The unit in which a bound on each quantity is compared, by the quantity's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCheck:
    """One bound, and what a run says of it.

    Args:
        about: the budget, in short.
        label: what is limited.
        bound: as it was written.
        seen: what was measured; None where no run of it is there, or nothing saw it.
        verdict: within where the whole interval is, over where none of it is.
        reason: one clause, with the numbers.
    """

    about: str
    label: str
    bound: str
    seen: Estimate | None
    verdict: BoundVerdict
    reason: str


def check_budget(budget: Budget, profile: Profile | None) -> tuple[BoundCheck, ...]:
    """Hold a run against every bound of its budget.

    Args:
        budget: the bounds.
        profile: a run that it is about; None where there is none, which decides nothing.
    """
    bounds = [
        (key, text, is_most)
        for table, is_most in ((budget.at_most, True), (budget.at_least, False))
        for key, text in table.items()
    ]
    return tuple(
        _check(budget, _BY_KEY[key], text, is_most, profile) for key, text, is_most in bounds
    )


def _check(
    budget: Budget, row: Quantity, text: str, is_most: bool, profile: Profile | None
) -> BoundCheck:
    bound = read_bound(text, UNITS[row.key])
    seen = None if profile is None else row.of(profile)
    verdict, reason = _judge(seen, bound, UNITS[row.key], is_most, profile)
    return BoundCheck(
        about=budget.words,
        label=row.label,
        bound=f"{'at most' if is_most else 'at least'} {text}",
        seen=seen,
        verdict=verdict,
        reason=reason,
    )


def _judge(
    seen: Estimate | None, bound: float, unit: str, is_most: bool, profile: Profile | None
) -> tuple[BoundVerdict, str]:
    if profile is None:
        return BoundVerdict.UNDECIDED, "no run of it is stored"
    if seen is None:
        return BoundVerdict.UNDECIDED, NOT_SEEN
    if was_contended(profile) and seen.confidence != 1.0:
        return BoundVerdict.UNDECIDED, "other work took the CPUs while it was measured"
    if seen.low is None or seen.high is None:
        return BoundVerdict.UNDECIDED, f"no interval is known for {show(seen)}"
    # A sensor's gain error is outside the interval and cancels in ratios, but not against a bound.
    gain = seen.systematic or 0.0
    low, high = seen.low * (1 - gain), seen.high * (1 + gain)
    shown = show(seen) if not gain else f"{show(seen)}, gain ±{100 * gain:g} %"
    is_within, is_over = (high <= bound, low > bound) if is_most else (low >= bound, high < bound)
    limit = show_number(bound, unit)
    if is_within:
        return BoundVerdict.WITHIN, shown
    if is_over:
        return BoundVerdict.OVER, f"{shown}: {'above' if is_most else 'below'} {limit}"
    return BoundVerdict.UNDECIDED, f"{shown}: the interval holds {limit}"
