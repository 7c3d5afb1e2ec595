"""Does a number come out the same again? Runs against themselves, beside neighbours of our own.

Every run is a real `measure` of its own. Each result is a line in OUT/results.jsonl as soon as it
is there, and is not measured again: a bench that was stopped goes on where it was. With --minutes
no run is started that would not end in time, so that it may be run in pieces; the table at the end
shows what is there by then.

    python -m tests.bench.repeat --only same --beside quiet 5s-of-20s --runs 10 --minutes 5
    python -m tests.bench.repeat --full
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.repeat_runs import NEIGHBOURS, QUIET, ROOT, OutOfTimeError, Results, Runs

NETS = ROOT / "tests" / "bench" / "repeat_nets.py"
PARTS = ("same", "coverage", "beside", "work", "gate")
START_UP_S = 20.0  # what a measurement takes beside its budget, at most
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Runs of one kind: their name, how many, how one is made, and how many `measure` it takes."""

    key: str
    count: int
    make: Callable[[int], dict[str, Any]]
    measure_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table; `share` in %, None where nothing tells yet."""

    title: str
    reached: str
    share: float | None
    count: int
    goal: str
    low: float
    high: float = 100.0

    def line(self) -> str:
        verdict = "" if self.share is None or self.low <= self.share <= self.high else "  MISSED"
        return f"{self.title:56}{self.reached:>22}{self.count:>5}  {self.goal}{verdict}"


def of_tasks(part: str, options: argparse.Namespace, runs: Runs) -> Iterator[Task]:
    """What one part measures, in the order of its worth."""
    count, ten = options.runs, f"{NETS}:ten"
    if part == "same":
        for where in options.beside:
            for size in options.batch_size:
                yield Task(
                    key=f"same/{where}/{size}/", count=count, measure_count=2,
                    make=partial(runs.pair, where, size),
                )  # fmt: skip
    elif part == "coverage":
        yield Task(key="coverage/", count=count, make=runs.alone)
    elif part == "beside":
        for where in options.beside:
            make = partial(runs.together, where, "resnet18", "lightweight")
            yield Task(key=f"beside/{where}/", count=count, make=make)
    else:
        other = f"{NETS}:eleven" if part == "work" else f"{NETS}:ten_again"
        make = partial(runs.together, QUIET, ten, other)
        yield Task(key=f"{part}/", count=count, make=make)


def measure(tasks: Sequence[Task], results: Results, max_seconds: float) -> None:
    """One run of each task after the other, round by round, so that every line grows alike."""
    for number in range(max((task.count for task in tasks), default=0)):
        for task in tasks:
            if number < task.count:
                expected_s = task.measure_count * (max_seconds + START_UP_S)
                results.fill(task.key, number, expected_s, task.make)


def goal(title: str, hits: Sequence[bool], text: str, low: float, high: float = 100.0) -> Goal:
    """A share of the runs against its goal in %."""
    share = 100 * sum(hits) / len(hits) if hits else None
    reached = f"{sum(hits)} of {len(hits)}" if hits else "nothing"
    return Goal(
        title=title, reached=reached, share=share, count=len(hits), goal=text, low=low, high=high
    )


def goals(results: Results) -> Iterator[Goal]:
    """Every goal that anything has been measured for."""
    for where in (QUIET, *NEIGHBOURS):
        for size in (1, 64):
            yield from _same(results, where, size)
    yield from _coverage(results.known("coverage/"))
    for where in (QUIET, *NEIGHBOURS):
        yield from _beside(results, where)
    more = results.known("work/")
    yield goal("1.10x as much work: found", [r["verdict"] == "more" for r in more], "90 %", 90)
    yield goal("  --fail-above 5% exits 3", [r["exit"] == 3 for r in more], "90 %", 90)
    gate = results.known("gate/")
    yield goal("A against A: --fail-above 5% exits 0", [r["exit"] == 0 for r in gate], "95 %", 95)


def _same(results: Results, where: str, size: int) -> Iterator[Goal]:
    rows = results.known(f"same/{where}/{size}/")
    right = [row["verdict"] not in ("less", "more") for row in rows]
    yield goal(f"A against A, batch {size}, {where}: no difference", right, "95 %", 95)
    for what in ("latency", "energy"):
        ratios = [row[what] for row in rows if row[what]]
        holds = [low <= 1 <= high for low, _, high in ratios if low is not None]
        yield goal(f"  {what} ratio's interval holds 1", holds, "93-99 %", 93, 100)
    contended = [not row["contended"] for row in rows]
    yield goal("  not contended", contended, "", 0)
    quiet = [r["joules"] for r in results.known(f"same/{QUIET}/{size}/") if r["joules"]]
    beside = [row["joules"] for row in rows if row["joules"] and not row["contended"]]
    if where == QUIET or not quiet or not beside:
        return
    ratio = _width(beside) / _width(quiet)
    yield Goal(
        title="  joules' interval over the quiet one's", reached=f"{ratio:.2f}x",
        share=100 * ratio, count=len(beside), goal="2x", low=0, high=200,
    )  # fmt: skip
    centre = statistics.fmean(point for _, point, _ in quiet)
    holds = [low <= centre <= high for low, _, high in beside]
    yield goal("  and holds the quiet mean", holds, "93-99 %", 93)


def _width(intervals: Sequence[tuple[float, float, float]]) -> float:
    return statistics.fmean(high - low for low, _, high in intervals)


def _coverage(rows: Rows) -> Iterator[Goal]:
    known = [row["latency"] for row in rows if row["latency"][0] is not None]
    if not known:
        return
    grand = statistics.fmean(point for _, point, _ in known)
    holds = [low <= grand <= high for low, _, high in known]
    width = 100 * _width(known) / 2 / grand
    yield goal(f"runs hold the grand mean (half width {width:.2g} %)", holds, "90-99 %", 90)


def _beside(results: Results, where: str) -> Iterator[Goal]:
    rows = results.known(f"beside/{where}/")
    right = [row["verdict"] == "less" for row in rows]
    yield goal(f"lightweight / resnet18, {where}: less", right, "all", 100)
    quiet = [row["energy"][1] for row in results.known(f"beside/{QUIET}/") if row["energy"]]
    points = [row["energy"][1] for row in rows if row["energy"]]
    if points and quiet:
        off = 100 * (statistics.fmean(points) / statistics.fmean(quiet) - 1)
        yield Goal(
            title=f"  ratio {statistics.fmean(points):.3g}x, off the quiet one by",
            reached=f"{off:+.1f} %", share=off, count=len(points), goal="10 %", low=-10, high=10,
        )  # fmt: skip


def print_goals(results: Results) -> None:
    print(f"{'':56}{'reached':>22}{'n':>5}  goal")
    for row in goals(results):
        if row.count:
            print(row.line())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--full", action="store_true", help="as many runs as the goals name: days")
    add("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    places = (QUIET, *NEIGHBOURS)
    add("--beside", nargs="+", choices=places, metavar="NEIGHBOUR", help=", ".join(places))
    add("--batch-size", nargs="+", type=int, choices=(1, 64))
    add("--runs", type=int, help="of each kind (pairs of runs, for `same`)")
    add("--max-seconds", type=float, help="budget of one `measure`")
    add("--minutes", type=float, help="start no run that would not end within them")
    add("--out", type=Path, default=ROOT / "build" / "bench-repeat")
    options = parser.parse_args()
    options.beside = options.beside or (places if options.full else places[:3])
    options.batch_size = options.batch_size or ((1, 64) if options.full else (1,))
    options.max_seconds = options.max_seconds or (60.0 if options.full else 15.0)
    results = Results(options.out, options.max_seconds, options.minutes)
    runs = Runs(results, options.max_seconds)
    usual = {"same": 40} if options.full else {"coverage": 5}
    asked = options.runs
    try:
        for part in options.only:
            options.runs = asked or usual.get(part, 20 if options.full else 2)
            measure(list(of_tasks(part, options, runs)), results, options.max_seconds)
    except OutOfTimeError:
        print(f"not all within {options.minutes:g} minutes: the same command goes on from here\n")
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here\n")
    print_goals(results)


if __name__ == "__main__":
    main()
