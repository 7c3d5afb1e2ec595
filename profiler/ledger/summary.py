"""Closed segments of all hosts added up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from profiler.values.estimate import Estimate, counted, quotient
from profiler.values.findings import Finding
from profiler.values.quantities import JOULES_PER_KWH, grams

from .accounts import Account
from .entries import Entry, EpochNote, LedgerSummary, Phase, Segment
from .findings import missing_hosts, remarks_on
from .lines import SegmentEnd
from .sums import Part, join, mean_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A closed segment: its account, and its end."""

    account: Account
    end: SegmentEnd

    @property
    def host(self) -> int:
        """Which host's."""
        return self.account.start.host

    @property
    def duration_s(self) -> float:
        """From its start to its end."""
        return self.end.until_s - self.account.start.started_s


def summarise(accounts: Sequence[Account]) -> LedgerSummary:
    """Everything that a run came to.

    Args:
        accounts: closed segments, at least one, by host and number.
    """
    several = len({account.start.host for account in accounts}) > 1
    closed = [
        Closed(account=account, end=account.end) for account in accounts if account.end is not None
    ]
    entries = tuple(
        _named(entry, several)
        for segment in closed
        for part in segment.account.settled
        for entry in part.entries
    )
    entries = _merged(entries)
    segments = tuple(_segment(one, several) for one in closed)
    latest = max(closed, key=lambda one: (one.account.start.segment, -one.host)).account.start
    epochs = _notes(closed)
    energy_j = join([(one.energy_j, one.duration_s) for one in segments])
    energy_kwh = None if energy_j is None else energy_j.scaled(1 / JOULES_PER_KWH, "kWh")
    image_count = sum(e.item_count or 0 for e in entries if e.phase == Phase.TRAIN)
    return LedgerSummary(
        entries=entries,
        segments=segments,
        epochs=epochs,
        epochs_planned=latest.epochs,
        energy_j=energy_j,
        by_phase={
            phase: _sum_of(entry for entry in entries if entry.phase == phase)
            for phase in Phase
            if any(entry.phase == phase for entry in entries)
        },
        by_epoch={
            epoch: _sum_of(entry for entry in entries if entry.epoch == epoch)
            for epoch in sorted({entry.epoch for entry in entries if entry.epoch is not None})
        },
        duration_s=_longest(segments),
        second_opinion_j=join([(one.second_opinion_j, one.duration_s) for one in segments]),
        energy_kwh=energy_kwh,
        carbon_g=None if energy_kwh is None else grams(energy_kwh, latest.carbon),
        carbon=latest.carbon,
        image_count=image_count,
        images_per_joule=_images_per_joule(image_count, energy_j),
        joules_per_epoch=_per_epoch(entries, epochs),
        repeated_j=_sum_of(_repeated(entries)),
        findings=_findings(closed, segments, entries, several),
    )


