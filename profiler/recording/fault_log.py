"""Spans in which a channel could not be read or believed, in bounded memory."""

from __future__ import annotations

from profiler.values.trace import Fault, FaultKind

FAULT_CAPACITY = 200
LONGEST_HICCUP_S = 0.35


class FaultLog:
    """Spans in which a channel could not be read or believed."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._failing_since_s: float | None = None
        self._failed_s = 0.0
        self._reason = ""
        self._is_asleep = False

    @property
    def count(self) -> int:
        """How many faults are noted, one that still lasts left out."""
        return len(self._faults)

    def fail(self, now_s: float, reason: str, *, asleep: bool = False) -> None:
        """A read failed, or was left out because the device is asleep."""
        if asleep != self._is_asleep:
            self.succeed(now_s)
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._failed_s = now_s
        self._reason = reason
        self._is_asleep = asleep

    def succeed(self, now_s: float) -> None:
        """A read succeeded: a long enough row of failures before it becomes a fault."""
        since_s = self._failing_since_s
        self._failing_since_s = None
        if since_s is None:
            return
        if self._is_asleep:
            self.add(FaultKind.ASLEEP, since_s, self._failed_s, self._reason)
        elif now_s - since_s > LONGEST_HICCUP_S:
            self.add(FaultKind.UNREADABLE, since_s, now_s, self._reason)
        self._is_asleep = False

    def add(self, kind: FaultKind, start_s: float, end_s: float | None, message: str) -> None:
        """Note a fault; past the capacity the last one grows instead."""
        fault = Fault(kind=kind, start_s=start_s, end_s=end_s, message=message)
        if len(self._faults) < FAULT_CAPACITY:
            self._faults.append(fault)
        else:
            first = self._faults[-1]
            self._faults[-1] = Fault(
                kind=kind, start_s=first.start_s, end_s=end_s, message=f"{message} (and more)"
            )

    def take_back(self, count: int) -> None:
        """Forget the faults after the first `count`: they were none."""
        del self._faults[count:]

    def snapshot(self) -> tuple[Fault, ...]:
        """All faults so far, one that still lasts included."""
        since_s = self._failing_since_s
        if since_s is None or (
            not self._is_asleep and self._failed_s - since_s <= LONGEST_HICCUP_S
        ):
            return tuple(self._faults)
        kind = FaultKind.ASLEEP if self._is_asleep else FaultKind.LOST
        return (*self._faults, Fault(kind=kind, start_s=since_s, end_s=None, message=self._reason))
