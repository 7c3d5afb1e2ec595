"""Starting the program as a user does: another process, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    *("--device", "cpu", "--max-seconds", "0.5", "--batch-size", "1", "--threads", "1"),
    *("--processes", "1"),
)
COMMAND = (sys.executable, "-m", "profiler")


def environment() -> dict[str, str]:
    """Found through PYTHONPATH, so that it works without an installation, from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
