"""Time cut into phases: every instant belongs to exactly one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from profiler.values.trace import Window

from .entries import Phase

SHORTEST_GAP_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A phase from where it begins to where it ends, without a break."""

    phase: str
    epoch: int | None
    start_s: float
    end_s: float
    item_count: int | None = None

    @property
    def duration_s(self) -> float:
        """From its beginning to its end."""
        return self.end_s - self.start_s

    @property
    def window(self) -> Window:
        """The same, as the estimator takes it."""
        return Window(name=self.phase, start_s=self.start_s, end_s=self.end_s)


def window_name(phase: str, epoch: int | None) -> str:
    """How a recording names the windows of a phase: "train 3", "setup"."""
    return str(phase) if epoch is None else f"{phase} {epoch}"


def phase_of(name: str) -> tuple[str, int | None]:
    """Phase and epoch of a window's name."""
    phase, _, epoch = name.rpartition(" ")
    return (phase, int(epoch)) if phase and epoch.isdecimal() else (name, None)


def alike(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The windows under the names of their phases: the work of a phase is the same every epoch."""
    return tuple(replace(window, name=phase_of(window.name)[0]) for window in windows)


def close_gaps(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows in the order of time, without gaps of less than 1 ms between two of them.

    What the loop does between two phases is mostly nothing; no counter's moves are known so
    sharply that it could be told apart, and every edge costs time to infer.
    """
    closed: list[Window] = []
    for window in sorted(windows, key=lambda window: window.start_s):
        end_s = closed[-1].end_s if closed else None
        if end_s is not None and 0 < window.start_s - end_s < SHORTEST_GAP_S:
            window = replace(window, start_s=end_s)
        closed.append(window)
    return tuple(closed)


def cut(windows: Sequence[Window], start_s: float, until_s: float) -> tuple[Stretch, ...]:
    """Stretches from `start_s` to `until_s`, without a gap and without overlap.

    Args:
        windows: phases in the order of time, none inside another; one that is still open goes on
            until the end.
        start_s: where the first stretch begins.
        until_s: where the last one ends.
    """
    stretches: list[Stretch] = []
    cursor_s, latest_epoch = start_s, None
    for window in windows:
        phase, epoch = phase_of(window.name)
        epoch = latest_epoch if window.name == Phase.OTHER else epoch
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


Work = tuple[str, int | None]
"""A phase and its epoch."""


def by_work(stretches: Iterable[Stretch]) -> dict[Work, list[Stretch]]:
    """The stretches of each phase of each epoch, in the order in which they first occur."""
    groups: dict[Work, list[Stretch]] = {}
    for stretch in stretches:
        groups.setdefault((stretch.phase, stretch.epoch), []).append(stretch)
    return groups


def fold(stretches: Sequence[Stretch], most: int) -> dict[Work, list[Stretch]]:
    """As `by_work`, with at most about `most` groups: short neighbours are one group together.

    Such a group has one stretch, with what lay between its phases, and the name of them all; a
    phase of an epoch is in one group with all of its stretches. What lies between other phases is
    left out. So few edges are left to infer that the time it takes is bounded.
    """
    named = by_work(stretch for stretch in stretches if _work(stretch) is not None)
    if len(named) <= most:
        return named
    least_s = sum(stretch.duration_s for stretch in stretches) / (1 << 12)
    blocks = _blocks(stretches, least_s)
    while len(blocks) > max(most, 1):
        least_s *= 2
        blocks = _blocks(stretches, least_s)
    groups: dict[Work, list[Stretch]] = {}
    for block in blocks:
        own = by_work(stretch for stretch in block if _work(stretch) is not None)
        if len(own) == 1:
            groups.update(own)
        else:
            # The word at the end keeps it from being read as a phase and its epoch.
            name = f"{joint_name(list(own))} together"
            first, last = block[0], block[-1]
            groups[name, None] = [replace(first, phase=name, epoch=None, end_s=last.end_s)]
    return groups


def _work(stretch: Stretch) -> Work | None:
    """What a stretch is of; None for what lies between phases."""
    return None if stretch.phase == Phase.OTHER else (stretch.phase, stretch.epoch)


def _blocks(stretches: Sequence[Stretch], least_s: float) -> list[list[Stretch]]:
    """Neighbours in runs that last `least_s` each; a stretch as long as that begins a run.

    Runs of nothing but time between phases are left out.
    """
    last_at = {_work(stretch): at for at, stretch in enumerate(stretches)}
    blocks: list[list[Stretch]] = [[]]
    whole_at, lasted_s = -1, 0.0  # the run may end once all of its phases are over
    for at, stretch in enumerate(stretches):
        if at > whole_at and (lasted_s >= least_s or stretch.duration_s >= least_s):
            blocks.append([])
            lasted_s = 0.0
        blocks[-1].append(stretch)
        lasted_s += stretch.duration_s
        if _work(stretch) is not None:
            whole_at = max(whole_at, last_at[_work(stretch)])
    return [block for block in blocks if any(_work(stretch) is not None for stretch in block)]


def joint_name(works: Sequence[Work]) -> str:
    """One name for several phases: "train 0-31, validation 0-31"."""
    epochs: dict[str, list[int]] = {}
    for phase, epoch in works:
        epochs.setdefault(phase, []).extend([] if epoch is None else [epoch])
    return ", ".join(f"{phase} {_ranges(own)}".strip() for phase, own in epochs.items())


def _ranges(numbers: Sequence[int]) -> str:
    ordered = sorted(set(numbers))
    firsts = [n for at, n in enumerate(ordered) if at == 0 or ordered[at - 1] != n - 1]
    lasts = [a for a, b in pairwise(ordered) if b != a + 1] + ordered[-1:]
    return "+".join(
        str(first) if first == last else f"{first}-{last}"
        for first, last in zip(firsts, lasts, strict=True)
    )
