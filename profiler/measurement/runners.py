"""Who makes the timed calls: this process, or one that was started for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from profiler.machine.cpu_account import CpuAccountant
from profiler.meters.clock import Clock
from profiler.values.repetition import CpuAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedSpan:
    """One stretch of calls, on CLOCK_MONOTONIC, which all processes of a machine share.

    Args:
        lead_start_s: before the untimed calls that bring back caches and clocks.
        start_s: the device had done these.
        end_s: the device had done all calls.
        account: what the kernel accounted from start to end.
    """

    lead_start_s: float
    start_s: float
    end_s: float
    account: CpuAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsSpan:
    """Stints of several models in quick turns, on the same clock.

    Args:
        start_s: before the first.
        end_s: after the last.
        stints_s: seconds of the timed calls of each stint, by model.
        account: what the kernel accounted from start to end.
    """

    start_s: float
    end_s: float
    stints_s: tuple[tuple[float, ...], ...]
    account: CpuAccount


class Runner(Protocol):
    """Makes calls of the models that were prepared for it."""

    def run(self, model: int, call_count: int, lead_count: int = 0) -> TimedSpan:
        """Call a model `lead_count` times untimed, then `call_count` times, and wait for it."""

    def take_turns(self, orders: Sequence[Sequence[int]], call_counts: Sequence[int]) -> TurnsSpan:
        """Call the models one after the other, in each of the orders.

        Each time once untimed, which brings back its caches, then as often as `call_counts` says of
        it.
        """


@dataclass(slots=True)
class LocalRunner:
    """Makes the calls in this process.

    Args:
        calls: one a model; makes one call without waiting for the device.
        synchronize: waits for the device.
        clock: what time it is.
        accountant: reads the kernel's counts.
    """

    calls: Sequence[Callable[[], None]]
    synchronize: Callable[[], None]
    clock: Clock
    accountant: CpuAccountant = field(default_factory=CpuAccountant)

    def run(self, model: int, call_count: int, lead_count: int = 0) -> TimedSpan:
        call = self.calls[model]
        self.synchronize()
        lead_start_s = self.clock.now_s()
        for _ in range(lead_count):
            call()
        self.synchronize()
        before = self.accountant.read()
        start_s = self.clock.now_s()
        for _ in range(call_count):
            call()
        self.synchronize()
        end_s = self.clock.now_s()
        return TimedSpan(
            lead_start_s=lead_start_s,
            start_s=start_s,
            end_s=end_s,
            account=self.accountant.between(before, self.accountant.read()),
        )

    def take_turns(self, orders: Sequence[Sequence[int]], call_counts: Sequence[int]) -> TurnsSpan:
        stints_s: list[list[float]] = [[] for _ in self.calls]
        before, start_s = self.accountant.read(), self.clock.now_s()
        for order in orders:
            for model in order:
                stints_s[model].append(self._stint_s(self.calls[model], call_counts[model]))
        return TurnsSpan(
            start_s=start_s,
            end_s=self.clock.now_s(),
            stints_s=tuple(map(tuple, stints_s)),
            account=self.accountant.between(before, self.accountant.read()),
        )

    def _stint_s(self, call: Callable[[], None], call_count: int) -> float:
        call()
        self.synchronize()
        start_s = self.clock.now_s()
        for _ in range(call_count):
            call()
        self.synchronize()
        return self.clock.now_s() - start_s
