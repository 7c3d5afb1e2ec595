"""From readings to settled joules: a span of a segment inferred by phase, as one, and up to notes.

A span is settled with what was read around it, not with the whole recording: power that is long
past tells the segment model nothing, and a day of it would cost seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from profiler.values.estimate import Basis
from profiler.values.trace import Channel, CounterTrace, Trace, Window

from .entries import Entry
from .records import Note, NotedEnergy, Settlement
from .stretches import Stretch, alike, close_gaps, cut

if TYPE_CHECKING:
    from profiler.inference import TargetEnergy

NEIGHBOURHOOD_S = 30.0
NEIGHBOURHOOD_PERIODS = 150
USUAL_PERIOD_S = 0.1
WHOLE = "segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a recording holds: readings, the windows of the phases, and the last instant of both."""

    traces: tuple[Trace, ...]
    windows: tuple[Window, ...]
    now_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Part of a segment that is to be settled."""

    segment: int
    host: int
    from_s: float
    until_s: float


def settle(seen: Seen, span: Span, notes: Sequence[Note]) -> Settlement:
    """Infer a span: by epoch and phase, as a whole, and up to each note that falls into it.

    Args:
        seen: readings and windows, at least those of the span and its neighbourhood.
        span: from where to where.
        notes: of the segment; those outside the span are left alone.
    """
    seen = replace(seen, windows=close_gaps(seen.windows))
    near = _near(seen, span)
    groups = _by_work(cut(seen.windows, span.from_s, span.until_s))
    noted = [note for note in notes if span.from_s < note.time_s <= span.until_s]
    targets = [tuple(part.window for part in parts) for parts in groups]
    targets += [(_whole(span.from_s, until_s),) for until_s in (span.until_s,)]
    targets += [(_whole(span.from_s, note.time_s),) for note in noted]
    energies = infer(near, targets)
    of_entries, whole = energies[: len(groups)], energies[len(groups)]
    of_notes = energies[len(groups) + 1 :]
    return Settlement(
        segment=span.segment,
        from_s=span.from_s,
        until_s=span.until_s,
        energy_j=whole.energy_j,
        entries=tuple(
            _entry(span, parts, energy) for parts, energy in zip(groups, of_entries, strict=True)
        ),
        noted=tuple(
            NotedEnergy(epoch=note.epoch, energy_j=energy.energy_j)
            for note, energy in zip(noted, of_notes, strict=True)
        ),
        findings=whole.findings,
    )


def load_estimator() -> None:
    """Import what `infer` needs: a second, which nobody should take for the cost of inference."""
    import profiler.inference  # noqa: F401  # loaded here for its own sake


def infer(seen: Seen, targets: Sequence[tuple[Window, ...]]) -> tuple[TargetEnergy, ...]:
    """Joules of each target; phases of one kind are one kind of work."""
    from profiler.inference import infer_energies

    return infer_energies(seen.traces, targets, alike(seen.windows), now_s=seen.now_s)


def infer_whole(seen: Seen, from_s: float, until_s: float) -> TargetEnergy:
    """Joules from one instant to another as one window."""
    return infer(seen, [(_whole(from_s, until_s),)])[0]


def neighbourhood_s(channel: Channel) -> float:
    """How far before a span the readings of a channel still tell something about it."""
    return max(NEIGHBOURHOOD_S, NEIGHBOURHOOD_PERIODS * (channel.update_period_s or USUAL_PERIOD_S))


def _near(seen: Seen, span: Span) -> Seen:
    """Readings and windows around a span, without channels that could enter no total."""
    traces = [_cut_trace(trace, span) for trace in seen.traces if not is_second_opinion(trace)]
    reach_s = max((neighbourhood_s(trace.channel) for trace in traces), default=0.0)
    windows = tuple(
        window
        for window in seen.windows
        if window.start_s <= span.until_s + reach_s
        and (window.end_s is None or window.end_s >= span.from_s - reach_s)
    )
    return Seen(traces=tuple(traces), windows=windows, now_s=seen.now_s)


def is_second_opinion(trace: Trace) -> bool:
    """Whether a channel is a model that stands beside a sensor of the same devices."""
    channel = trace.channel
    return channel.uncountable is not None and channel.basis.weakness > Basis.MEASURED.weakness


def _cut_trace(trace: Trace, span: Span) -> Trace:
    reach_s = neighbourhood_s(trace.channel)
    if isinstance(trace, CounterTrace):
        keep = slice(
            bisect_left(trace.latest_s, span.from_s - reach_s),
            bisect_right(trace.earliest_s, span.until_s + reach_s),
        )
        return replace(
            trace,
            earliest_s=trace.earliest_s[keep],
            latest_s=trace.latest_s[keep],
            energy_j=trace.energy_j[keep],
            epoch=trace.epoch[keep],
        )
    keep = slice(
        bisect_left(trace.time_s, span.from_s - reach_s),
        bisect_right(trace.time_s, span.until_s + reach_s),
    )
    return replace(trace, time_s=trace.time_s[keep], power_w=trace.power_w[keep])


def _by_work(stretches: Sequence[Stretch]) -> list[list[Stretch]]:
    groups: dict[tuple[int | None, str], list[Stretch]] = {}
    for stretch in stretches:
        groups.setdefault((stretch.epoch, stretch.phase), []).append(stretch)
    return list(groups.values())


def _entry(span: Span, parts: Sequence[Stretch], energy: TargetEnergy) -> Entry:
    counts = [part.item_count for part in parts if part.item_count is not None]
    return Entry(
        segment=span.segment,
        host=span.host,
        epoch=parts[0].epoch,
        phase=parts[0].phase,
        duration_s=sum(part.end_s - part.start_s for part in parts),
        item_count=sum(counts) if counts else None,
        energy_j=energy.energy_j,
        devices={device: found.energy_j for device, found in energy.devices.items()},
    )


def _whole(from_s: float, until_s: float) -> Window:
    return Window(name=WHOLE, start_s=from_s, end_s=until_s)
