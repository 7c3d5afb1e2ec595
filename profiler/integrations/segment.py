"""One process' recording of a job, cut into stages: setup | train_epoch 0 | validation 0 | ...

A cut costs a timestamp. What a stage drew is inferred later, as far as a small budget of time goes,
so that epochs of a fraction of a second do not spend more time on their joules than on training.
"""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from profiler.inference import TargetEnergy, infer_energies
from profiler.inference.excerpt import beside, excerpt
from profiler.recording.recording import Recording
from profiler.values.estimate import Estimate, total
from profiler.values.findings import Finding, no_sensor
from profiler.values.trace import Trace, Window

Label = tuple[str, int]
OTHER: Label = ("other", 0)

FIRST_BUDGET_S = 1.0
BUDGET_SHARE = 0.005
BLOCK_COUNT = 8
SETTLED_AFTER_S = 2.0
SHARP_ENOUGH = 0.01
SLIVER_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEnergy:
    """What one process' recording says about a job.

    Args:
        key: unique, so that a segment restored from a checkpoint is not counted twice.
        stage: what the host calls the whole: "fit", "train", "test", ...
        started_utc: ISO 8601, to the second.
        duration_s: how much time `energy_j` covers.
        complete: False for a segment that was cut short, or that was read while it ran.
        energy_j: joules of the whole, all devices; None when no sensor saw it.
        parts: the same by stage and epoch ("train_epoch 0"); None when no sensor saw it.
        sensors: which hardware was read, unique beyond this host.
        hardware: the same for a person.
        findings: what to know before trusting these numbers.
    """

    key: str
    stage: str
    started_utc: str
    duration_s: float
    complete: bool
    energy_j: Estimate | None
    parts: Mapping[str, Estimate | None] = field(default_factory=dict)
    sensors: tuple[str, ...] = ()
    hardware: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Span:
    """One stretch of the timeline."""

    name: str
    label: Label
    continues: bool = False
    is_ours: bool = False
    energy_j: Estimate | None = None
    settled: bool = False


