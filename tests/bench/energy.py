"""Joules against known truth and against the rivals' ways: `python -m tests.bench.energy`.

Every load runs on the virtual H100 (100 ms counter, 1 mJ), through the product's own NVML meter and
sampler, under a clock that jumps. Beside the segment model stand what a difference of two reads and
an interpolation in time make of the very same trace. Truth is integrated apart from the product.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from profiler.inference import infer_energies
from profiler.values.trace import CounterTrace, Trace, Window
from tests.bench import scenarios
from tests.bench.scenarios import Load, Scenario, make
from tests.bench.virtual_recording import record_load

Method = Callable[[CounterTrace, Window], float]


@dataclass(frozen=True)
class Row:
    """One line of the table: which loads, which statistic of their errors, and its goal in %."""

    title: str
    loads: tuple[Scenario, ...]
    statistic: Callable[[Sequence[float], Sequence[float]], float]
    goal: float


def sum_error(points_j: Sequence[float], truths_j: Sequence[float]) -> float:
    return 100 * abs(sum(points_j) / sum(truths_j) - 1)


def mean_error(points_j: Sequence[float], truths_j: Sequence[float]) -> float:
    return statistics.fmean(
        100 * abs(point / truth - 1) for point, truth in zip(points_j, truths_j, strict=True)
    )


ROWS = (
    Row("5 s steady", (scenarios.steady,), sum_error, 0.3),
    Row("5 s of 30 ms bursts", (scenarios.bursts_30ms,), sum_error, 0.3),
    Row("5 s ramp", (scenarios.ramp,), sum_error, 0.3),
    Row("30 s mixed", (scenarios.mixed_30s,), sum_error, 0.3),
    Row("20 of 50-300 ms with gaps: sum", (scenarios.short_with_gaps,), sum_error, 0.7),
    Row("  the same: mean of one", (scenarios.short_with_gaps,), mean_error, 1.5),
    Row("  at 20 different powers: sum", (scenarios.short_unique,), sum_error, 0.7),
    Row("  the same: mean of one", (scenarios.short_unique,), mean_error, 1.5),
    Row("25 of 80-400 ms back to back", (scenarios.back_to_back,), mean_error, 2.0),
    Row("  all of one name", (scenarios.back_to_back_same,), mean_error, 2.0),
    Row("ramps and 20 ms bursts inside", (scenarios.varying_inside,), mean_error, 5.0),
    Row("jitter inside, gaps that settle", (scenarios.noisy,), mean_error, 5.0),
    Row("everything at once", (scenarios.everything,), mean_error, 5.0),
)


def segment_model(traces: Sequence[Trace], load: Load) -> list[float]:
    found = infer_energies(traces, [(window,) for window in load.windows], load.windows)
    return [float("nan") if e.energy_j is None else e.energy_j.point for e in found]


def read_at_both_ends(trace: CounterTrace, window: Window) -> float:
    """What a tool gets that reads the counter as the window opens and closes."""
    return _shown_j(trace, window.end_s or 0.0) - _shown_j(trace, window.start_s)


def _shown_j(trace: CounterTrace, time_s: float) -> float:
    seen = [
        energy
        for latest, energy in zip(trace.latest_s, trace.energy_j, strict=True)
        if latest <= time_s
    ]
    return seen[-1] if seen else 0.0


def interpolated(trace: CounterTrace, window: Window) -> float:
    """Energy spread evenly between two moves of the counter."""
    import numpy as np

    middles_s = (np.array(trace.earliest_s) + np.array(trace.latest_s)) / 2
    start_j, end_j = np.interp([window.start_s, window.end_s or 0.0], middles_s, trace.energy_j)
    return float(end_j - start_j)


def rival(method: Method, traces: Sequence[Trace], load: Load) -> list[float]:
    counter = next(trace for trace in traces if isinstance(trace, CounterTrace))
    return [method(counter, window) for window in load.windows]


METHODS: tuple[tuple[str, Callable[[Sequence[Trace], Load], list[float]]], ...] = (
    ("segment model", segment_model),
    ("read at both ends", partial(rival, read_at_both_ends)),
    ("interpolated", partial(rival, interpolated)),
)


def errors(row: Row, seeds: Sequence[int], jitter_s: float) -> Iterator[list[float]]:
    """For each method, the statistic of the row for each seed."""
    recorded = [
        (load, record_load(load, seed, jitter_s=jitter_s))
        for scenario in row.loads
        for seed in seeds
        for load in [make(scenario, seed)]
    ]
    for _, method in METHODS:
        yield [row.statistic(method(traces, load), load.truths_j) for load, traces in recorded]


def print_errors(seeds: Sequence[int], jitter_s: float) -> None:
    print(f"\nrelative error in %, median (worst) of {len(seeds)} seeds, ", end="")
    print(f"counter updates jitter by up to {1e3 * jitter_s:g} ms")
    print(f"{'':34}{'goal':>6}" + "".join(f"{name:>20}" for name, _ in METHODS))
    for row in ROWS:
        cells = [
            f"{statistics.median(of_method):.3f} ({max(of_method):.2f})"
            for of_method in errors(row, seeds, jitter_s)
        ]
        print(f"{row.title:34}{row.goal:>6}" + "".join(f"{cell:>20}" for cell in cells))


def print_coverage(seeds: Sequence[int], said: str, **machine: float) -> None:
    """Share of windows whose interval, and whose bracket, hold the truth."""
    widths: list[float] = []
    relative_errors: list[float] = []
    inside, bracketed, missing, count = 0, 0, 0, 0
    per_kind: list[str] = []
    loose: list[float] = []
    for scenario in scenarios.EVERY_KIND:
        held, of_kind = 0, 0
        for seed in seeds:
            load = make(scenario, seed)
            traces = record_load(load, seed, **machine)
            found = infer_energies(traces, [(window,) for window in load.windows], load.windows)
            for energy, truth_j in zip(found, load.truths_j, strict=True):
                low_j, high_j = energy.devices["gpu:0"].bracket_j or (0.0, 0.0)
                bracketed += low_j - 1e-6 <= truth_j <= high_j + 1e-6
                count += 1
                if energy.energy_j is None:
                    missing += 1
                    continue
                of_kind += 1
                widths.append(100 * (energy.energy_j.half_width or 0.0) / truth_j)
                relative_errors.append(100 * abs(energy.energy_j.point / truth_j - 1))
                held += (energy.energy_j.low or 0) <= truth_j <= (energy.energy_j.high or 0)
        inside += held
        if scenario in scenarios.LOOSE_KINDS:
            loose += [held, of_kind]
        per_kind.append(f"{scenario.__name__} {100 * held / max(of_kind, 1):.0f}")
    print(f"\n{count} windows of every kind, {said}: 95 % interval holds ", end="")
    print(f"{100 * inside / (count - missing):.1f} % (goal 95 +- 2), bracket ", end="")
    print(f"{100 * bracketed / count:.1f} % (goal 100), not told {missing}")
    print("  by kind: " + ", ".join(per_kind))
    print(
        f"  work apart from its windows: {100 * sum(loose[::2]) / sum(loose[1::2]):.1f} %, ", end=""
    )
    aligned = 100 * (inside - sum(loose[::2])) / (count - missing - sum(loose[1::2]))
    print(f"work as long as its windows: {aligned:.1f} %")
    print(f"  mean half width {statistics.fmean(widths):.3f} %, ", end="")
    print(f"mean error of one {statistics.fmean(relative_errors):.3f} %")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for jitter_s in (0.0, 5e-4):
        print_errors(seeds, jitter_s)
        print_coverage(seeds, f"jitter {1e3 * jitter_s:g} ms", jitter_s=jitter_s)
    few = seeds[: max(1, len(seeds) // 4)]
    print_coverage(few, "a counter 20 ms behind its moves", lag_s=0.02)
    print_coverage(few, "jitter 3 ms, a busy machine", jitter_s=3e-3, busy_share=0.15)
    print_coverage(few, "stated period 100 ms, true 50 ms", update_period_s=0.05)


if __name__ == "__main__":
    main()
