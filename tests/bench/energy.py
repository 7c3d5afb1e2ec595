"""Joules against known truth and against the rivals' ways: `python -m tests.bench.energy`.

Every load runs on the virtual H100 (100 ms counter, 1 mJ), through the product's own NVML meter and
sampler, under a clock that jumps. Beside the segment model stand what a difference of two reads and
an interpolation in time make of the very same trace. Truth is integrated apart from the product.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from profiler.inference import infer_energies
from profiler.values.trace import Channel, ChannelKind, CounterTrace, Trace, Window
from tests.bench import scenarios
from tests.bench.coverage import print_coverage
from tests.bench.scenarios import Load, Scenario, make
from tests.bench.virtual_recording import record_load

LAGS_S = (0.0, 0.005, 0.01, 0.025)
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


def print_lags(seeds: Sequence[int]) -> None:
    """Counters that show the energy of an instant some ms before a move."""
    print(f"\n{'counter that lags, H100':34}{'mean error in %':>16}{'holds in %':>12}{'found':>8}")
    for lag_s in LAGS_S:
        held: list[bool] = []
        off: list[float] = []
        found_count = 0
        for seed in seeds:
            load = make(scenarios.short_with_gaps, seed)
            traces = record_load(load, seed, lag_s=lag_s)
            found = infer_energies(traces, [(window,) for window in load.windows], load.windows)
            for energy, truth_j in zip(found, load.truths_j, strict=True):
                if energy.energy_j is not None:
                    off.append(100 * abs(energy.energy_j.point / truth_j - 1))
                    low_j, high_j = energy.energy_j.low or 0.0, energy.energy_j.high or 0.0
                    held.append(low_j <= truth_j <= high_j)
            found_count += any(f.kind == "counter-lags" for f in found[0].findings)
        print(
            f"{f'by {1e3 * lag_s:g} ms':34}{statistics.fmean(off):>16.3f}"
            f"{100 * statistics.fmean(held):>12.1f}{found_count:>4} of {len(seeds)}"
        )


def print_cost(window_count: int) -> None:
    """What it costs to read windows of 2 ms, one by one and under one name, by their number."""
    print(f"\n{'windows of 2 ms':34}{'one by one':>14}{'under one name':>18}{'memory':>10}")
    for count in (window_count // 100, window_count // 10, window_count):
        cells = [_reading_s(count, together) for together in (False, True)]
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{count:<34}{cells[0]:>12.2f} s{cells[1]:>16.2f} s{memory_mb:>7.0f} MB")


def _reading_s(count: int, together: bool) -> float:
    """CPU seconds to infer that many windows beside two counters of 100 ms."""
    step_s = 0.0022
    traces = [steady_counter(device, 2 + count * step_s) for device in ("cpu", "dram")]
    windows = [
        Window(
            name="step" if together else f"step {number}",
            start_s=1 + number * step_s,
            end_s=1.002 + number * step_s,
        )
        for number in range(count)
    ]
    begun_s = time.process_time()
    infer_energies(traces, [windows] if together else [(w,) for w in windows], windows)
    return time.process_time() - begun_s


def steady_counter(device: str, seconds: float) -> CounterTrace:
    """A counter of 100 W that moves every 100 ms, each move seen within a millisecond."""
    moves_s = [0.1 * number for number in range(1, int(10 * seconds))]
    return CounterTrace(
        channel=Channel(
            device=device, kind=ChannelKind.ENERGY, source="counter", update_period_s=0.1
        ),
        earliest_s=tuple(move_s - 5e-4 for move_s in moves_s),
        latest_s=tuple(move_s + 5e-4 for move_s in moves_s),
        energy_j=tuple(100 * move_s for move_s in moves_s),
        epoch=(0,) * len(moves_s),
        last_seen_s=seconds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--windows", type=int, default=1000, help="of each kind, for coverage")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for jitter_s in (0.0, 5e-4):
        print_errors(seeds, jitter_s)
    print_lags(seeds)
    print_cost(100_000)
    # The last table is of seeds that nothing was tuned to: new ones at every run.
    print_coverage(scenarios.EVERY_KIND, options.windows, random.SystemRandom().randrange(10**6))


if __name__ == "__main__":
    main()