class LiveSegment:
    """A running recording whose timeline is cut without gaps, each stretch under a label.

    Args:
        recording: not yet started.
        stage: name of the whole.
    """

    def __init__(self, recording: Recording, stage: str) -> None:
        self.key = uuid.uuid4().hex
        self.stage = stage
        self._started_utc = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._spans: list[_Span] = []
        self._pending: list[_Span] = []
        self._remarks: dict[str, Finding] = {}
        self._told: set[Label] = set()
        self._spent_s = 0.0
        self._stopped = False
        self._recording = recording.start()
        self._start_s = recording.now_s
        self._open(OTHER)

    @property
    def label(self) -> Label:
        """Of the present stretch."""
        return self._spans[-1].label

    @property
    def duration_s(self) -> float:
        """From the start to now, or to the stop."""
        return self._recording.now_s - self._start_s

    def switch(self, stage: str, epoch: int = 0) -> None:
        """End the present stretch and begin one of another stage; nothing where it is the same."""
        if self.label != (stage, epoch):
            self._recording.end(self._spans[-1].name)
            self._open((stage, epoch))

    def relabel(self, stage: str, epoch: int = 0) -> None:
        """Say what the present stretch turned out to be, from the last switch on."""
        for span in reversed(self._spans):
            if not span.is_ours:
                span.label = (stage, epoch)
            if not span.continues:
                break

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep our own work out of the stages; the whole contains it.

        The present stretch ends here, so that what it drew can be inferred, and goes on afterwards.
        """
        if self._stopped or self._spans[-1].is_ours:
            yield
            return
        begun_s, label = time.monotonic(), self.label
        self._recording.end(self._spans[-1].name)
        self._open(OTHER, continues=True, is_ours=True)
        try:
            yield
        finally:
            self._recording.end(self._spans[-1].name)
            self._open(label, continues=True)
            self._spent_s += time.monotonic() - begun_s

    def _open(self, label: Label, *, continues: bool = False, is_ours: bool = False) -> None:
        name = str(len(self._spans))
        span = _Span(name=name, label=label, continues=continues, is_ours=is_ours)
        self._spans.append(span)
        self._pending.append(span)
        self._recording.begin(span.name)

    def stop(self) -> None:
        """End the recording; waits for the moves that settle it (about 0.1 s)."""
        self._recording.stop()
        self._stopped = True

    def settle(self, budget_s: float | None = None) -> None:
        """Infer what ended stretches drew.

        Args:
            budget_s: how long this may take; None for what is left of a small share of the time
                since the start.
        """
        if budget_s is None:
            budget_s = FIRST_BUDGET_S + BUDGET_SHARE * self.duration_s - self._spent_s
        if budget_s > 0 and any(span.label != OTHER for span in self._pending):
            with self.aside():
                self._settle_pending(time.monotonic() + budget_s)

    def _settle_pending(self, give_up_s: float) -> None:
        windows = {window.name: window for window in self._recording.windows}
        ended, count = [], Counter(span.label for span in self._spans)
        for span in self._pending:
            window = windows.get(span.name)
            if window is None or span.is_ours:
                span.settled = True  # the recording forgot it, and says so: it stays unknown
            elif _length_s(window) < SLIVER_S and count[span.label] > 1:
                # Between two events of the host: not worth an inference beside its own stage.
                count[span.label] -= 1
                span.label, span.settled = OTHER, True
            elif window.end_s is not None and span.label != OTHER:
                ended.append(span)
        for first in range(0, len(ended), BLOCK_COUNT):
            self._settle_block(ended[first : first + BLOCK_COUNT], windows)
            if time.monotonic() >= give_up_s:
                break
        self._pending = [span for span in self._pending if not span.settled]

    def _settle_block(self, spans: Sequence[_Span], windows: Mapping[str, Window]) -> None:
        targets = [windows[span.name] for span in spans]
        for span, window, found in zip(spans, targets, self._infer(targets), strict=True):
            span.energy_j = found.energy_j
            width = None if found.energy_j is None else found.energy_j.relative_half_width
            old = self._recording.now_s - (window.end_s or 0.0) > SETTLED_AFTER_S
            span.settled = self._stopped or old or (width is not None and width < SHARP_ENOUGH)
            if span.settled:
                for finding in found.findings:
                    self._remarks.setdefault(finding.kind, finding)

    def _infer(self, targets: Sequence[Window]) -> tuple[TargetEnergy, ...]:
        traces = excerpt(self._recording.traces, targets)
        windows = beside(self._recording.windows, targets)
        return infer_energies(
            traces, [(window,) for window in targets], windows, now_s=self._recording.now_s
        )

    def fresh_parts(self) -> tuple[tuple[str, int, Estimate], ...]:
        """What has been settled of stages that are over, each told once; nothing that is unseen."""
        pending = {span.label for span in self._pending}
        present = set() if self._stopped else {self.label}
        left_out = pending | present | self._told
        fresh = {label: value for label, value in self._by_label().items() if label not in left_out}
        self._told |= set(fresh)
        return tuple((*label, value) for label, value in fresh.items() if value is not None)

    @property
    def parts(self) -> dict[str, Estimate | None]:
        """By stage and epoch, up to the present stretch; None where not seen, or not inferred."""
        return {f"{stage} {epoch}": value for (stage, epoch), value in self._by_label().items()}

    def _by_label(self) -> dict[Label, Estimate | None]:
        found: dict[Label, list[Estimate | None]] = {}
        for span in self._spans if self._stopped else self._spans[:-1]:
            if span.label != OTHER:
                found.setdefault(span.label, []).append(span.energy_j)
        return {label: add_up(values) for label, values in found.items()}

    def energy(self, *, complete: bool, host: str, hardware: str) -> SegmentEnergy:
        """What is known now.

        Args:
            complete: whether the host's loop came to its end.
            host: what names this machine.
            hardware: what a reader may know it by.
        """
        end_s = self._recording.now_s
        whole = Window(name=self.stage, start_s=self._start_s, end_s=end_s)
        with self.aside():
            (found,) = self._infer([whole])
        findings = (*self._recording.own_findings, *found.findings, *self._remarks.values())
        if found.energy_j is None and not found.devices:
            findings = (*findings, no_sensor())
        return SegmentEnergy(
            key=self.key,
            stage=self.stage,
            started_utc=self._started_utc,
            duration_s=end_s - self._start_s,
            complete=complete,
            energy_j=found.energy_j,
            parts=self.parts,
            sensors=_name_sensors(self._recording.traces, found, host),
            hardware=hardware,
            findings=tuple(dict.fromkeys(findings)),
        )


def add_up(parts: Iterable[Estimate | None]) -> Estimate | None:
    """Their sum; None where one of them is not known, so that no sum lacks a part in silence."""
    parts = tuple(parts)
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return total(known, source=" + ".join(dict.fromkeys(part.source for part in known)))


def _length_s(window: Window) -> float:
    return math.inf if window.end_s is None else window.end_s - window.start_s


def _name_sensors(traces: Sequence[Trace], found: TargetEnergy, host: str) -> tuple[str, ...]:
    """The hardware inside a total, under names that no other host has."""
    channels = {trace.channel.device: trace.channel for trace in traces}
    return tuple(f"{host}/{channels[name].identity or name}" for name in found.counted)
