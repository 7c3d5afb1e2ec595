"""Power over time, as the sensors told it, with the windows in which the model ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from profiler.values.profile import Profile
from profiler.values.trace import CounterTrace, PowerTrace, Trace

from .document import Axis, Band, Chart, Line, Section

MOST_POINTS = 400
MOST_OPEN = 4
Points = list[tuple[float, float]]


def power_section(profiles: Sequence[Profile], labels: Sequence[str]) -> Section | None:
    """A chart a profile whose raw readings are at hand; None without any."""
    charts = []
    seen: set[tuple[Trace, ...]] = set()
    for profile, label in zip(profiles, labels, strict=True):
        # Models in turns share one recording: it is shown once.
        if profile.traces and profile.traces not in seen:
            seen.add(profile.traces)
            charts += [chart for chart in [_chart(profile, label)] if chart is not None]
    if not charts:
        return None
    return Section(
        title="Power over time",
        paragraphs=(
            "The mean power between two moves of a counter, or the samples of a power sensor. "
            "Shaded: the blocks in which the model ran; between them the device was idle, or other "
            "models had their turn.",
        ),
        charts=tuple(charts),
        fold=len(charts) > MOST_OPEN,
    )


def _chart(profile: Profile, label: str) -> Chart | None:
    curves = {trace.channel.key: _curve(trace) for trace in profile.traces}
    curves = {key: points for key, points in curves.items() if len(points) > 1}
    if not curves:
        return None
    begin = min(points[0][0] for points in curves.values())
    end = max(points[-1][0] for points in curves.values())
    spans = tuple(
        Band(label=window.name, start=window.start_s - begin, end=window.end_s - begin)
        for window in profile.windows
        if window.end_s is not None and begin <= window.start_s and window.end_s <= end
    )
    bases = {trace.channel.basis.value for trace in profile.traces}
    return Chart(
        caption=f"Power while {label} was measured, by sensor; {' and '.join(sorted(bases))}",
        x=Axis(label="time", unit="s"),
        y=Axis(label="power", unit="W"),
        lines=tuple(
            Line(
                label=key.partition(":energy")[0].partition(":power")[0],
                points=tuple((at - begin, watts) for at, watts in points),
                is_dashed=key.endswith(":power"),
            )
            for key, points in curves.items()
        ),
        spans=spans,
    )


def _curve(trace: Trace) -> Points:
    """Steps of a counter or samples of a sensor, brought to at most `MOST_POINTS` by means."""
    if isinstance(trace, PowerTrace):
        return _thinned(list(zip(trace.time_s, trace.power_w, strict=True)))
    moves = _thinned(list(_moves(trace)))
    return [
        point for start, end, watts in _steps(moves) for point in ((start, watts), (end, watts))
    ]


def _moves(trace: CounterTrace) -> Iterator[tuple[float, float]]:
    """(instant, joules) of the moves after the last reset: joules of two epochs do not subtract."""
    last = trace.epoch[-1] if trace.epoch else 0
    columns = zip(trace.earliest_s, trace.latest_s, trace.energy_j, trace.epoch, strict=True)
    for earliest, latest, joules, epoch in columns:
        if epoch == last:
            yield (earliest + latest) / 2, joules


def _steps(moves: Points) -> Iterator[tuple[float, float, float]]:
    for (start, before), (end, after) in pairwise(moves):
        if end > start:
            yield start, end, (after - before) / (end - start)


def _thinned(points: Points) -> Points:
    """Every n-th point: of a counter nothing is lost, as each holds all joules before it."""
    step = max(1, -(-len(points) // MOST_POINTS))
    return points[::step]
