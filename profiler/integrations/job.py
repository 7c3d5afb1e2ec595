"""The joules of a training job: its runs, those it resumed from, and how they are told."""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from profiler.ledger.phases import PhaseWindows
from profiler.recording.recording import Recording, record
from profiler.values.codec import decode, encode
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding

from . import findings as remarks
from .harmless import MEASURE, Shield
from .nodes import RankPlace, gather, unshared
from .rows import energies_of, rows_of, total_of
from .segment import Fresh, RunningSegment, SegmentEnergy

STATE_VERSION = 1


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
        self._live: RunningSegment | None = None
        self._run = 0
        self._turn = 0
        self._owner_pid = 0

    def __getstate__(self) -> dict[str, Any]:
        """A copy (spawned processes, deep copies) knows what was drawn, and records nothing."""
        return {**self.__dict__, "_live": None}

    @property
    def is_running(self) -> bool:
        """Whether this process is recording now."""
        return self._live is not None

    @property
    def is_lost(self) -> bool:
        """Whether the measurement broke down."""
        return MEASURE in self.shield.failures

    def start(self, stage: str, place: RankPlace, *, again: bool = False) -> None:
        """Begin a run, on the process that records for its host; once if called again.

        Args:
            stage: what the host calls it.
            place: of this process.
            again: whether it is a further attempt at the run before it.
        """
        self.place = place
        if self._live is None and place.reads_sensors and not self.is_lost:
            self._run += not again
            own = [segment for segment in self._known if segment.run == self._run]
            attempt = max((segment.attempt for segment in own), default=1) + again
            self._live = RunningSegment(self._record(), stage, run=self._run, attempt=attempt)
            self._owner_pid = os.getpid()
            atexit.register(self._end_with_program)

    @property
    def _phases(self) -> PhaseWindows | None:
        return None if self._live is None else self._live.ledger.phases

    def switch(self, phase: str, epoch: int = 0) -> None:
        """A phase begins now, and the one before it ends; nothing where it is the same."""
        if self._phases is not None and not self._phases.is_in(phase, epoch):
            self._phases.end()
            self._phases.begin(phase, epoch)

    def pause(self) -> None:
        """What begins now is no phase, or one that only turns out later."""
        if self._phases is not None:
            self._phases.end()

    def switch_earlier(self, phase: str, epoch: int = 0) -> None:
        """Say what this turned out to be since the last phase ended; nothing inside a phase."""
        if self._phases is not None and self.is_between:
            self._phases.begin_earlier(phase, epoch)

    @property
    def so_far_j(self) -> Estimate | None:
        """Joules of this run by the latest readings; None where no sensor tells."""
        return None if self._live is None else self._live.ledger.joules_so_far

    @property
    def is_between(self) -> bool:
        """Whether this instant is in no phase, so far."""
        return self._phases is not None and self._phases.present is None

    def settled_parts(self) -> Fresh:
        """(phase, epoch, joules) of what has ended since the last call, as far as time allows."""
        return () if self._live is None else self._live.settle()

    def finish(self, *, complete: bool = True) -> Fresh:
        """End the run; `complete` is False where the job was interrupted.

        On a complete job with several hosts, the first process waits for the others' joules.

        Returns:
            What `settled_parts` had not told yet.
        """
        live, self._live = self._live, None
        atexit.unregister(self._end_with_program)
        own, fresh = (None, ()) if live is None else live.stop(complete=complete)
        if complete:
            self._turn += 1
            own = gather(own, self.place, self._turn)
        elif own is not None:
            own = unshared(own, self.place)
        if own is not None:
            self._segments.append(own)
        return fresh

    def give_up(self) -> None:
        """Stop recording after a failure; the job's joules are not known then."""
        live, self._live = self._live, None
        atexit.unregister(self._end_with_program)
        with self.shield("close the sensors"):
            if live is not None:
                live.ledger.abandon()

    def _end_with_program(self) -> None:
        if os.getpid() == self._owner_pid:  # a forked child inherits the registration
            with self.shield("record the end of the program"):
                self.finish(complete=False)

    @property
    def _known(self) -> list[SegmentEnergy]:
        return [*self._earlier, *self._segments]

    @property
    def segments(self) -> tuple[SegmentEnergy, ...]:
        """Restored ones first; a running one as it is now."""
        return self._segments_now()

    def _segments_now(self, *, thrifty: bool = False) -> tuple[SegmentEnergy, ...]:
        if self._live is None or self.is_lost:
            return tuple(self._known)
        return (*self._known, unshared(self._live.energy(thrifty=thrifty), self.place))

    @property
    def energies(self) -> dict[str, Estimate | None]:
        """Joules by the host's stage ("fit") and by phase and epoch ("train_epoch 0").

        Of further runs the names say which: "train (run 2)", "train_epoch 0 (run 2)".
        """
        return self._energies(self.segments)

    def _energies(self, segments: Sequence[SegmentEnergy]) -> dict[str, Estimate | None]:
        found = energies_of(segments)
        return dict.fromkeys(found) if self.is_lost else found

    def whole_j(self, stage: str) -> Estimate | None:
        """Joules of the latest run of a stage ("fit") that has ended, and of those it resumed."""
        own = [segment for segment in self._known if segment.stage == stage]
        return self._total([segment for segment in own if segment.run == own[-1].run])

    @property
    def total(self) -> Estimate | None:
        """Joules of all segments.

        What one of them drew before a sensor could tell is made up for where it is a small share;
        None where it is more, and where a host is missing.
        """
        return self._total(self.segments)

    def _total(self, segments: Sequence[SegmentEnergy]) -> Estimate | None:
        return None if self.is_lost else total_of(segments)

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
        """Plain JSON for a checkpoint: the run that is on, or else the latest of each stage."""
        segments = self._segments_now(thrifty=True)
        latest = {segment.stage: segment.run for segment in segments}
        if self._live is not None:
            latest = dict.fromkeys(latest, self._run)
        own = [segment for segment in segments if segment.run == latest[segment.stage]]
        return {"version": STATE_VERSION, "segments": encode(own)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with the segments of a checkpoint, each of which counts once.

        Call it only where the host goes on from that checkpoint.
        """
        if state.get("version") != STATE_VERSION:
            return
        run = self._run + (self._live is None)
        restored = [decode(entry, SegmentEnergy) for entry in state["segments"]]
        keys = {segment.key for segment in restored}
        self._segments = [replace(s, run=run) if s.key in keys else s for s in self._segments]
        known = {segment.key for segment in self._known}
        if self._live is not None:
            known.add(self._live.key)
        self._earlier += [replace(s, run=run) for s in restored if s.key not in known]

    def write(self, path: Path) -> None:
        """Write everything as JSON; a reader sees the file as it was, or whole.

        While the job runs, only what fits a small budget of time has been inferred.

        Raises:
            StoreError: it could not be written.
        """
        from profiler.files import write_whole_file

        segments = self._segments_now(thrifty=True)
        document = {
            "schema_version": STATE_VERSION,
            "total_j": encode(self._total(segments)),
            "energies_j": encode(self._energies(segments)),
            "segments": encode(segments),
            "findings": encode(self._findings(segments)),
        }
        write_whole_file(path, json.dumps(document, indent=1, allow_nan=False) + "\n")

    def summary(self) -> str:
        """Some lines of text: what was drawn, by what is it known, what to mind."""
        from profiler.values.units import show

        segments = self.segments
        total_j = self._total(segments)
        rows = [(name, show(value)) for name, value in rows_of(self._energies(segments))]
        rows.append(("total", show(total_j)))
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {text}" for name, text in rows]
        if total_j is not None:
            lines.append(f"{total_j.basis}: {total_j.source}")
        lines += [f"- {finding.observed}" for finding in self._findings(segments)]
        return "\n".join(lines)
