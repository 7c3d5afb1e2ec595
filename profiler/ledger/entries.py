"""What a ledger holds: phases, entries, segments, and the summary of a whole run.

run ─┬─ segment 0 (killed)    ─┬─ entry: epoch 1, train       812 J
     │                         ├─ entry: epoch 1, evaluate     61 J
     │                         └─ ...
     └─ segment 1 (finished)  ─── ...
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from profiler.values.estimate import Basis, Estimate, weakest
from profiler.values.findings import Finding
from profiler.values.profile import CarbonFactors

RUNNING = "running"
KILLED = "killed"
ENDINGS = ("finished", "target", "interrupted", "failed")
"""How a process can say that its segment ended; one that could not say so was killed."""


class Phase(StrEnum):
    """What the joules of a training run are spent on."""

    SETUP = "setup"
    DATA = "data"
    COMPILE = "compile"
    WARM_UP = "warm-up"
    TRAIN = "train"
    EVALUATE = "evaluate"
    CHECKPOINT = "checkpoint"
    OTHER = "other"


@dataclass(slots=True)
class Tally:
    """Items (images) that a phase has processed on this host; whoever processes them adds."""

    item_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Joules of one phase of one epoch in one segment.

    Args:
        segment: number of the process life, 0 for the first.
        host: 0 for the first.
        epoch: the one that the phase worked for; None for what belongs to no epoch. The time
            between two phases belongs to the epoch of the earlier one.
        phase: what was done, in a training run one of `Phase`; of several that were settled
            together, the name of them all, and no epoch.
        duration_s: how long, all stretches of the phase added up.
        item_count: items processed; None where nobody counted.
        energy_j: joules over the devices in use, nothing counted twice; None where no sensor saw.
        devices: the same by device, those that stand beside the total included.
    """

    segment: int
    host: int
    epoch: int | None
    phase: str
    duration_s: float
    item_count: int | None
    energy_j: Estimate | None
    devices: Mapping[str, Estimate | None]

    @property
    def name(self) -> str:
        """Phase and epoch: "train 3", "setup"."""
        return str(self.phase) if self.epoch is None else f"{self.phase} {self.epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One process life between its start and its end, whichever way it ended.

    Args:
        number: 0 for the first, counted on each host.
        host: 0 for the first.
        started_utc: ISO 8601, to the second.
        ended: one of `ENDINGS`, or "killed", or "running".
        duration_s: until its end, or until the last instant that is known of.
        energy_j: all joules of it, inferred as one window; None where no sensor saw.
        devices: the same by device.
        second_opinion_j: CodeCarbon's model of the same time; None where it is no second opinion.
    """

    number: int
    host: int
    started_utc: str
    ended: str
    duration_s: float
    energy_j: Estimate | None
    devices: Mapping[str, Estimate | None] = field(default_factory=dict)
    second_opinion_j: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochNote:
    """What was noted at the end of one epoch.

    Args:
        epoch: which.
        metrics: loss, accuracy, ... by name; None for one that was not a finite number.
        energy_j: joules of the whole run until then, earlier segments and all hosts included.
        duration_s: seconds of the whole run until then.
    """

    epoch: int
    metrics: Mapping[str, float | None]
    energy_j: Estimate | None
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSummary:
    """A whole run: every segment and host of it.

    Args:
        entries: by host and segment, and in the order of time.
        segments: by number and host.
        epochs: the latest note of each epoch, in their order.
        epochs_planned: how many the latest segment was to reach.
        energy_j: all joules, each segment inferred as a whole; None where no sensor saw.
        by_phase: joules of each phase that occurred.
        by_epoch: joules spent on each epoch, those of segments that lost it included.
        duration_s: of all segments; hosts work at the same time, and the longest counts.
        second_opinion_j: CodeCarbon's model beside the sensors; its source says what it covers.
        energy_kwh: gross, without PUE.
        carbon_g: gross kWh x PUE x intensity.
        carbon: both factors, as the latest segment was given them.
        image_count: items that the train phase processed.
        images_per_joule: these, over all joules of the run.
        joules_per_epoch: mean over the completed epochs, as the segment that completed them did.
        repeated_j: joules of epochs that a later segment had to do again; None where there are
            none.
        findings: what to know before trusting these numbers.
    """

    entries: tuple[Entry, ...]
    segments: tuple[Segment, ...]
    epochs: tuple[EpochNote, ...]
    epochs_planned: int
    energy_j: Estimate | None
    by_phase: Mapping[str, Estimate | None]
    by_epoch: Mapping[int, Estimate | None]
    duration_s: float
    second_opinion_j: Estimate | None
    energy_kwh: Estimate | None
    carbon_g: Estimate | None
    carbon: CarbonFactors
    image_count: int
    images_per_joule: Estimate | None
    joules_per_epoch: Estimate | None
    repeated_j: Estimate | None
    findings: tuple[Finding, ...]

    def joules_to(self, accuracy: float, metric: str = "accuracy") -> Estimate | None:
        """Joules of the run when an epoch's note first reached `accuracy`; None if none did."""
        for note in self.epochs:
            value = note.metrics.get(metric)
            if value is not None and value >= accuracy:
                return note.energy_j
        return None

    def projected_j(self, epochs: int | None = None) -> Estimate | None:
        """Joules of the run once `epochs` (by default those planned) are done.

        Those still to come are taken to cost what the completed ones did on average. None before
        one is completed, and where no sensor saw.
        """
        if self.energy_j is None or self.joules_per_epoch is None:
            return None
        done = len(self.epochs)
        left = max((self.epochs_planned if epochs is None else epochs) - done, 0)
        return project(self.energy_j, self.joules_per_epoch, done, left)


def project(spent_j: Estimate, per_epoch_j: Estimate, done: int, left: int) -> Estimate:
    """Joules spent, and those of the epochs that are left.

    The interval joins that of the joules spent, that of the mean, and how much the epochs to come
    will scatter around it: of `left` further values the sum has the variance
    left^2 s^2 / done + left s^2 around left times the mean of `done` values (Hahn and Meeker,
    Statistical Intervals, 1991, section 4.7). One epoch tells nothing of the scatter: there is no
    interval then.
    """
    ahead_j = per_epoch_j.point * left
    point_j = spent_j.point + ahead_j
    scatter = left * math.sqrt(1 + done / left) if left else 0.0
    low = high = None
    spent, mean = _sides(spent_j), _sides(per_epoch_j)
    if done > 1 and spent is not None and mean is not None:
        low = max(point_j - math.hypot(spent[0], mean[0] * scatter), spent_j.point - spent[0])
        high = point_j + math.hypot(spent[1], mean[1] * scatter)
    return Estimate(
        point=point_j,
        low=low,
        high=high,
        unit="J",
        confidence=None if low is None else 0.95,
        basis=weakest((spent_j.basis, per_epoch_j.basis, Basis.ESTIMATED)),
        source=f"joules so far, and {left} more epochs at the mean of the {done} done",
        systematic=spent_j.systematic,
        estimated_share=(spent_j.point * spent_j.estimated_share + ahead_j) / point_j
        if point_j > 0
        else 1.0,
    )


def _sides(estimate: Estimate) -> tuple[float, float] | None:
    """Distances of both ends from the point; None where no interval is stated."""
    if estimate.low is None or estimate.high is None:
        return None
    return estimate.point - estimate.low, estimate.high - estimate.point
