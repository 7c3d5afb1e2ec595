"""Watcher: shows a search while it runs, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from profiler.values.estimate import Basis
from profiler.values.plain_text import clean
from training.progress.view import SILENT, View

from .front import meeting, ranked
from .objectives import JOULES, OBJECTIVES
from .plan import SearchPlan
from .trials import Trial

SHOWN_ROWS = 8


class Watcher:
    """A line for each network; on a terminal also the best so far, redrawn below them.

    Args:
        plan: what is searched.
        quiet: show nothing but warnings.
        console: where it is shown; standard error without one.
    """

    def __init__(
        self, plan: SearchPlan, *, quiet: bool = False, console: Console | None = None
    ) -> None:
        self._plan, self._quiet = plan, quiet
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._has_warned = self._is_waiting = False
        if self._console.is_terminal and not quiet:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def view(self) -> View:
        """The view of one training: a search shows what it comes to, not its epochs."""
        return SILENT

    def begin(self, trial: Trial, deed: str) -> None:
        """Work on a network begins."""
        self._is_waiting = False
        if not self._quiet:
            self._say(f"trial {trial.number} {trial.reference}: {deed}")

    def basis_of(self, trial: Trial) -> None:
        """Warn once where joules are not measured."""
        joules = trial.costs.get(JOULES)
        if JOULES not in self._plan.wanted or joules is None or self._has_warned:
            return
        if joules.basis is Basis.MEASURED:
            return
        self._has_warned = True
        self._say(
            "warning: no sensor here measures joules; what is minimised is modelled power times "
            f"time ({clean(joules.source)}), which orders networks as their latency does"
        )

    def waiting(self, count: int) -> None:
        """Nothing is left but what other processes do."""
        if not self._quiet and not self._is_waiting:
            self._say(f"waiting for {count} networks that other processes train")
        self._is_waiting = True

    def done(self, trial: Trial, trials: Sequence[Trial]) -> None:
        """A network was trained for a round, or failed."""
        if self._quiet:
            return
        if trial.error is not None:
            self._say(f"trial {trial.number} {trial.reference}: {trial.error}")
        else:
            values = ", ".join(
                f"{OBJECTIVES[name].label} {OBJECTIVES[name].show(value)}"
                for name, value in trial.values.items()
            )
            self._say(f"trial {trial.number}, {trial.epochs} epochs: {values}")
        if self._live is not None:
            self._live.update(self._best(trials), refresh=True)

    def close(self) -> None:
        """Leave the terminal as it was found."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say(self, text: str) -> None:
        self._console.print(Text(clean(text)))
        sys.stderr.flush()

    def _best(self, trials: Sequence[Trial]) -> Table:
        done = sum(1 for trial in trials if trial.error or trial.rounds)
        table = Table(title=f"{done} of {self._plan.trial_count} networks; the best so far")
        for name in (
            "network",
            "epochs",
            *(OBJECTIVES[key].label for key in self._plan.objectives),
        ):
            table.add_column(name)
        order = ranked(meeting(trials, self._plan.constraints), self._plan.objectives)
        for trial in order[:SHOWN_ROWS]:
            shown = [OBJECTIVES[key].show(trial.values[key]) for key in self._plan.objectives]
            table.add_row(clean(trial.reference), str(trial.epochs), *map(clean, shown))
        return table
