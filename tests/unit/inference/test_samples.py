"""Instant power sharpens the counter where it can be believed, and does no harm where it cannot."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from profiler.inference import infer_counter
from profiler.values.trace import CounterTrace, PowerTrace, Window
from tests.unit.inference.truth import POWER, busy_and_idle, counter_trace
from tests.virtual.power import PowerScript

LOOK_S = 0.025
INSTANT = replace(POWER, update_period_s=0.1, averaging_s=LOOK_S)


def back_to_back() -> tuple[PowerScript, tuple[Window, ...]]:
    chance = random.Random(4)
    spans = [(chance.uniform(0.08, 0.3), chance.uniform(60, 700)) for _ in range(25)]
    return busy_and_idle(spans, [0.0] * len(spans))


def strayed(script: PowerScript) -> CounterTrace:
    """A counter whose moves jitter by more than their brackets are wide."""
    trace = counter_trace(script, until_s=script.end_s)
    chance = random.Random(2)
    moves_s = [(a + b) / 2 + chance.uniform(-0.004, 0.004) for a, b in
               zip(trace.earliest_s, trace.latest_s, strict=True)]  # fmt: skip
    shown_j = [math.floor(script.energy_j(move_s) * 1e3) / 1e3 for move_s in moves_s]
    return replace(
        trace,
        earliest_s=tuple(move_s - 1e-3 * chance.random() for move_s in moves_s),
        latest_s=tuple(move_s + 1e-3 * chance.random() for move_s in moves_s),
        energy_j=tuple(energy_j - shown_j[0] for energy_j in shown_j),
    )


def instant_power(script: PowerScript, counter: CounterTrace) -> PowerTrace:
    """What a sensor shows that is read right after each move of the counter."""
    moves_s = [(a + b) / 2 for a, b in zip(counter.earliest_s, counter.latest_s, strict=True)]
    return PowerTrace(
        channel=INSTANT,
        time_s=tuple(time_s + 5e-4 for time_s in counter.latest_s),
        power_w=tuple(script.mean_w(move_s - LOOK_S, move_s) for move_s in moves_s),
        last_seen_s=counter.latest_s[-1],
    )


def mean_error(
    power: PowerTrace | None,
    counter: CounterTrace,
    script: PowerScript,
    windows: Sequence[Window],
) -> float:
    found = infer_counter(counter, [(window,) for window in windows], windows, power=power)
    errors = []
    for window, energy in zip(windows, found, strict=True):
        assert energy.energy_j is not None
        truth_j = script.energy_between_j(window.start_s, window.end_s or 0.0)
        errors.append(abs(energy.energy_j.point / truth_j - 1))
    return sum(errors) / len(errors)


@pytest.mark.parametrize("gain", [1.0, 0.95, 1.06])
def test_samples_sharpen_the_counter_whatever_their_gain(gain: float) -> None:
    script, windows = back_to_back()
    counter = strayed(script)
    clean = instant_power(script, counter)
    power = replace(clean, power_w=tuple(gain * value for value in clean.power_w))
    alone = mean_error(None, counter, script, windows)
    assert mean_error(power, counter, script, windows) < 0.8 * alone


@pytest.mark.parametrize("fault", ["frozen", "zero", "late", "averaged", "frozen midway"])
def test_samples_that_do_not_fit_the_counter_do_no_harm(fault: str) -> None:
    script, windows = back_to_back()
    counter = strayed(script)
    clean = instant_power(script, counter)
    seen_w, half = clean.power_w, len(clean.power_w) // 2
    power_w = {
        "frozen": (seen_w[half],) * len(seen_w),
        "zero": (0.0,) * len(seen_w),
        "late": (*seen_w[:2], *seen_w[:-2]),
        "averaged": tuple(
            sum(seen_w[max(0, k - 9) : k + 1]) / len(seen_w[max(0, k - 9) : k + 1])
            for k in range(len(seen_w))
        ),
        "frozen midway": (*seen_w[:half], *(seen_w[half],) * (len(seen_w) - half)),
    }[fault]
    alone = mean_error(None, counter, script, windows)
    error = mean_error(replace(clean, power_w=power_w), counter, script, windows)
    assert error < 1.1 * alone + 1e-4


def test_a_one_second_average_is_left_out() -> None:
    script, windows = back_to_back()
    counter = strayed(script)
    clean = instant_power(script, counter)
    averaged = replace(clean, channel=replace(INSTANT, averaging_s=1.0))
    assert mean_error(averaged, counter, script, windows) == mean_error(
        None, counter, script, windows
    )
