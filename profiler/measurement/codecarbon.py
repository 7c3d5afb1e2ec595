"""CodeCarbon's tracker and a recording, brought together once both have ended."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.inference import infer_energies
from profiler.inference.codecarbon import opinion_of, span_of
from profiler.machine.codecarbon_tracker import CodeCarbonTracker
from profiler.values.codecarbon import CodeCarbonOpinion
from profiler.values.findings import Finding
from profiler.values.trace import Trace, Window


def second_opinion(
    tracker: CodeCarbonTracker, traces: Sequence[Trace], windows: Sequence[Window], now_s: float
) -> tuple[CodeCarbonOpinion | None, tuple[Finding, ...]]:
    """What the tracker says beside what was recorded over the same span, and what to know of it.

    Args:
        tracker: after its span; one that was left out or lost gives None.
        traces: of a recording that holds the span.
        windows: of that recording.
        now_s: its last instant.
    """
    if tracker.reading is None:
        return None, tracker.findings
    targets = [(span_of(tracker.reading),)]
    (energy,) = infer_energies(traces, targets, windows, now_s=now_s)
    channels = [trace.channel for trace in traces]
    opinion, findings = opinion_of(tracker.reading, energy, channels)
    return opinion, (*tracker.findings, *findings)
