"""A few lines at the foot of a terminal, redrawn while a run trains; finished epochs scroll above.

Everything is drawn from the loop's own thread, at most a few times a second: a thread that redraws
would take its share of the cores that are being measured, and would read the ledger while the loop
writes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from profiler.values.estimate import Estimate
from profiler.values.plain_text import clean

from .view import Gauge, Progress
from .words import cost_facts, epoch_facts, left_facts, title

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.result import TrainingResult

REDRAW_PERIOD_S = 0.25
_GAP = "   "

_Arguments = ParamSpec("_Arguments")


class LiveView:
    """A terminal: title, bar and numbers, however wide or narrow it is.

    Args:
        console: where it is drawn; standard error without one.
        now_s: a monotonic clock.
    """

    def __init__(
        self, console: Console | None = None, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(stderr=True)
        self._now_s = now_s
        self._live: Live | None = None
        self._is_closed = False
        self._drawn_s = now_s()
        self._title = ""
        self._stage = "starting"
        self._epochs = 1
        self._epoch = 0
        self._share = 0.0
        self._progress: Progress | None = None
        self._told_s = 0.0
        self._gauge: Gauge | None = None
        self._pace = Pace()
        self._left_s: float | None = None

    def begin(
        self,
        recipe: Recipe,
        *,
        folder: Path,
        description: str,
        done_epochs: int = 0,
        gauge: Gauge | None = None,
        epoch_steps: int = 1,
        done_steps: int = 0,
    ) -> None:
        self._title = title(recipe, description)
        self._epochs, self._epoch, self._gauge = recipe.epochs, done_epochs, gauge
        self._start()
        self.note(f"kept in {folder}")

    def stage(self, text: str) -> None:
        self._stage = text
        self._start()
        self._draw(self._refresh)

    def tick(self) -> None:
        if self._now_s() - self._drawn_s >= REDRAW_PERIOD_S:
            self._draw(self._refresh)

    def step(self, epoch: int, share: float) -> None:
        was_stage, self._stage = self._stage, ""
        self._epoch, self._share = epoch - 1, share
        if was_stage or self._now_s() - self._drawn_s >= REDRAW_PERIOD_S:
            self._left_s = self._pace.left_s(self._now_s(), self._done)
            self._draw(self._refresh)

    def loss(self, step: int, loss: float) -> None: ...

    def epoch(self, progress: Progress) -> None:
        point = progress.point
        self._progress, self._epoch, self._share = progress, point.epoch, 0.0
        self._told_s = self._now_s()
        number = f"epoch {point.epoch}/{self._epochs}"
        facts = [number, *epoch_facts(point), *cost_facts(None, point.energy_j, None)]
        # What does not fit is left out whole: half a number is another number.
        self.note(pack(facts, self._console.width)[0])

    def note(self, text: str) -> None:
        self._draw(self._print, Text(clean(text), overflow="ellipsis"))

    def end(self, outcome: TrainingResult) -> None: ...

    def close(self) -> None:
        if self._live is not None:
            self._draw(self._live.stop)
        self._live, self._is_closed = None, True

    def _start(self) -> None:
        if self._live is None and not self._is_closed:
            self._live = Live(self, console=self._console, auto_refresh=False, transient=True)
            self._draw(self._live.start)

    def _draw(
        self,
        action: Callable[_Arguments, None],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> None:
        self._drawn_s = self._now_s()
        try:
            action(*args, **kwargs)
        except OSError:  # the terminal was closed: the training goes on without it
            self._live, self._is_closed = None, True

    def _print(self, text: Text) -> None:
        if self._live is not None:
            self._console.print(text, no_wrap=True, crop=True)

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text | Table]:
        """What stands at the foot: as many lines as its width needs."""
        width = options.max_width
        if not self._title:
            yield Text(self._stage)
            return
        yield Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")
        yield self._bar(width)
        for line in pack(self._facts(), width):
            yield Text(line, no_wrap=True, overflow="ellipsis")

    @property
    def _done(self) -> float:
        return min((self._epoch + self._share) / self._epochs, 1.0)

    def _bar(self, width: int) -> Table:
        done = self._done
        number = min(self._epoch + 1, self._epochs)
        head = Text(f"epoch {number}/{self._epochs}", no_wrap=True)
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=done, width=max(4, min(40, width - 24)))
        grid.add_row(head, bar, Text(f"{100 * done:.0f} %", no_wrap=True))
        return grid

    def _facts(self) -> list[str]:
        gauge, facts = self._gauge, [self._stage] if self._stage else []
        power_w = None if gauge is None else gauge.power_w
        energy_j = None if gauge is None else gauge.joules_so_far
        if self._progress is None:
            return [*facts, *cost_facts(power_w, energy_j, None), *left_facts(self._left_s, None)]
        now = extrapolate(self._progress, energy_j, self._now_s() - self._told_s)
        return [
            *facts,
            *epoch_facts(now.point),
            *cost_facts(power_w or now.power_w, energy_j or now.point.energy_j, now.carbon_g),
            *left_facts(self._left_s if now.left_s is None else now.left_s, now.left_j),
        ]


def pack(facts: Iterable[str], width: int) -> list[str]:
    """Facts in lines of at most `width` characters; one that is longer has a line to itself."""
    lines: list[str] = []
    for fact in facts:
        if lines and len(lines[-1]) + len(_GAP) + len(fact) <= width:
            lines[-1] += _GAP + fact
        else:
            lines.append(fact)
    return lines


LEAST_S = 5.0
"""How long a pace is watched before anything is said of it."""


def extrapolate(progress: Progress, energy_j: Estimate | None, gone_s: float) -> Progress:
    """The same, some seconds later: grams have grown as joules have, and less is left.

    Args:
        progress: at the end of the last epoch.
        energy_j: joules of the run by now; None where they are not known.
        gone_s: seconds since that end.
    """
    left_s = None if progress.left_s is None else max(progress.left_s - gone_s, 0.0)
    settled_j = progress.point.energy_j
    if energy_j is None or settled_j is None or min(settled_j.point, energy_j.point) <= 0:
        return replace(progress, left_s=left_s)
    carbon_g, left_j = progress.carbon_g, progress.left_j
    if carbon_g is not None:
        carbon_g = carbon_g.scaled(energy_j.point / settled_j.point, carbon_g.unit)
    if left_j is not None:
        spent_j = max(energy_j.point - settled_j.point, 0.0)
        left_j = replace(left_j, point=max(left_j.point - spent_j, 0.0), low=None, high=None)
    return replace(progress, carbon_g=carbon_g, left_s=left_s, left_j=left_j)


class Pace:
    """How fast the batches go, before whole epochs can tell."""

    def __init__(self) -> None:
        self._begun: tuple[float, float] | None = None

    def left_s(self, now_s: float, done: float) -> float | None:
        """Seconds until `done` is 1 at the pace since the first call; None while it is young."""
        if self._begun is None:
            self._begun = now_s, done
        begun_s, begun = self._begun
        if now_s - begun_s < LEAST_S or done <= begun:
            return None
        return (now_s - begun_s) / (done - begun) * (1 - done)
