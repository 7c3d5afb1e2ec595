"""How long the verbs that need no torch take to start, against an empty Python.

python -m tests.bench.startup      best of several runs each, alternating, so that a busy moment
                                   of the machine does not hit one of them alone
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from profiler.store import save_run
from tests.sample import sample_profile

ROUNDS = 7
LIMIT = 6.0


def commands() -> dict[str, list[str]]:
    return {
        "python -c pass": ["-c", "pass"],
        "--help": ["-m", "profiler", "--help"],
        "measure --help": ["-m", "profiler", "measure", "--help"],
        "report": ["-m", "profiler", "report", "runs"],
        "report --format html": ["-m", "profiler", "report", "runs", "--format", "html"],
        "compare": ["-m", "profiler", "compare", "runs", "runs"],
        "runs": ["-m", "profiler", "runs"],
        "score": ["-m", "profiler", "score", "--parameters", "258292", "--macs", "12159488"],
    }


def best_seconds(folder: Path) -> dict[str, float]:
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, words in commands().items():
            begun_s = time.perf_counter()
            subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, check=False)
            spent_s = time.perf_counter() - begun_s
            best[name] = min(spent_s, best.get(name, spent_s))
    return best


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        save_run(sample_profile(), Path(folder) / "runs")
        seconds = best_seconds(Path(folder))
    base_s = seconds["python -c pass"]
    for name, spent_s in seconds.items():
        print(f"{name:<22} {1000 * spent_s:6.0f} ms  {spent_s / base_s:5.1f}x")
    return int(any(seconds[name] > LIMIT * base_s for name in ("--help", "report")))


if __name__ == "__main__":
    sys.exit(main())
