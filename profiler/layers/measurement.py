"""`measure_layers()`: sessions of one or more processes, timed by turns, and one report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from torch import nn

from profiler.counting import Rules
from profiler.errors import UsageError
from profiler.measurement.protocol import Progress
from profiler.meters import OpenMeter
from profiler.meters.clock import Clock, MonotonicClock
from profiler.values.hardware import HardwareBest
from profiler.values.layer_report import LayerReport
from profiler.workload.prepared import prepare

from .measurable import timed_device
from .session import LayerSession
from .turns import JointTiming, Timer, time_by_turns

METHODS = ("replay", "hooks")
TIMING_FROM, TIMING_SHARE, TIMING_SHARE_ALONE = 0.1, 0.5, 0.9


def measure_layers(
    model: nn.Module,
    inputs: Any,
    *,
    name: str | None = None,
    device: str = "auto",
    precision: float = 0.05,
    max_seconds: float = 60.0,
    dtype: str | None = None,
    channels_last: bool = False,
    method: str = "replay",
    seed: int = 0,
    rules: Rules | None = None,
    meters: Sequence[OpenMeter] | None = None,
    hardware: HardwareBest | None = None,
    progress: Progress | None = None,
) -> LayerReport:
    """Measure seconds and joules of every module inside one call of a model.

    Time is taken inside whole-model runs. Joules are watts x that time; the watts of a layer are
    seen while it is replayed alone, over and over. The model is copied; the one that is given is
    left as it is.

    Args:
        model: any module.
        inputs: a tensor, a tuple (positional), a dict (keywords) or a (tuple, dict) pair.
        name: short name; by default the model's class.
        device: "cpu", "cuda", "cuda:N" or "auto".
        precision: relative half width of the 95 % intervals at which to stop. A row of less than a
            hundredth of the whole is held to that share of a hundredth.
        max_seconds: budget for everything; what is known by then is reported, and said to be less.
        dtype: "fp32", "bf16" or "fp16"; None keeps the model's own.
        channels_last: use the channels-last memory format.
        method: "replay", or "hooks" for each row's share of the time of the whole's joules, which
            is an estimate. Without a sensor that measures the device, "replay" does the same.
        seed: of everything random.
        rules: MACs of kinds of modules by formulas of the caller's; see `profiler.count`.
        meters: opened meters; by default every sensor that this process may see.
        hardware: the device's best; by default what its calibration left, or a new calibration.
        progress: called with the stage and the share of the budget spent.

    Raises:
        UsageError: an argument is out of its range, or the model runs compiled.
        DeviceError: the device is absent or ran out of memory.
        MeasurementError: the model raised, or runs other modules at every call.
    """
    start_s = time.monotonic()
    check_layer_arguments(precision, max_seconds, method)
    found = timed_device(device)
    bench = prepare(model, inputs, found, dtype=dtype, channels_last=channels_last)
    session = LayerSession(
        name=name or type(model).__name__, bench=bench, device=found, precision=precision,
        start_s=start_s, max_seconds=max_seconds, method=method, seed=seed, given_meters=meters,
        tell=progress or _silent, rules=rules,
    )  # fmt: skip
    return conduct_here(session, hardware)


def conduct_here(session: LayerSession, hardware: HardwareBest | None) -> LayerReport:
    """Measure the layers in this process alone, by the clock of the session."""
    try:
        return conduct_layers(
            session,
            [session],
            is_replayed=session.begin(hardware),
            precision=session.precision,
            start_s=session.start_s,
            max_seconds=session.max_seconds,
            seed=session.seed,
            tell=session.tell,
            clock=session.clock,
        )
    finally:
        session.end()


class Reporter(Protocol):
    """Writes the report, in the process that has counted the model."""

    def report(self, timing: JointTiming) -> LayerReport:
        """Find the watts, and join everything."""


def conduct_layers(
    reporter: Reporter,
    timers: Sequence[Timer],
    *,
    is_replayed: bool,
    precision: float,
    start_s: float,
    max_seconds: float,
    seed: int,
    tell: Progress,
    clock: Clock | None = None,
) -> LayerReport:
    """Time the layers by turns, in this process or in others, and have them reported.

    Args:
        reporter: of the session that has begun.
        timers: of all sessions.
        is_replayed: whether layers are replayed for their watts, which takes time as well.
        precision: that of the sessions, and so the next three.
        start_s: instant of the clock at which the measurement began.
        max_seconds: budget for everything.
        seed: of the order.
        tell: told the stage and the share of the budget that is spent.
        clock: what time it is; by default CLOCK_MONOTONIC, which all processes share.
    """
    until = TIMING_SHARE if is_replayed else TIMING_SHARE_ALONE
    clock = clock or MonotonicClock()
    now_s = clock.now_s()
    timing = time_by_turns(
        timers,
        precision=precision,
        deadline_s=now_s + until * max(0.0, start_s + max_seconds - now_s),
        seed=seed,
        clock=clock,
        tell=lambda share: tell("time", TIMING_FROM + share * (until - TIMING_FROM)),
    )
    tell("watts", until)
    return reporter.report(timing)


def check_layer_arguments(precision: float, max_seconds: float, method: str) -> None:
    """Refuse what is out of its range.

    Raises:
        UsageError: so it is.
    """
    if not 0 < precision < 1:
        raise UsageError(
            f"a precision of {precision} is not possible",
            hint="give a relative half width between 0 and 1, such as --precision 0.05",
        )
    if not 0 < max_seconds < float("inf"):
        raise UsageError(
            f"a budget of {max_seconds} s is not possible",
            hint="give seconds above 0, such as --max-seconds 60",
        )
    if method not in METHODS:
        raise UsageError(f"there is no method {method!r}", hint=f"use {' or '.join(METHODS)}")


def _silent(stage: str, share: float) -> None:
    """Nobody asked."""
