"""The joules of a training job: its recording, the runs it resumed from, and how they are told."""

from __future__ import annotations

import atexit
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from profiler.machine.identity import hardware, host_name
from profiler.recording.recording import Recording, record
from profiler.values.codec import decode, encode
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding

from . import findings as remarks
from .harmless import MEASURE, Shield
from .nodes import RankPlace, gather, unshared
from .segment import OTHER, LiveSegment, SegmentEnergy, add_up

STATE_VERSION = 1
FINAL_BUDGET_S = 2.0


class JobEnergy:
    """What a job drew, segment by segment: one for each run of a host's loop, resumed ones first.

    Args:
        record: makes the recording; `profiler.record` by default.
    """

    def __init__(self, record: Callable[[], Recording] = record) -> None:
        self.shield = Shield()
        self.place = RankPlace()
        self._record = record
        self._earlier: list[SegmentEnergy] = []
        self._segments: list[SegmentEnergy] = []
        self._live: LiveSegment | None = None
        self._unsettled: LiveSegment | None = None
        self._turn = 0
        self._owner_pid = 0

    def __getstate__(self) -> dict[str, Any]:
        """A copy (spawned processes, deep copies) knows what was drawn, and records nothing."""
        return {**self.__dict__, "_live": None, "_unsettled": None}

    @property
    def is_running(self) -> bool:
        """Whether this process is recording now."""
        return self._live is not None

    @property
    def is_lost(self) -> bool:
        """Whether the measurement broke down."""
        return MEASURE in self.shield.failures

    def start(self, stage: str, place: RankPlace) -> None:
        """Begin a segment, on the process that records for its host; once if called again."""
        self.place = place
        if self._live is None and place.reads_sensors and not self.is_lost:
            self.settle_all()
            self._live = LiveSegment(self._record(), stage)
            self._owner_pid = os.getpid()
            atexit.register(self._end_with_program)

    def switch(self, stage: str, epoch: int = 0) -> None:
        """A new stage begins now."""
        if self._live is not None:
            self._live.switch(stage, epoch)

    def pause(self) -> None:
        """What begins now is no stage of its own, or one that only turns out later."""
        self.switch(*OTHER)

    def relabel(self, stage: str, epoch: int = 0) -> None:
        """Say what the present stretch turned out to be, from its beginning on."""
        if self._live is not None:
            self._live.relabel(stage, epoch)

    @property
    def is_between(self) -> bool:
        """Whether the present stretch is of no stage, so far."""
        return self._live is not None and self._live.label == OTHER

    def settled_parts(self) -> tuple[tuple[str, int, Estimate], ...]:
        """(stage, epoch, joules) of what has ended since the last call, as far as time allows."""
        if self._live is None:
            return ()
        self._live.settle()
        return self._live.fresh_parts()

    def finish(self, *, complete: bool = True) -> tuple[tuple[str, int, Estimate], ...]:
        """End the segment; `complete` is False where the job was interrupted.

        On a complete job with several hosts, the first process waits for the others' joules.

        Returns:
            What `settled_parts` had not told yet.
        """
        live, self._live = self._live, None
        atexit.unregister(self._end_with_program)
        own: SegmentEnergy | None = None
        fresh: tuple[tuple[str, int, Estimate], ...] = ()
        if live is not None:
            live.stop()
            everything = complete and self.place.has_other_hosts
            live.settle(math.inf if everything else FINAL_BUDGET_S)
            fresh = live.fresh_parts()
            own = live.energy(complete=complete, host=host_name(), hardware=hardware())
            self._unsettled = None if self.place.has_other_hosts else live
        if complete:
            self._turn += 1
            own = gather(own, self.place, self._turn)
        elif own is not None:
            own = unshared(own, self.place)
        if own is not None:
            self._segments.append(own)
        return fresh

    def give_up(self) -> None:
        """Stop recording after a failure; the segment's joules are not known then."""
        live, self._live = self._live, None
        atexit.unregister(self._end_with_program)
        with self.shield("close the sensors"):
            if live is not None:
                live.stop()

    def _end_with_program(self) -> None:
        if os.getpid() == self._owner_pid:  # a forked child inherits the registration
            with self.shield("record the end of the program"):
                self.finish(complete=False)

    def settle_all(self) -> None:
        """Infer what a short job left uninferred, however long that takes."""
        if self._unsettled is not None:
            self._unsettled.settle(math.inf)
            self._segments[-1] = replace(self._segments[-1], parts=self._unsettled.parts)
            self._unsettled = None

    @property
    def segments(self) -> tuple[SegmentEnergy, ...]:
        """Restored ones first; a running one as it is now."""
        self.settle_all()
        return self._known(math.inf)

    def _known(self, budget_s: float | None = None) -> tuple[SegmentEnergy, ...]:
        known = [*self._earlier, *self._segments]
        if self._live is not None and not self.is_lost:
            with self._live.aside():
                self._live.settle(budget_s)
                view = self._live.energy(complete=False, host=host_name(), hardware=hardware())
            known.append(unshared(view, self.place))
        return tuple(known)

    @property
    def energies(self) -> dict[str, Estimate | None]:
        """Joules by the host's stage ("fit") and by stage and epoch ("train_epoch 0")."""
        return self._energies(self.segments)

    def _energies(self, segments: Sequence[SegmentEnergy]) -> dict[str, Estimate | None]:
        rows = [(segment.stage, segment.energy_j) for segment in segments]
        rows += [row for segment in segments for row in segment.parts.items()]
        values: dict[str, list[Estimate | None]] = {}
        for name, value in rows:
            values.setdefault(name, []).append(None if self.is_lost else value)
        return {name: add_up(parts) for name, parts in values.items()}

    def whole_j(self, stage: str) -> Estimate | None:
        """Joules of the ended runs of one stage ("fit"), resumed ones included."""
        known = [*self._earlier, *self._segments]
        parts = [segment.energy_j for segment in known if segment.stage == stage]
        return None if self.is_lost or not parts else add_up(parts)

    @property
    def total(self) -> Estimate | None:
        """Joules of all segments; None where one of them is not known."""
        return self._total(self.segments)

    def _total(self, segments: Sequence[SegmentEnergy]) -> Estimate | None:
        if self.is_lost or not segments:
            return None
        return add_up(segment.energy_j for segment in segments)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What to know before trusting the numbers."""
        return self._findings(self.segments)

    def _findings(self, segments: Sequence[SegmentEnergy]) -> tuple[Finding, ...]:
        found = [finding for segment in segments for finding in segment.findings]
        if self._earlier:
            found.insert(0, remarks.resumed(len(self._earlier)))
        if self.is_lost:
            found.insert(0, remarks.lost(self.shield.failures[MEASURE]))
        if any(not segment.complete for segment in self._segments):
            found.insert(0, remarks.interrupted())
        if not self.place.reads_sensors:
            found.insert(0, remarks.elsewhere(self.place.local_rank))
        return tuple(dict.fromkeys(found))

    def state(self) -> dict[str, Any]:
        """Plain JSON for a checkpoint: every segment, the running one as far as it is settled."""
        return {"version": STATE_VERSION, "segments": encode(self._known())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the segments of a checkpoint, except those that are this job's own."""
        if state.get("version") != STATE_VERSION:
            return
        known = {segment.key for segment in (*self._earlier, *self._segments)}
        if self._live is not None:
            known.add(self._live.key)
        restored = [decode(entry, SegmentEnergy) for entry in state["segments"]]
        self._earlier += [segment for segment in restored if segment.key not in known]

    def write(self, path: Path) -> None:
        """Write everything as JSON; a reader sees the file as it was, or whole.

        While the job runs, only what fits a small budget of time has been inferred.

        Raises:
            StoreError: it could not be written.
        """
        from profiler.files import write_whole_file

        segments = self._known() if self.is_running else self.segments
        document = {
            "schema_version": STATE_VERSION,
            "total_j": encode(self._total(segments)),
            "energies_j": encode(self._energies(segments)),
            "segments": encode(segments),
            "findings": encode(self._findings(segments)),
        }
        write_whole_file(path, json.dumps(document, indent=1, allow_nan=False) + "\n")

    def summary(self) -> str:
        """A few lines of text: what was drawn, by what is it known, what to mind."""
        from profiler.values.units import show

        segments = self.segments
        total_j = self._total(segments)
        rows = [(name, show(value)) for name, value in self._energies(segments).items()]
        rows.append(("total", show(total_j)))
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {text}" for name, text in rows]
        if total_j is not None:
            lines.append(f"{total_j.basis}: {total_j.source}")
        lines += [f"- {finding.observed}" for finding in self._findings(segments)]
        return "\n".join(lines)
