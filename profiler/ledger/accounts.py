"""One segment as its lines tell it, closed where the process itself could not close it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from profiler.errors import StoreError
from profiler.inference.energies import TargetEnergy
from profiler.values.estimate import Basis, Estimate, total
from profiler.values.findings import Finding, no_second_opinion
from profiler.values.trace import Channel

from .entries import RUNNING
from .lines import LedgerLine, Note, SegmentEnd, SegmentStart, Settlement
from .settlement import Seen, Span, infer_whole, settle
from .sums import Part, join


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The lines of one segment; `end` is None until it is closed."""

    start: SegmentStart
    settled: tuple[Settlement, ...] = ()
    notes: tuple[Note, ...] = ()
    end: SegmentEnd | None = None

    @property
    def part(self) -> Part:
        """Joules and seconds of a segment that has ended."""
        end = self.end
        return (None, 0.0) if end is None else (end.energy_j, end.until_s - self.start.started_s)

    @property
    def settled_s(self) -> float:
        """Up to where its joules are settled."""
        return self.settled[-1].until_s if self.settled else self.start.started_s


def accounts_of(lines: Iterable[LedgerLine]) -> tuple[Account, ...]:
    """The segments of one ledger, in their order.

    Raises:
        StoreError: a line belongs to a segment that never began.
    """
    of_segment: dict[int, list[LedgerLine]] = {}
    for line in lines:
        if not isinstance(line, SegmentStart) and line.segment not in of_segment:
            raise StoreError(f"the ledger has a line of segment {line.segment}, but not its start")
        of_segment.setdefault(line.segment, []).append(line)
    return tuple(_account(of_segment[number]) for number in sorted(of_segment))


def _account(lines: Iterable[LedgerLine]) -> Account:
    lines = list(lines)
    (start,) = (line for line in lines if isinstance(line, SegmentStart))
    ends = [line for line in lines if isinstance(line, SegmentEnd)]
    return Account(
        start=start,
        settled=tuple(line for line in lines if isinstance(line, Settlement)),
        notes=tuple(line for line in lines if isinstance(line, Note)),
        end=ends[-1] if ends else None,
    )


def tail_of(account: Account, seen: Seen, most: int | None = None) -> Settlement | None:
    """What is not settled yet, told apart as `settle` does; None where that is nothing."""
    span = Span(
        segment=account.start.segment,
        host=account.start.host,
        from_s=account.settled_s,
        until_s=seen.now_s,
    )
    return settle(seen, span, account.notes, most) if span.until_s > span.from_s else None


def close(
    account: Account,
    seen: Seen,
    *,
    ended: str,
    findings: tuple[Finding, ...] = (),
    most: int | None = None,
) -> Account:
    """Settle what is left of a segment, and its whole as one window.

    Args:
        account: a segment without end.
        seen: all of its recording.
        ended: how it ended.
        findings: what its process knew besides.
        most: how many phases of the rest are told apart; None for all.
    """
    tail = tail_of(account, seen, most)
    settled = account.settled if tail is None else (*account.settled, tail)
    whole = infer_whole(seen, account.start.started_s, seen.now_s, most)
    channels = [trace.channel for trace in seen.traces]
    why = why_none(whole, channels)
    end = SegmentEnd(
        segment=account.start.segment,
        ended=ended,
        until_s=seen.now_s,
        energy_j=whole.energy_j,
        devices={device: found.energy_j for device, found in whole.devices.items()},
        second_opinion_j=second_opinion(whole, channels),
        findings=(*findings, *whole.findings, *([] if why is None else [why])),
        counted=whole.counted,
    )
    return replace(account, settled=settled, end=end)


def close_unsettled(
    account: Account, energy_j: Estimate | None, now_s: float, findings: tuple[Finding, ...]
) -> Account:
    """A running segment as it is known without inference."""
    end = SegmentEnd(
        segment=account.start.segment, ended=RUNNING, until_s=now_s, energy_j=energy_j, devices={},
        findings=findings,
    )  # fmt: skip
    return replace(account, end=end)


def close_unread(account: Account, *, ended: str, finding: Finding) -> Account:
    """End a segment whose readings are gone: all that is known of it is what was settled."""
    parts = [(part.energy_j, part.until_s - part.from_s) for part in account.settled]
    end = SegmentEnd(
        segment=account.start.segment,
        ended=ended,
        until_s=account.settled_s,
        energy_j=join(parts),
        devices={},
        findings=(finding,),
    )
    return replace(account, end=end)


MODELLED = ("cpu", "ram")
"""The devices that the model knows."""


def second_opinion(energy: TargetEnergy, channels: Sequence[Channel]) -> Estimate | None:
    """Joules by the model; None where it did not run, or where the ledger is the model itself."""
    modelled = _modelled(channels)
    if not modelled or modelled & set(energy.counted):
        return None
    found = [energy.devices[device].energy_j for device in MODELLED if device in modelled]
    parts = [energy_j for energy_j in found if energy_j is not None]
    if len(parts) < len(found):
        return None
    beside = ", ".join(energy.counted) or "nothing"
    sources = " + ".join(part.source for part in parts)
    return total(
        parts, source=f"{sources}; covers CPU and memory alone, beside what {beside} measured"
    )


def why_none(energy: TargetEnergy, channels: Sequence[Channel]) -> Finding | None:
    """Why there is no second opinion, where that needs saying."""
    if not _modelled(channels) & set(energy.counted):
        return None
    return no_second_opinion()


def _modelled(channels: Sequence[Channel]) -> set[str]:
    return {
        channel.device
        for channel in channels
        if channel.device in MODELLED and channel.basis.weakness > Basis.MEASURED.weakness
    }
