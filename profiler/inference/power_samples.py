"""The samples of one power sensor as arrays, laid out once for all spans that are integrated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from profiler.values.trace import Fault, FaultKind, PowerTrace

from .moves import Floats

Span = tuple[float, float]
NORMAL_95 = 1.96
LONG_GAP_SAMPLES = 5.0
LONG_GAP_S = 0.5
SHORTEST_ZERO_RUN = 3


class PowerSamples:
    """Two samples or more, in time; each question costs by the length of its spans alone.

    Args:
        trace: the samples. A reading stands for the middle of the span that its sensor averages.
    """

    def __init__(self, trace: PowerTrace) -> None:
        self._trace = trace
        self.time_s: Floats = np.asarray(trace.time_s)
        self.power_w: Floats = np.asarray(trace.power_w)
        self.most_w = float(self.power_w.max())
        self.spacing_s = float(np.median(np.diff(self.time_s)))
        channel = trace.channel
        averaging_s, period_s = channel.averaging_s or 0.0, channel.update_period_s or 0.0
        self._middle_s = self.time_s - averaging_s / 2
        self._held_s = period_s
        self._blur_s = averaging_s + period_s + self.spacing_s
        means_w = (self.power_w[1:] + self.power_w[:-1]) / 2
        self._knots_j = np.concatenate([[0.0], np.cumsum(np.diff(self._middle_s) * means_w)])
        self._swing_w = float(np.ptp(self.power_w))
        begins = np.flatnonzero(np.concatenate([[True], np.diff(self.power_w) != 0]))
        self._changed_s = self.time_s[begins[1:]]
        # Runs of one value: updates of the sensor, not reads of it.
        self._run_start_s = self._middle_s[begins]
        ends_s = np.append(self._run_start_s[1:], self._middle_s[-1] + self.spacing_s)
        self._run_end_s, self._run_w = ends_s, self.power_w[begins]
        self._holes = self._find_holes()

    def update_count(self, spans: Sequence[Span]) -> int:
        """How often the value changed inside the spans: each change is a reading that is fresh."""
        firsts = np.searchsorted(self._changed_s, [a for a, _ in spans], side="left")
        lasts = np.searchsorted(self._changed_s, [b for _, b in spans], side="right")
        return int((lasts - firsts).clip(0).sum())

    def unseen_s(self, spans: Sequence[Span]) -> float:
        """Seconds of the spans that lie far from any believable sample."""
        return sum(
            max(0.0, min(b, high) - max(a, low)) for a, b in spans for low, high in self._holes
        )

    def _find_holes(self) -> list[Span]:
        trace, time_s = self._trace, self.time_s
        limit_s = max(
            LONG_GAP_SAMPLES * self.spacing_s, LONG_GAP_S, 2 * (trace.channel.averaging_s or 0.0)
        )
        holes = [(-np.inf, time_s[0] - limit_s), (time_s[-1] + limit_s, np.inf)]
        # Where samples were thinned, only the faults still tell a hole from what was merged.
        thinned_s = -np.inf if trace.thinned_before_s is None else trace.thinned_before_s
        wide = np.flatnonzero((np.diff(time_s) > limit_s) & (time_s[1:] > thinned_s))
        holes += [(time_s[k], time_s[k + 1]) for k in wide]
        holes += [span_of(f) for f in trace.faults if f.kind is not FaultKind.ASLEEP]
        return _united(holes + self._zero_runs())

    def _zero_runs(self) -> list[Span]:
        """Spans in which the sensor read 0 W again and again: no device draws nothing."""
        dead = np.concatenate([[False], self.power_w <= 0.0, [False]]).astype(int)
        begins, ends = np.flatnonzero(np.diff(dead) > 0), np.flatnonzero(np.diff(dead) < 0)
        time_s = np.concatenate([[-np.inf], self.time_s, [np.inf]])
        return [
            (float(time_s[first]), float(time_s[last + 1]))
            for first, last in zip(begins, ends, strict=True)
            if last - first >= SHORTEST_ZERO_RUN
        ]

    def waiting_s(self, spans: Sequence[Span]) -> float:
        """Seconds of the spans before the first sample or after the last."""
        first_s, last_s = float(self.time_s[0]), float(self.time_s[-1])
        return sum(max(0.0, min(b, first_s) - a) + max(0.0, b - max(a, last_s)) for a, b in spans)

    def integral(self, spans: Sequence[Span]) -> tuple[float, float]:
        """Joules of the spans and the half width of their 95 % interval.

        Between updates of the sensor its value is one draw of the power there. The variance of the
        integral follows from successive differences, which a slow trend does not inflate (von
        Neumann et al., Annals of Mathematical Statistics 12, 1941, p. 153); the edges add what the
        delay and the averaging of the sensor can shift across them. A polled value is up to one
        update period old, by as much at every read of one phase, which moves both edges of a span
        together.
        """
        total_j = sum(self._cumulative_j(end) - self._cumulative_j(start) for start, end in spans)
        variance = sum(self._variance_j2(start, end) for start, end in spans)
        return max(total_j, 0.0), NORMAL_95 * variance**0.5

    def _variance_j2(self, start_s: float, end_s: float) -> float:
        first = int(np.searchsorted(self._run_end_s, start_s, side="right"))
        last = int(np.searchsorted(self._run_start_s, end_s, side="left"))
        lengths_s = (self._run_end_s - self._run_start_s)[first:last]
        variance = 0.0
        if last > first + 1:
            drawn_s = np.minimum(lengths_s, self._held_s) if self._held_s else lengths_s
            steps_w = np.diff(self._run_w[first:last])
            variance += float(np.sum((drawn_s[1:] * steps_w) ** 2)) / 2
        channel = self._trace.channel
        variance += ((end_s - start_s) * (channel.resolution_w or 0.0)) ** 2 / 12
        rise_w = np.diff(np.interp([start_s, end_s], self._middle_s, self.power_w))[0]
        variance += float(self._held_s * rise_w) ** 2 / 12
        if channel.longest_hold_s is not None:
            # The readings at both edges may be as old as the runs that they belong to.
            longest_s = float(np.max(lengths_s, initial=0.0))
            variance += 2 * (longest_s * self._swing_w) ** 2 / 12
        for edge_s in (start_s, end_s):
            variance += (self._blur_s * self._swing_beside_w(edge_s)) ** 2 / 12
        return variance

    def _swing_beside_w(self, edge_s: float) -> float:
        """How far the power goes up and down within two blurs of an edge."""
        reach_s = 2 * self._blur_s
        first = int(np.searchsorted(self._middle_s, edge_s - reach_s, side="right"))
        last = int(np.searchsorted(self._middle_s, edge_s + reach_s, side="left"))
        return float(np.ptp(self.power_w[first:last])) if last > first else self._swing_w

    def _cumulative_j(self, instant_s: float) -> float:
        """Integral from the first sample; the end values hold beyond the ends."""
        time_s, power_w = self._middle_s, self.power_w
        if instant_s <= time_s[0]:
            return float((instant_s - time_s[0]) * power_w[0])
        if instant_s >= time_s[-1]:
            return float(self._knots_j[-1] + (instant_s - time_s[-1]) * power_w[-1])
        k = int(np.searchsorted(time_s, instant_s, side="right")) - 1
        share = (instant_s - time_s[k]) / (time_s[k + 1] - time_s[k])
        value_w = power_w[k] + share * (power_w[k + 1] - power_w[k])
        return float(self._knots_j[k] + (instant_s - time_s[k]) * (power_w[k] + value_w) / 2)


def span_of(fault: Fault) -> Span:
    """From the start of a fault to its end, infinite where it never recovered."""
    return fault.start_s, np.inf if fault.end_s is None else fault.end_s


def _united(spans: Sequence[Span]) -> list[Span]:
    united: list[Span] = []
    for low, high in sorted(spans):
        if united and low <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], high))
        else:
            united.append((low, high))
    return united
