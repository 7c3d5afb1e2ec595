"""Does a number come out the same again? Runs against themselves, beside neighbours of our own.

Every run is a real `measure` of its own. Each result is a line in OUT/results.jsonl as soon as it
is there, and is not measured again: a bench that was stopped goes on where it was.

    python -m tests.bench.repeat [--full] [--only same coverage beside work gate] [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.comparison.verdicts import Comparison, compare
from profiler.store import load_all
from profiler.values.estimate import Estimate
from profiler.values.profile import Profile

ROOT = Path(__file__).resolve().parents[2]
NETS = ROOT / "tests" / "bench" / "repeat_nets.py"
BURN = """
import sys, time
busy_s, period_s, disk = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
file = open(disk, "wb") if disk else None
while True:
    start_s = time.monotonic()
    while time.monotonic() < start_s + busy_s:
        if file:
            file.seek(0); file.write(bytes(1 << 22)); file.flush()
    time.sleep(max(0.0, period_s - busy_s))
"""
QUIET = "quiet"
# Seconds busy, of every so many, in how many processes.
NEIGHBOURS = {
    "5 s of every 20 s": (5.0, 20.0, 1),
    "20 % of one core": (0.02, 0.1, 1),
    "50 ms bursts": (0.05, 1.0, 1),
    "both cores, 5 s of 20 s": (5.0, 20.0, 2),
    "disk": (1.0, 4.0, 1),
}
PARTS = ("same", "coverage", "beside", "work", "gate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is run: repetitions of each part, and the budget of a run."""

    pairs: int
    coverage: int
    beside: int
    work: int
    gate: int
    max_seconds: float
    neighbours: tuple[str, ...]
    batch_sizes: tuple[int, ...]


SMALL = Size(
    pairs=2, coverage=5, beside=2, work=2, gate=2, max_seconds=15.0,
    neighbours=tuple(NEIGHBOURS)[:2], batch_sizes=(1,),
)  # fmt: skip
FULL = Size(
    pairs=40, coverage=20, beside=20, work=20, gate=20, max_seconds=60.0,
    neighbours=tuple(NEIGHBOURS), batch_sizes=(1, 64),
)  # fmt: skip


