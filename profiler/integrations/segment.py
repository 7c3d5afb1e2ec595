"""One run of a host's loop, from its start to its end, and what its ledger says of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from profiler.ledger import Entry, Ledger, Phase
from profiler.machine.identity import hardware, machine_id
from profiler.recording.recording import Recording
from profiler.values.estimate import Estimate, total
from profiler.values.findings import Finding, no_sensor

from .findings import told_together

Fresh = tuple[tuple[str, int, Estimate], ...]
"""Phase, epoch and joules of what has been settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEnergy:
    """What one process' ledger says about one run of a host's loop.

    Args:
        key: unique, so that a segment restored from a checkpoint is not counted twice.
        stage: what the host calls the whole: "fit", "train", "test", ...
        started_utc: ISO 8601, to the second.
        duration_s: how much time `energy_j` covers.
        complete: False for a segment that was cut short, or that was read while it ran.
        energy_j: joules of the whole, all devices; None when no sensor saw it.
        parts: the same by phase and epoch ("train_epoch 0"); None when no sensor saw it, or when it
            is in a part with others, whose name has them all ("train_epoch 0-99, validation 0-99").
        sensors: which hardware was read, unique beyond this host.
        hardware: the same for a person.
        findings: what to know before trusting these numbers.
        run: which run of its job this belongs to; a resumed run goes on with those it resumes.
        attempt: at that run, for a host that begins again when a batch does not fit.
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
    run: int = 1
    attempt: int = 1


class RunningSegment:
    """A ledger in memory, begun with a run of a host's loop.

    Args:
        recording: not yet started.
        stage: what the host calls the whole.
        run: number of the run that this is of.
        attempt: at that run.
    """

    def __init__(self, recording: Recording, stage: str, *, run: int = 1, attempt: int = 1) -> None:
        self.key, self.stage, self.run, self.attempt = uuid.uuid4().hex, stage, run, attempt
        self._recording = recording
        self._told: set[str] = set()
        self.ledger = Ledger(recording=recording).start()

    def settle(self) -> Fresh:
        """Settle what is past, as far as a small share of the time allows."""
        settlement = self.ledger.settle()
        return self._fresh(() if settlement is None else settlement.entries)

    def stop(self, *, complete: bool) -> tuple[SegmentEnergy, Fresh]:
        """End it; what it drew, and what `settle` had not told yet."""
        self.ledger.stop("finished" if complete else "interrupted")
        entries = [e for part in self.ledger.account().settled for e in part.entries]
        return self.energy(complete=complete), self._fresh(entries)

    def _fresh(self, entries: Iterable[Entry]) -> Fresh:
        """Each told once; nothing that is unseen, nor what was settled together with other work."""
        fresh = []
        for entry in entries:
            new = entry.name not in self._told and entry.phase != Phase.OTHER
            if new and entry.epoch is not None and entry.energy_j is not None:
                fresh.append((entry.phase, entry.epoch, entry.energy_j))
            self._told.add(entry.name)
        return tuple(fresh)

    def energy(self, *, complete: bool = False, thrifty: bool = False) -> SegmentEnergy:
        """What is known now, or since the end.

        Args:
            complete: whether the host's loop came to its end.
            thrifty: see `Ledger.account`.
        """
        account = self.ledger.account(thrifty=thrifty)
        start, end = account.start, account.end
        assert end is not None
        entries = [e for part in account.settled for e in part.entries if e.phase != Phase.OTHER]
        names = dict.fromkeys(window.name for window in self._recording.windows)
        names.pop(Phase.OTHER, None)
        parts: dict[str, Estimate | None] = dict.fromkeys(names)
        parts |= {
            name: add_up(entry.energy_j for entry in entries if entry.name == name)
            for name in dict.fromkeys(entry.name for entry in entries)
        }
        findings = [*start.findings, *end.findings]
        for part in account.settled:
            known = {finding.kind for finding in findings}
            findings += [finding for finding in part.findings if finding.kind not in known]
        if end.energy_j is None and not end.devices:
            findings.append(no_sensor())
        if len(parts) > len(names):
            findings.append(told_together(len(names) - sum(e.name in names for e in entries)))
        identities = {t.channel.device: t.channel.identity for t in self._recording.traces}
        host = machine_id()
        return SegmentEnergy(
            key=self.key,
            stage=self.stage,
            started_utc=start.started_utc,
            duration_s=end.until_s - start.started_s,
            complete=complete,
            energy_j=end.energy_j,
            parts=parts,
            sensors=tuple(f"{host}/{identities.get(name) or name}" for name in end.counted),
            hardware=hardware(),
            findings=tuple(dict.fromkeys(findings)),
            run=self.run,
            attempt=self.attempt,
        )


def add_up(parts: Iterable[Estimate | None]) -> Estimate | None:
    """Their sum; None where one of them is not known, so that no sum lacks a part in silence."""
    parts = tuple(parts)
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return total(known, source=" + ".join(dict.fromkeys(part.source for part in known)))
