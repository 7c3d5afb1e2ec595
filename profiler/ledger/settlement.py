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
from .lines import Note, NotedEnergy, Settlement
from .stretches import Stretch, Work, alike, by_work, close_gaps, cut, fold

if TYPE_CHECKING:
    from profiler.inference import TargetEnergy
    from profiler.recording.recorder import Recorder

NEIGHBOURHOOD_S = 30.0
NEIGHBOURHOOD_PERIODS = 150
USUAL_PERIOD_S = 0.1
MANY_MOVES = 2_000
"""Of a counter, from which on those far from the ends of a segment are merged."""
WHOLE = "segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a recording holds: readings, the windows of the phases, and the last instant of both."""

    traces: tuple[Trace, ...]
    windows: tuple[Window, ...]
    now_s: float


def seen_by(recorder: Recorder) -> Seen:
    """Everything that a recorder holds until now; waits for the first moves of its counters."""
    recorder.await_first_moves()
    return Seen(traces=recorder.traces(), windows=recorder.windows(), now_s=recorder.now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Part of a segment that is to be settled."""

    segment: int
    host: int
    from_s: float
    until_s: float


def settle(seen: Seen, span: Span, notes: Sequence[Note], most: int | None = None) -> Settlement:
    """Infer a span: by epoch and phase, as a whole, and up to each note that falls into it.

    Args:
        seen: readings and windows, at least those of the span and its neighbourhood.
        span: from where to where.
        notes: of the segment; those outside the span are left alone.
        most: how many phases are told apart, where the shortest of more are settled together; None
            for all.
    """
    seen, works = _told_apart(seen, span.from_s, span.until_s, most)
    near, groups = _near(seen, span), list(works.values())
    noted = [note for note in notes if span.from_s < note.time_s <= span.until_s]
    targets = [tuple(part.window for part in parts) for parts in groups]
    targets.append((_whole(span.from_s, span.until_s),))
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


def _told_apart(
    seen: Seen, from_s: float, until_s: float, most: int | None
) -> tuple[Seen, dict[Work, list[Stretch]]]:
    """What is to be inferred of a span, and the recording without the edges inside of that."""
    windows = close_gaps(seen.windows)
    stretches = cut(windows, from_s, until_s)
    if most is None:
        return replace(seen, windows=windows), by_work(stretches)
    groups = fold(stretches, most)
    if any(phase not in {stretch.phase for stretch in stretches} for phase, _ in groups):
        outside = [w for w in windows if w.start_s >= until_s or (w.end_s or until_s) <= from_s]
        windows = close_gaps([*outside, *(part.window for own in groups.values() for part in own)])
    return replace(seen, windows=windows), groups


def load_estimator() -> None:
    """Import what `infer` needs: a second, which nobody should take for the cost of inference."""
    import profiler.inference  # noqa: F401  # loaded here for its own sake


def infer(seen: Seen, targets: Sequence[tuple[Window, ...]]) -> tuple[TargetEnergy, ...]:
    """Joules of each target; phases of one kind are one kind of work."""
    from profiler.inference import infer_energies

    return infer_energies(seen.traces, targets, alike(seen.windows), now_s=seen.now_s)


def infer_whole(seen: Seen, from_s: float, until_s: float, most: int | None = None) -> TargetEnergy:
    """Joules from one instant to another as one window.

    Of a long recording only what its ends depend on is looked at.

    Args:
        seen: all of the recording.
        from_s: the one instant.
        until_s: the other.
        most: of how many phases the edges are minded, as in `settle`.
    """
    from profiler.inference.excerpt import beside, excerpt

    whole = _whole(from_s, until_s)
    seen, _ = _told_apart(seen, from_s, until_s, most)
    counts = [len(trace.latest_s) for trace in seen.traces if isinstance(trace, CounterTrace)]
    if max(counts, default=0) > MANY_MOVES:
        traces, windows = excerpt(seen.traces, [whole]), beside(seen.windows, [whole])
        seen = replace(seen, traces=traces, windows=windows)
    return infer(seen, [(whole,)])[0]


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


def _entry(span: Span, parts: Sequence[Stretch], energy: TargetEnergy) -> Entry:
    counts = [part.item_count for part in parts if part.item_count is not None]
    return Entry(
        segment=span.segment,
        host=span.host,
        epoch=parts[0].epoch,
        phase=parts[0].phase,
        duration_s=sum(part.duration_s for part in parts),
        item_count=sum(counts) if counts else None,
        energy_j=energy.energy_j,
        devices={device: found.energy_j for device, found in energy.devices.items()},
    )


def _whole(from_s: float, until_s: float) -> Window:
    return Window(name=WHOLE, start_s=from_s, end_s=until_s)
