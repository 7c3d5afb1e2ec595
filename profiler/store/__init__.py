"""Profiles on disk, and back.

A run is a folder that appears whole or not at all:

    runs/20261122T013000Z-resnet18-3fa9c1/
        profile.json     everything but the raw readings; units in the keys; what is derived, too
        trace.parquet    the raw readings, enough to recompute every joule
        layers.csv       one row a layer

JSON format history:

    1   first form. An Estimate is an object of its fields (point, low, high, unit, confidence,
        basis, source, systematic, estimated_share). "derived" holds every row of
        `profiler.quantities.QUANTITIES`, null where it was not seen; it is written for other
        programs and not read back. An infinite number is the text "Infinity" or "-Infinity".
        Later: "repetition" (blocks by process and round), "workload.allocator" and "right_answers"
        (one bit an image of the test split), all null in what was stored before.
        "codecarbon" came later: what CodeCarbon's tracker says of the whole measurement, null or
        absent where it did not run.
"""

from __future__ import annotations

from .run_files import load, load_all, load_named, save, save_run
from .stored_runs import StoredRun, list_runs, new_run_path, resolve_runs

__all__ = [
    "StoredRun",
    "list_runs",
    "load",
    "load_all",
    "load_named",
    "new_run_path",
    "resolve_runs",
    "save",
    "save_run",
]
