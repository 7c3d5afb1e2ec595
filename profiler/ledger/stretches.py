"""Time cut into phases: every instant belongs to exactly one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from profiler.values.trace import Window

from .entries import Phase

SHORTEST_GAP_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A phase from where it begins to where it ends, without a break."""

    phase: Phase
    epoch: int | None
    start_s: float
    end_s: float
    item_count: int | None = None

    @property
    def window(self) -> Window:
        """The same, as the estimator takes it."""
        return Window(name=self.phase.value, start_s=self.start_s, end_s=self.end_s)


def window_name(phase: Phase, epoch: int | None) -> str:
    """How a recording names the windows of a phase: "train 3", "setup"."""
    return phase.value if epoch is None else f"{phase.value} {epoch}"


def phase_of(name: str) -> tuple[Phase, int | None]:
    """Phase and epoch of a window's name."""
    phase, _, epoch = name.partition(" ")
    return Phase(phase), int(epoch) if epoch else None


def alike(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The windows under the names of their phases: the work of a phase is the same every epoch."""
    return tuple(replace(window, name=phase_of(window.name)[0].value) for window in windows)


def close_gaps(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows, each begun where the one before it ended if that was less than 1 ms earlier.

    What the loop does between two phases is mostly nothing; no counter's moves are known so
    sharply that it could be told apart, and every edge costs time to infer.
    """
    closed: list[Window] = []
    for window in windows:
        end_s = closed[-1].end_s if closed else None
        if end_s is not None and 0 < window.start_s - end_s < SHORTEST_GAP_S:
            window = replace(window, start_s=end_s)
        closed.append(window)
    return tuple(closed)


def cut(windows: Sequence[Window], start_s: float, until_s: float) -> tuple[Stretch, ...]:
    """Stretches from `start_s` to `until_s`, without a gap and without overlap.

    Args:
        windows: phases in the order in which they were opened, none inside another; one that is
            still open goes on until the end.
        start_s: where the first stretch begins.
        until_s: where the last one ends.
    """
    stretches: list[Stretch] = []
    cursor_s, latest_epoch = start_s, None
    for window in windows:
        phase, epoch = phase_of(window.name)
        first_s = min(max(window.start_s, cursor_s), until_s)
        last_s = until_s if window.end_s is None else min(window.end_s, until_s)
        if first_s > cursor_s:
            stretches.append(_between(latest_epoch, cursor_s, first_s))
        if last_s > first_s:
            stretches.append(
                Stretch(
                    phase=phase,
                    epoch=epoch,
                    start_s=first_s,
                    end_s=last_s,
                    item_count=window.item_count,
                )
            )
        if window.start_s < until_s:
            latest_epoch = epoch
        cursor_s = max(first_s, last_s, cursor_s)
    if cursor_s < until_s:
        stretches.append(_between(latest_epoch, cursor_s, until_s))
    return tuple(stretches)


def _between(epoch: int | None, start_s: float, end_s: float) -> Stretch:
    return Stretch(phase=Phase.OTHER, epoch=epoch, start_s=start_s, end_s=end_s)
