"""One recording in which every replay, and the whole model, has windows under its own name.

They take turns in random order over several rounds, so that drift hits all alike, and windows of
one name share one power in the segment model.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from profiler.inference import infer_energies
from profiler.inference.call_cost import traces_of_device
from profiler.machine.device import Device
from profiler.recording.recorder import Recorder
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import Finding

from .replay import Replay

WHOLE = "whole model"
ROUNDS, FEWEST_ROUNDS = 6, 3
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 0.06, 1.0
WHOLE_FOLD = 3
SETTLE_S = 0.25
ESTIMATE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """Mean watts while something ran; names that no sensor saw are missing."""

    by_name: dict[str, Estimate]
    findings: tuple[Finding, ...]
    is_measured: bool

    @property
    def whole_w(self) -> Estimate | None:
        """Of the whole model."""
        return self.by_name.get(WHOLE)


@dataclass(slots=True)
class PowerRecording:
    """Runs loads in named windows of one recording.

    Args:
        recorder: started.
        device: whose sensors count.
        run_whole: makes one call of the model.
        deadline_s: instant of the recorder's clock at which to stop.
        precision: relative half width at which to stop.
        seed: of the order.
        tell: told the share of the time that is spent.
    """

    recorder: Recorder
    device: Device
    run_whole: Callable[[], None]
    deadline_s: float
    precision: float
    seed: int
    tell: Callable[[float], None]
    _call_s: dict[str, float] = field(default_factory=dict)

    @property
    def basis(self) -> Basis | None:
        """The strongest basis among the device's sensors; None without one."""
        traces, _ = traces_of_device(self.recorder.traces(), self.device.name, self.device.identity)
        bases = [trace.channel.basis for trace in traces if trace.channel.uncountable is None]
        return min(bases, key=lambda basis: basis.weakness, default=None)

    def run(self, replays: Sequence[Replay]) -> None:
        """Rounds over the replays and the whole model until the watts are known or time is up."""
        begun_s = self.recorder.clock.now_s()
        span_s = max(self.deadline_s - begun_s, 0.0)
        loads = [(WHOLE, self.run_whole), *((replay.name, replay.run) for replay in replays)]
        parts = ROUNDS * (len(replays) + WHOLE_FOLD)
        window_s = min(max(span_s / parts, SHORTEST_WINDOW_S), LONGEST_WINDOW_S)
        generator = random.Random(self.seed)
        for number in range(1, 1000):
            # The first round begins with the whole, so that a short budget has at least that.
            order = [loads[0], *generator.sample(loads[1:], len(loads) - 1)]
            for name, run in order if number == 1 else generator.sample(loads, len(loads)):
                is_first = number == 1 and name == WHOLE
                if self.recorder.clock.now_s() > self.deadline_s and not is_first:
                    return
                self._window(name, run, window_s * (WHOLE_FOLD if name == WHOLE else 1))
                self.tell(min(1.0, (self.recorder.clock.now_s() - begun_s) / max(span_s, 1e-9)))
            if number >= FEWEST_ROUNDS and self._precise(len(loads)):
                return

    def run_estimate(self) -> None:
        """The whole model alone, where no sensor could tell one layer from another."""
        left_s = max(0.0, self.deadline_s - self.recorder.clock.now_s())
        self._window(WHOLE, self.run_whole, min(ESTIMATE_S, left_s))

    def powers(self) -> Powers:
        """Watts of everything that had a window."""
        windows = [window for window in self.recorder.windows() if window.end_s is not None]
        names = list(dict.fromkeys(window.name for window in windows))
        targets = [[window for window in windows if window.name == name] for name in names]
        traces, _ = traces_of_device(self.recorder.traces(), self.device.name, self.device.identity)
        energies = infer_energies(traces, targets, windows, now_s=self.recorder.now_s)
        by_name: dict[str, Estimate] = {}
        findings: list[Finding] = []
        for name, target, energy in zip(names, targets, energies, strict=True):
            duration_s = sum(window.duration_s or 0.0 for window in target)
            if energy.energy_j is not None and duration_s > 0:
                by_name[name] = energy.energy_j.scaled(1 / duration_s, "W")
            if name == WHOLE:
                findings += energy.findings
        return Powers(
            by_name=by_name,
            findings=tuple(findings),
            is_measured=self.basis is Basis.MEASURED,
        )

    def settle(self) -> None:
        """Let the counters move a few times before the first window."""
        time.sleep(SETTLE_S)

    def _window(self, name: str, run: Callable[[], None], seconds: float) -> None:
        self.device.synchronize()
        count = 0
        # A GPU is asked for about as much as it can do in the window, before it is waited for.
        batch = 1 if not self.device.is_gpu else self._batch(name, run, seconds)
        self.recorder.begin(name)
        end_s = self.recorder.clock.now_s() + seconds
        while count == 0 or self.recorder.clock.now_s() < end_s:
            for _ in range(batch):
                run()
            self.device.synchronize()
            count += batch
        self.recorder.end(name, iteration_count=count)

    def _batch(self, name: str, run: Callable[[], None], seconds: float) -> int:
        if name not in self._call_s:
            start_s = self.recorder.clock.now_s()
            run()
            self.device.synchronize()
            self._call_s[name] = max(self.recorder.clock.now_s() - start_s, 1e-6)
        return max(1, int(seconds / 4 / self._call_s[name]))

    def _precise(self, load_count: int) -> bool:
        by_name = self.powers().by_name
        widths = [power_w.relative_half_width for power_w in by_name.values()]
        known = [width for width in widths if width is not None and width <= self.precision]
        return len(known) == load_count
