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

    def fail(self, now_s: float, reason: str) -> None:
        """A read failed."""
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._failed_s = now_s
        self._reason = reason

    def succeed(self, now_s: float) -> None:
        """A read succeeded: a long enough row of failures before it becomes a fault."""
        since_s = self._failing_since_s
        self._failing_since_s = None
        if since_s is not None and now_s - since_s > LONGEST_HICCUP_S:
            self.add(FaultKind.UNREADABLE, since_s, now_s, self._reason)

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

    def snapshot(self) -> tuple[Fault, ...]:
        """All faults so far, one that still lasts included."""
        if self._failing_since_s is None or (
            self._failed_s - self._failing_since_s <= LONGEST_HICCUP_S
        ):
            return tuple(self._faults)
        lasting = Fault(
            kind=FaultKind.LOST, start_s=self._failing_since_s, end_s=None, message=self._reason
        )
        return (*self._faults, lasting)
