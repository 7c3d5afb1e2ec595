"""What is shown on stderr while a study runs: a table on a terminal, a line a cell elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiler.values.plain_text import clean
from profiler.values.units import show_duration

from .cell import Cell, CellEnd, CellState
from .expected_time import Past, whole_s

if TYPE_CHECKING:
    from rich.table import Table

Result = Callable[[Cell], str]
REDRAW_PERIOD_S = 2.0
WAITING = "waiting"
RUNNING = "running"


class PlainWatch:
    """A line for each cell that ends.

    Args:
        result: what a finished cell came to, in a few words.
        past: cells of any study, and how they ended.
        quiet: tell nothing but failures.
    """

    def __init__(self, result: Result, past: Past, quiet: bool = False) -> None:
        self._result, self._past, self._quiet = result, list(past), quiet
        self._cells: tuple[Cell, ...] = ()
        self._ends: dict[str, CellEnd] = {}

    def begin(self, cells: Sequence[Cell], ends: Mapping[str, CellEnd]) -> None:
        self._cells, self._ends = tuple(cells), dict(ends)
        if not self._quiet:
            print(clean(self._state()), file=sys.stderr)

    def look(self, running: Sequence[str]) -> None: ...

    def ended(self, cell: Cell, end: CellEnd) -> None:
        self._ends[cell.name] = end
        self._past.append((cell, end))
        is_failed = end.state is CellState.FAILED
        if is_failed or not self._quiet:
            number = f"{len(self._ends)}/{len(self._cells)}"
            print(clean(f"{number} {cell.name}: {_told(end, self._result, cell)}"), file=sys.stderr)

    def close(self) -> None:
        """Nothing follows."""

    def _state(self) -> str:
        done = sum(end.state is not CellState.NOT_BEGUN for end in self._ends.values())
        failed = _failed(self._ends)
        left = [cell for cell in self._cells if cell.name not in self._ends]
        seconds, unknown = whole_s(left, self._past)
        text = f"{done} of {len(self._cells)} cells done"
        text += f", {failed} failed" if failed else ""
        if left:
            text += f"; {left_text(seconds, unknown)}"
        return text


class LiveWatch(PlainWatch):
    """A table at the foot of a terminal: what runs, what failed, what is next."""

    def __init__(self, result: Result, past: Past) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(result, past)
        self._since_s: dict[str, float] = {}
        self._title = ""
        self._drawn_s = 0.0
        console = Console(stderr=True)
        # Drawn when something is looked at: a thread that redraws would disturb what is measured.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def begin(self, cells: Sequence[Cell], ends: Mapping[str, CellEnd]) -> None:
        self._cells, self._ends = tuple(cells), dict(ends)
        self._title = self._state()
        self._draw(time.monotonic())

    def look(self, running: Sequence[str]) -> None:
        now_s = time.monotonic()
        has_changed = set(running) != self._since_s.keys()
        self._since_s = {name: self._since_s.get(name, now_s) for name in running}
        # Drawing takes time from the core that may be the one that is measured.
        if has_changed or now_s - self._drawn_s >= REDRAW_PERIOD_S:
            self._draw(now_s)

    def ended(self, cell: Cell, end: CellEnd) -> None:
        super().ended(cell, end)
        self._title = self._state()
        self.look([name for name in self._since_s if name != cell.name])

    def _draw(self, now_s: float) -> None:
        self._drawn_s = now_s
        self._live.update(self._table(now_s), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _table(self, now_s: float) -> Table:
        from rich.table import Table

        table = Table(title=clean(self._title), title_justify="left", expand=False)
        table.add_column("cell", overflow="fold")
        table.add_column("device")
        table.add_column("state")
        table.add_column("time", justify="right")
        room = max(self._live.console.height - 7, 3)
        rows = self._rows(now_s)
        for row in rows[:room]:
            table.add_row(*map(_text, row))
        if len(rows) > room:
            table.caption = f"and {len(rows) - room} more that wait"
        return table

    def _rows(self, now_s: float) -> list[tuple[str, ...]]:
        running: list[tuple[str, ...]] = []
        waiting: list[tuple[str, ...]] = []
        for cell in self._cells:
            if cell.name in self._since_s:
                seconds = show_duration(now_s - self._since_s[cell.name])
                running.append((cell.name, cell.device, RUNNING, seconds))
            elif cell.name not in self._ends:
                waiting.append((cell.name, cell.device, WAITING, ""))
        return running + waiting


def choose_watch(result: Result, past: Past, *, quiet: bool) -> LiveWatch | PlainWatch:
    """A table on a terminal, lines elsewhere."""
    if quiet or not sys.stderr.isatty():
        return PlainWatch(result, past, quiet)
    return LiveWatch(result, past)


def left_text(seconds: float, unknown: int) -> str:
    """Words for the time that is left."""
    if not unknown:
        return f"about {show_duration(seconds)} left"
    cells = f"{unknown} cell{'s' if unknown > 1 else ''} of which nothing like it has run"
    return f"{show_duration(seconds)} and {cells} left" if seconds else f"{cells} left"


def _told(end: CellEnd, result: Result, cell: Cell) -> str:
    if end.state is CellState.NOT_BEGUN:
        return end.reason
    if end.state is CellState.FAILED:
        return f"failed: {end.reason}"
    found = result(cell)
    return f"{show_duration(end.duration_s)}{f', {found}' if found else ''}"


def _failed(ends: Mapping[str, CellEnd]) -> int:
    return sum(end.state is CellState.FAILED for end in ends.values())


def _text(cell: str) -> Any:
    from rich.text import Text

    return Text(clean(cell))
