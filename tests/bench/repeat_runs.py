"""Real runs of `measure` for `tests.bench.repeat`, the neighbours beside them, what they gave."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
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
# Burns for so many seconds of every period, from a random moment of it on, while its parent lives.
BURN = """
import os, sys, time
busy_s, period_s, first_s, disk = *map(float, sys.argv[1:4]), sys.argv[4]
parent, file = os.getppid(), open(disk, "wb") if disk else None
time.sleep(first_s)
while os.getppid() == parent:
    start_s = time.monotonic()
    while time.monotonic() < start_s + busy_s and os.getppid() == parent:
        if file:
            file.seek(0); file.write(bytes(1 << 22)); file.flush(); os.fsync(file.fileno())
    time.sleep(max(0.0, period_s - busy_s))
"""
QUIET = "quiet"
# Seconds busy, of every so many, in how many processes.
NEIGHBOURS = {
    "5s-of-20s": (5.0, 20.0, 1),
    "fifth-of-a-core": (0.02, 0.1, 1),
    "50ms-bursts": (0.05, 1.0, 1),
    "both-cores": (5.0, 20.0, 2),
    "disk": (1.0, 4.0, 1),
}


class OutOfTimeError(Exception):
    """No further run fits into the time that was given."""


class Results:
    """What has been measured, on disk line by line.

    Args:
        folder: of `results.jsonl`, and of the runs while they are looked at.
        max_seconds: budget of one `measure`: results of another budget are kept apart.
        minutes: for how long runs may be started; those that would not end in time are not.
    """

    def __init__(self, folder: Path, max_seconds: float, minutes: float | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.runs = folder / "runs"
        self._path = folder / "results.jsonl"
        self._prefix = f"{max_seconds:g} s/"
        self._until_s = None if minutes is None else time.monotonic() + 60 * minutes
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        # The last line of a bench that was stopped may be half a line.
        self._known = {line["key"]: line for line in map(_parsed, lines) if line}

    def fill(
        self, kind: str, number: int, expected_s: float, make: Callable[[int], dict[str, Any]]
    ) -> None:
        """Measure run `number` of a kind, unless it has been.

        Raises:
            OutOfTimeError: it would not end within the minutes given, by the longest of its kind,
                or by `expected_s` where it is the first.
        """
        key = f"{self._prefix}{kind}{number}"
        if key in self._known:
            return
        begun_s = time.monotonic()
        longest_s = max((row["took_s"] for row in self.known(kind)), default=expected_s)
        if self._until_s is not None and begun_s + longest_s > self._until_s:
            raise OutOfTimeError
        print(f"measuring {key}", file=sys.stderr, flush=True)
        shutil.rmtree(self.runs, ignore_errors=True)
        self._known[key] = {"key": key, **make(number), "took_s": time.monotonic() - begun_s}
        with self._path.open("a") as file:
            file.write("\n" + json.dumps(self._known[key]))

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
    busy_s, period_s, count = NEIGHBOURS.get(name, (0.0, 0.0, 0))
    first_s = random.uniform(0, period_s)
    with ExitStack() as stack:
        for _ in range(count):
            disk = str(folder / "burner.bin") if name == "disk" else ""
            words = [sys.executable, "-c", BURN, *map(str, (busy_s, period_s, first_s)), disk]
            process = subprocess.Popen(words)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@dataclass(slots=True)
class Runs:
    """How runs are made: each a `measure` of its own."""

    results: Results
    max_seconds: float

    def measure(self, *models: str, batch_size: int, seed: int) -> tuple[Profile, ...]:
        """One `measure`, several models in turns."""
        out = self.results.runs / f"{seed}"
        words = [word for model in models for word in ("--model", model)]
        words += ["--batch-size", str(batch_size), "--max-seconds", str(self.max_seconds)]
        words += ["--data", "synthetic", "--device", "cpu", "--seed", str(seed), "--quiet"]
        _profiler("measure", *words, "--out", str(out)).check_returncode()
        order = {model: place for place, model in enumerate(models)}
        return tuple(sorted(load_all(out), key=lambda item: order[item.workload.model]))

    def alone(self, number: int) -> dict[str, Any]:
        """One model, and the interval of its latency."""
        (profile,) = self.measure("lightweight", batch_size=1, seed=number)
        return {"latency": _interval(profile.latency_s)}

    def pair(self, where: str, batch_size: int, number: int) -> dict[str, Any]:
        """The same model in two runs, one after the other."""
        with neighbour(where, self.results.runs.parent):
            first, second = (
                self.measure("lightweight", batch_size=batch_size, seed=2 * number + k)[0]
                for k in (0, 1)
            )
        return {**_told(compare(first, second)), "joules": _interval(first.energy_j)}

    def together(self, where: str, first: str, second: str, number: int) -> dict[str, Any]:
        """Two models in turns, and the exit code of the gate."""
        with neighbour(where, self.results.runs.parent):
            profiles = self.measure(first, second, batch_size=1, seed=number)
        return {**_told(compare(*profiles)), "joules": _interval(profiles[0].energy_j)} | {
            "exit": _gate_code(self.results.runs / str(number), profiles)
        }


def _profiler(*words: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "profiler", *words]
    return subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)


def _told(comparison: Comparison) -> dict[str, Any]:
    """Ratios and verdict, as JSON holds them."""
    return {
        "verdict": comparison.verdict,
        "energy": _interval(comparison.energy_ratio),
        "latency": _interval(comparison.latency_ratio),
        "contended": comparison.is_contended,
    }


def _interval(estimate: Estimate | None) -> list[float | None] | None:
    return None if estimate is None else [estimate.low, estimate.point, estimate.high]


def _gate_code(folder: Path, profiles: tuple[Profile, ...]) -> int:
    """Exit code of `compare --fail-above 5%` on what was stored, in the order of measuring."""
    names = {load_all(path)[0].workload.model: str(path) for path in folder.iterdir()}
    paths = [names[profile.workload.model] for profile in profiles]
    return _profiler("compare", *paths, "--fail-above", "5%").returncode
