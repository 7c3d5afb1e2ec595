"""Progress of long work: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from profiler.interruption import heed_interruption


@contextmanager
def shown_progress(title: str, quiet: bool = False) -> Iterator[Callable[[str, float], None]]:
    """Yield a function that takes a stage and the share that is done (0 to 1)."""
    if quiet or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[stage]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0, stage="")

        def show(stage: str, share: float) -> None:
            heed_interruption()
            bar.update(task, completed=share, stage=stage)

        yield show


def _silent(stage: str, share: float) -> None:
    """Not a terminal: nobody watches, but somebody may have pressed Ctrl-C."""
    heed_interruption()