class Results:
    """What has been measured, on disk line by line."""

    def __init__(self, folder: Path, max_seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.runs = folder / "runs"
        self._path = folder / "results.jsonl"
        self._prefix = f"{max_seconds:g} s/"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        # The last line of a bench that was stopped may be half a line.
        self._known = {line["key"]: line for line in map(_parsed, lines) if line}

    def get(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of that name, measured now where it is not there yet."""
        key = self._prefix + key
        if key not in self._known:
            print(f"measuring {key}", file=sys.stderr, flush=True)
            shutil.rmtree(self.runs, ignore_errors=True)
            self._known[key] = {"key": key, **make()}
            with self._path.open("a") as file:
                file.write("\n" + json.dumps(self._known[key]))
        return self._known[key]

    def known(self, start: str) -> list[dict[str, Any]]:
        """Results whose names begin so."""
        prefix = self._prefix + start
        return [row for key, row in self._known.items() if key.startswith(prefix)]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)  # type: ignore[no-any-return]  # our own lines
    except ValueError:
        return None


@contextmanager
def neighbour(name: str, folder: Path) -> Iterator[None]:
    """A burner of that name beside what runs inside; nothing for "quiet"."""
    with ExitStack() as stack:
        busy_s, period_s, count = NEIGHBOURS.get(name, (0.0, 0.0, 0))
        disk = str(folder / "burner.bin") if name == "disk" else ""
        for _ in range(count):
            words = [sys.executable, "-c", BURN, str(busy_s), str(period_s), disk]
            process = subprocess.Popen(words)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@dataclass(slots=True)
class Bench:
    """One bench: its size, its results, and how a run is made."""

    size: Size
    results: Results

    def measure(self, *models: str, batch_size: int, seed: int) -> tuple[Profile, ...]:
        """One `measure` of its own, several models in turns."""
        out = self.results.runs / f"{seed}"
        words = [word for model in models for word in ("--model", model)]
        words += ["--batch-size", str(batch_size), "--max-seconds", str(self.size.max_seconds)]
        words += ["--data", "synthetic", "--device", "cpu", "--seed", str(seed), "--quiet"]
        command = [sys.executable, "-m", "profiler", "measure", *words, "--out", str(out)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)
        order = {model: place for place, model in enumerate(models)}
        return tuple(sorted(load_all(out), key=lambda item: order[item.workload.model]))

    def pair(self, where: str, batch_size: int, number: int) -> dict[str, Any]:
        """The same model in two runs, one after the other."""
        with neighbour(where, self.results.runs.parent):
            first, second = (
                self.measure("lightweight", batch_size=batch_size, seed=2 * number + k)[0]
                for k in (0, 1)
            )
        return {**told(compare(first, second)), "joules": interval(first.energy_j)}

    def together(self, where: str, first: str, second: str, number: int) -> dict[str, Any]:
        """Two models in turns, and the exit code of the gate."""
        with neighbour(where, self.results.runs.parent):
            profiles = self.measure(first, second, batch_size=1, seed=number)
        comparison = compare(*profiles)
        return {**told(comparison), "joules": interval(profiles[0].energy_j)} | {
            "exit": gate_code(self.results.runs / str(number), profiles)
        }


def told(comparison: Comparison) -> dict[str, Any]:
    """Ratios and verdict, as JSON holds them."""
    return {
        "verdict": comparison.verdict,
        "energy": interval(comparison.energy_ratio),
        "latency": interval(comparison.latency_ratio),
        "contended": comparison.is_contended,
    }


def interval(estimate: Estimate | None) -> list[float | None] | None:
    return None if estimate is None else [estimate.low, estimate.point, estimate.high]


def gate_code(folder: Path, profiles: tuple[Profile, ...]) -> int:
    """Exit code of `compare --fail-above 5%` on what was stored, in the order of measuring."""
    names = {load_all(path)[0].workload.model: str(path) for path in folder.iterdir()}
    paths = [names[profile.workload.model] for profile in profiles]
    command = [sys.executable, "-m", "profiler", "compare", *paths, "--fail-above", "5%"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)
    return done.returncode


def share(hits: list[bool]) -> str:
    return f"{sum(hits)} of {len(hits)}" if hits else "nothing measured"


def same(bench: Bench) -> None:
    """A model against itself in two runs."""
    for where in (QUIET, *bench.size.neighbours):
        for batch_size in bench.size.batch_sizes:
            rows = [
                bench.results.get(
                    f"same/{where}/{batch_size}/{k}",
                    lambda where=where, size=batch_size, k=k: bench.pair(where, size, k),
                )
                for k in range(bench.size.pairs)
            ]
            right = [row["verdict"] not in ("less", "more") for row in rows]
            ratios = [row["latency"] for row in rows if row["latency"]]
            holds = [low <= 1 <= high for low, _, high in ratios if low is not None]
            print(
                f"A against A, batch {batch_size}, {where}: no difference claimed in "
                f"{share(right)} (goal 95 %); intervals hold 1 in {share(holds)} (goal 93-99 %); "
                f"{sum(row['contended'] for row in rows)} contended"
            )
            if where != QUIET:
                _print_joules(bench, f"same/{QUIET}/{batch_size}/", where, rows)


def _print_joules(bench: Bench, quiet: str, where: str, rows: list[dict[str, Any]]) -> None:
    """Widths of the joules' intervals beside a neighbour, over the quiet ones'."""
    known = bench.results.known(quiet)
    base = [row["joules"] for row in known if row["joules"]]
    beside = [row["joules"] for row in rows if row["joules"] and not row["contended"]]
    if not base or not beside:
        return
    centre = sum(point for _, point, _ in base) / len(base)
    wide = [(high - low) for low, _, high in beside]
    usual = sum(high - low for low, _, high in base) / len(base)
    holds = [low <= centre <= high for low, _, high in beside]
    print(
        f"  joules {where}: intervals {sum(wide) / len(wide) / usual:.1f}x the quiet ones "
        f"(goal 2), hold the quiet mean in {share(holds)}"
    )


def coverage(bench: Bench) -> None:
    """Intervals of many runs of one model against their grand mean."""
    rows = [
        bench.results.get(
            f"coverage/{k}",
            lambda k=k: {
                "latency": interval(bench.measure("lightweight", batch_size=1, seed=k)[0].latency_s)
            },
        )["latency"]
        for k in range(bench.size.coverage)
    ]
    grand = sum(point for _, point, _ in rows) / len(rows)
    holds = [low <= grand <= high for low, _, high in rows if low is not None]
    widths = [(high - low) / 2 / point for low, point, high in rows]
    print(
        f"latency of lightweight in {len(rows)} runs: intervals hold the grand mean in "
        f"{share(holds)} (goal 90-99 %), half width {100 * sum(widths) / len(widths):.2g} %"
    )


def beside(bench: Bench) -> None:
    """Lightweight against resnet18, quiet and with each neighbour."""
    quiet: float | None = None
    for where in (QUIET, *bench.size.neighbours):
        rows = [
            bench.results.get(
                f"beside/{where}/{k}",
                lambda where=where, k=k: bench.together(where, "resnet18", "lightweight", k),
            )
            for k in range(bench.size.beside)
        ]
        points = [row["energy"][1] for row in rows if row["energy"]]
        right = [row["verdict"] == "less" for row in rows]
        mean = sum(points) / len(points) if points else None
        quiet = mean if where == QUIET else quiet
        text = "no ratio" if mean is None else f"ratio {mean:.3g}x"
        if mean is not None and quiet:
            text += f", {100 * (mean / quiet - 1):+.1f} % off the quiet one (goal 10 %)"
        print(
            f"lightweight / resnet18, {where}: {text}; verdict right in {share(right)} (goal all)"
        )


def work(bench: Bench) -> None:
    """Ten per cent more work, in turns."""
    rows = [
        bench.results.get(
            f"work/{k}",
            lambda k=k: bench.together(QUIET, f"{NETS}:ten", f"{NETS}:eleven", k),
        )
        for k in range(bench.size.work)
    ]
    found = [row["verdict"] == "more" for row in rows]
    print(
        f"1.10x as much work: found in {share(found)} (goal 18 of 20), --fail-above 5% exits 3 in "
        f"{share([row['exit'] == 3 for row in rows])}"
    )


def gate(bench: Bench) -> None:
    """A model against itself, in turns, through the gate."""
    rows = [
        bench.results.get(
            f"gate/{k}", lambda k=k: bench.together(QUIET, f"{NETS}:ten", f"{NETS}:ten_again", k)
        )
        for k in range(bench.size.gate)
    ]
    passed = [row["exit"] == 0 for row in rows]
    print(f"A against A, --fail-above 5%: exits 0 in {share(passed)} (goal 19 of 20)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="as many runs as the goals name: a day")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench-repeat")
    arguments = parser.parse_args()
    size = FULL if arguments.full else SMALL
    bench = Bench(size, Results(arguments.out, size.max_seconds))
    parts = {"same": same, "coverage": coverage, "beside": beside, "work": work, "gate": gate}
    for name in arguments.only:
        parts[name](bench)


if __name__ == "__main__":
    main()