def _merged(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """One entry for each phase of each epoch of a segment, whatever number of times it settled."""
    groups: dict[tuple[int, int, int | None, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.host, entry.segment, entry.epoch, entry.phase), []).append(entry)
    return tuple(group[0] if len(group) == 1 else _one(group) for group in groups.values())


def _one(group: Sequence[Entry]) -> Entry:
    counts = [entry.item_count for entry in group if entry.item_count is not None]
    devices = dict.fromkeys(device for entry in group for device in entry.devices)
    return replace(
        group[0],
        duration_s=math.fsum(entry.duration_s for entry in group),
        item_count=sum(counts) if counts else None,
        energy_j=_sum_of(group),
        devices={
            device: join([(entry.devices.get(device), entry.duration_s) for entry in group])
            for device in devices
        },
    )


def _sum_of(entries: Iterable[Entry]) -> Estimate | None:
    return join([(entry.energy_j, entry.duration_s) for entry in entries])


def _named(entry: Entry, several: bool) -> Entry:
    """The entry with its host in the names of its devices, where there are several hosts."""
    if not several:
        return entry
    return replace(entry, devices={_device(entry.host, d): e for d, e in entry.devices.items()})


def _device(host: int, device: str) -> str:
    return f"host{host}/{device}"


def _segment(closed: Closed, several: bool) -> Segment:
    start, end = closed.account.start, closed.end
    return Segment(
        number=start.segment,
        host=start.host,
        started_utc=start.started_utc,
        ended=end.ended,
        duration_s=closed.duration_s,
        energy_j=end.energy_j,
        devices={
            _device(start.host, device) if several else device: energy_j
            for device, energy_j in end.devices.items()
        },
        second_opinion_j=end.second_opinion_j,
    )


def _longest(segments: Sequence[Segment]) -> float:
    by_host: dict[int, list[float]] = {}
    for segment in segments:
        by_host.setdefault(segment.host, []).append(segment.duration_s)
    return max(math.fsum(durations) for durations in by_host.values())


def _images_per_joule(image_count: int, energy_j: Estimate | None) -> Estimate | None:
    if energy_j is None or energy_j.point <= 0 or not image_count:
        return None
    source = f"images over {energy_j.source}"
    return quotient(
        counted(image_count, "image", "counted"), energy_j, unit="image/J", source=source
    )


def _notes(closed: Sequence[Closed]) -> tuple[EpochNote, ...]:
    """The latest note of each epoch; the joules until then are those of every host."""
    hosts = sorted({one.host for one in closed})
    by_host = {host: _cumulative([one for one in closed if one.host == host]) for host in hosts}
    first = by_host[hosts[0]]
    notes = []
    for epoch in sorted(first):
        metrics, _, duration_s = first[epoch]
        reached = [by_host[host].get(epoch) for host in hosts]
        parts = [(None if own is None else own[1], duration_s) for own in reached]
        complete = all(energy_j is not None for energy_j, _ in parts)
        notes.append(
            EpochNote(
                epoch=epoch,
                metrics=metrics,
                energy_j=join(parts) if complete else None,
                duration_s=duration_s,
            )
        )
    return tuple(notes)


def _cumulative(
    closed: Sequence[Closed],
) -> dict[int, tuple[dict[str, float | None], Estimate | None, float]]:
    """By epoch: what one host noted, and its joules and seconds of all its life until then."""
    found = {}
    past: list[Part] = []
    for one in closed:
        times_s = {note.epoch: note for note in one.account.notes}
        within: list[Part] = []
        for part in one.account.settled:
            for noted in part.noted:
                note = times_s[noted.epoch]
                so_far = [*past, *within, (noted.energy_j, note.time_s - part.from_s)]
                seconds = math.fsum(duration_s for _, duration_s in so_far)
                found[noted.epoch] = (dict(note.metrics), join(so_far), seconds)
            within.append((part.energy_j, part.until_s - part.from_s))
        past.append((one.end.energy_j, one.duration_s))
    return found


def _per_epoch(entries: Sequence[Entry], epochs: Sequence[EpochNote]) -> Estimate | None:
    """Mean over the epochs that were completed, each as its last segment on every host did it."""
    spent = []
    for note in epochs:
        own = [entry for entry in entries if entry.epoch == note.epoch]
        latest: dict[int, int] = {}
        for entry in own:
            latest[entry.host] = max(latest.get(entry.host, 0), entry.segment)
        energy_j = _sum_of(entry for entry in own if entry.segment == latest[entry.host])
        if energy_j is None:
            return None
        spent.append(energy_j)
    return mean_of(spent)


def _repeated(entries: Sequence[Entry]) -> list[Entry]:
    """Entries of epochs that a later segment of the same host trained again."""
    trained: dict[tuple[int, int | None], int] = {}
    for entry in entries:
        if entry.phase == Phase.TRAIN:
            trained[entry.host, entry.epoch] = max(
                entry.segment, trained.get((entry.host, entry.epoch), 0)
            )
    return [
        entry
        for entry in entries
        if entry.epoch is not None and entry.segment < trained.get((entry.host, entry.epoch), 0)
    ]


def _findings(
    closed: Sequence[Closed],
    segments: Sequence[Segment],
    entries: Sequence[Entry],
    several: bool,
) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for one in closed:
        own = [*one.account.start.findings, *one.end.findings]
        known = {finding.kind for finding in own}
        for part in one.account.settled:
            own += [finding for finding in part.findings if finding.kind not in known]
            known |= {finding.kind for finding in part.findings}
        findings += [
            replace(finding, observed=f"host {one.host}: {finding.observed}")
            if several
            else finding
            for finding in own
        ]
    expected = range(max(one.account.start.host_count for one in closed))
    missing = sorted({*expected} - {one.host for one in closed})
    if missing:
        findings.insert(0, missing_hosts(missing, len(expected)))
    return tuple(dict.fromkeys((*findings, *remarks_on(segments, entries))))
