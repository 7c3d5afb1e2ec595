"""Does the 95 % interval hold in 95 % of windows, by kind of load and sensor, and how wide is it?

    python -m tests.bench.coverage --windows 1000 --first-seed 5000

The floor is the narrowest interval that is ever given: 0.01 % of the joules, and edges known to
20 us. Windows whose edges fall into idle gaps are known better than that, so that more than 99.5 %
of them hold; where the mean width is at the floor, that is no fault, and said.

Virtual time: every kind of load on every sensor, on an idle and on a busy machine (15 % of the
looks come some 10 ms late), until so many windows have been seen.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from profiler.inference import infer_energies
from profiler.inference.energy_counter import (
    CONFIDENCE,
    DEGREES_OF_FREEDOM,
    LEAST_RELATIVE_WIDTH,
)
from profiler.inference.segment_model import PARTS, STRAY
from profiler.values.statistics import t_quantile
from tests.bench import scenarios
from tests.bench.scenarios import Scenario, make
from tests.bench.virtual_recording import (
    BUSY_SHARE,
    IDLE_SHARE,
    SENSORS,
    Sensor,
    record_load,
)

GOAL_LOW, GOAL_HIGH = 93.0, 99.5
# Mean widths up to so many times the floor are at it: it is that of a step as large as the power.
AT_FLOOR = 1.5
EDGE_S = PARTS[STRAY].grid[0]


@dataclass
class Tally:
    """What became of the windows of one kind."""

    held: int = 0
    bracketed: int = 0
    untold: int = 0
    errors: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.errors) + self.untold

    def add(self, other: Tally) -> None:
        self.held += other.held
        self.bracketed += other.bracketed
        self.untold += other.untold
        self.errors += other.errors
        self.widths += other.widths
        self.floors += other.floors

    @property
    def coverage(self) -> float:
        return 100 * self.held / max(len(self.errors), 1)

    def line(self) -> str:
        absolute = [abs(error) for error in self.errors]
        width, floor = statistics.fmean(self.widths), statistics.fmean(self.floors)
        verdict = "" if GOAL_LOW <= self.coverage <= GOAL_HIGH else "  MISSED"
        if self.coverage > GOAL_HIGH and width <= AT_FLOOR * floor:
            verdict = "  at the floor"
        return (
            f"{self.count:6}{self.coverage:8.1f}{100 * self.bracketed / self.count:9.1f}"
            f"{statistics.fmean(absolute):10.3f}{statistics.fmean(self.errors):+9.3f}"
            f"{max(absolute):8.2f}{width:9.3f}"
            f"{statistics.median(self.widths):9.3f}{floor:7.3f}{verdict}"
        )


HEADER = (
    f"{'':32}{'count':>6}{'holds':>8}{'bracket':>9}{'mean err':>10}{'bias':>9}{'worst':>8}"
    f"{'width':>9}{'median':>9}{'floor':>7}"
)


def tally(kind: Scenario, sensor: Sensor, seed: int, busy_share: float) -> Tally:
    """One load of a kind, recorded and inferred; errors and half widths in % of the truth."""
    load = make(kind, seed)
    traces = record_load(load, seed, sensor=sensor, busy_share=busy_share)
    found = infer_energies(traces, [(window,) for window in load.windows], load.windows)
    result = Tally()
    for energy, truth_j, window in zip(found, load.truths_j, load.windows, strict=True):
        (device,) = (e for name, e in energy.devices.items() if "memory" not in name)
        seen = energy.energy_j
        interval_j = seen if seen is None else (seen.low or 0.0, seen.point, seen.high or math.inf)
        bracket_j = device.bracket_j or (0.0, 0.0)
        add_to(result, truth_j, window.duration_s or 0.0, bracket_j, interval_j)
    return result


def add_to(
    tally: Tally,
    truth_j: float,
    duration_s: float,
    bracket_j: Sequence[float],
    interval_j: Sequence[float] | None,
) -> None:
    """One window: its bracket, and low, point and high of its interval."""
    tally.bracketed += bracket_j[0] - 1e-6 <= truth_j <= bracket_j[1] + 1e-6
    if interval_j is None:
        tally.untold += 1
        return
    low_j, point_j, high_j = interval_j
    tally.errors.append(100 * (point_j / truth_j - 1))
    tally.widths.append(100 * (high_j - low_j) / 2 / truth_j)
    tally.floors.append(_floor(duration_s))
    tally.held += low_j <= truth_j <= high_j


def _floor(duration_s: float) -> float:
    """Half width in % by the least width, and by two edges with a step of the window's power."""
    edges = t_quantile((1 + CONFIDENCE) / 2, DEGREES_OF_FREEDOM) * 2**0.5 * EDGE_S / duration_s
    return 100 * math.hypot(LEAST_RELATIVE_WIDTH, edges)


def cells() -> Iterator[tuple[Sensor, float]]:
    """Every sensor, on an idle and on a busy machine."""
    for sensor in SENSORS:
        for busy_share in (IDLE_SHARE, BUSY_SHARE):
            yield sensor, busy_share


def of_kind(kind: Scenario, window_count: int, first_seed: int) -> dict[str, Tally]:
    """Tallies by sensor, each of at least `window_count` / (sensors x 2) windows."""
    by_sensor: dict[str, Tally] = {}
    wanted = window_count / (2 * len(SENSORS))
    for number, (sensor, busy_share) in enumerate(cells()):
        seen, seed = Tally(), first_seed + 1000 * number
        while seen.count < wanted:
            seen.add(tally(kind, sensor, seed, busy_share))
            seed += 1
        name = f"{sensor.name}{' busy' if busy_share == BUSY_SHARE else ''}"
        by_sensor[name] = seen
    return by_sensor


Run = Callable[
    [Callable[[Scenario], dict[str, Tally]], Iterable[Scenario]], Iterable[dict[str, Tally]]
]


def print_coverage(
    kinds: Sequence[Scenario],
    window_count: int,
    first_seed: int,
    *,
    each: bool = False,
    run: Run = map,
) -> None:
    """The table, one line a kind; with `each` one more for every sensor."""
    print(f"\n95 % intervals, in % (goal {GOAL_LOW:g} to {GOAL_HIGH:g}, bracket 100); ", end="")
    print(f"errors and half widths in % of the truth; seeds from {first_seed}")
    print(HEADER)
    of = partial(of_kind, window_count=window_count, first_seed=first_seed)
    for kind, by_sensor in zip(kinds, run(of, kinds), strict=True):
        together = Tally()
        for seen in by_sensor.values():
            together.add(seen)
        print(f"{kind.__name__:32}{together.line()}", flush=True)
        for name, seen in by_sensor.items() if each else ():
            print(f"    {name:28}{seen.line()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=5000)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--each", action="store_true")
    options = parser.parse_args()
    kinds = [k for k in scenarios.EVERY_KIND if not options.kind or k.__name__ in options.kind]
    print_coverage(kinds, options.windows, options.first_seed, each=options.each)


if __name__ == "__main__":
    main()
