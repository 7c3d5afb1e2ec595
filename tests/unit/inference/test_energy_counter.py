from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.inference import infer_counter
from profiler.values.trace import CounterTrace, Window
from tests.unit.inference.truth import busy_and_idle, counter_trace, power_trace
from tests.virtual.power import PowerScript, bursts, constant

LOADS = st.lists(
    st.tuples(st.floats(0.03, 0.6), st.floats(30, 700), st.floats(0.0, 0.4)),
    min_size=1,
    max_size=8,
)


def kinds(findings: object) -> set[str]:
    return {finding.kind for finding in findings}  # type: ignore[attr-defined]  # a tuple of Finding


def whole(trace: CounterTrace, window: Window, **options: object):
    return infer_counter(trace, [(window,)], [window], **options)[0]  # type: ignore[arg-type]  # its own


def test_a_hundred_watts_for_two_seconds_are_200_joules() -> None:
    window = Window(name="w", start_s=1.0, end_s=3.0)
    energy = whole(counter_trace(constant(100.0), until_s=4.0), window)
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(200.0, abs=0.02)
    assert energy.energy_j.systematic == 0.05
    assert energy.energy_j.source == "counter, segment model 7"
    assert energy.findings == ()


def test_short_windows_at_different_powers_are_told_apart() -> None:
    levels = [(0.06 + 0.013 * k, 150.0 + 30 * k) for k in range(15)]
    script, windows = busy_and_idle(levels, [0.11 + 0.017 * k for k in range(15)])
    trace = counter_trace(script, until_s=script.end_s)
    found = infer_counter(trace, [(window,) for window in windows], windows)
    for energy, window in zip(found, windows, strict=True):
        truth_j = script.energy_between_j(window.start_s, window.end_s or 0)
        assert energy.energy_j is not None
        assert energy.energy_j.point == pytest.approx(truth_j, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(load=LOADS, phase_s=st.floats(0.0, 0.099), width_s=st.floats(1e-4, 0.09))
def test_the_bracket_holds_the_truth_whatever_the_power_does(
    load: list[tuple[float, float, float]], phase_s: float, width_s: float
) -> None:
    script, windows = busy_and_idle([(d, p) for d, p, _ in load], [gap for _, _, gap in load])
    trace = counter_trace(script, until_s=script.end_s, phase_s=phase_s, width_s=width_s)
    targets = [*((window,) for window in windows), windows]
    for energy, target in zip(infer_counter(trace, targets, windows), targets, strict=True):
        truth_j = sum(script.energy_between_j(w.start_s, w.end_s or 0) for w in target)
        assert energy.bracket_j is not None
        assert energy.energy_j is not None
        assert energy.bracket_j[0] - 1e-9 <= truth_j <= energy.bracket_j[1] + 1e-9
        assert energy.bracket_j[0] <= energy.energy_j.point <= energy.bracket_j[1]
        assert energy.energy_j.low is not None
        assert energy.energy_j.low >= 0


@settings(max_examples=15, deadline=None)
@given(load=LOADS)
def test_adjacent_windows_add_up_to_their_union(load: list[tuple[float, float, float]]) -> None:
    script, windows = busy_and_idle([(d, p) for d, p, _ in load], [0.0] * len(load))
    trace = counter_trace(script, until_s=script.end_s)
    union = Window(name="all", start_s=windows[0].start_s, end_s=windows[-1].end_s)
    *parts, together, listed = infer_counter(
        trace, [*((window,) for window in windows), (union,), windows], windows
    )
    assert together.energy_j is not None
    assert listed.energy_j is not None
    assert listed.energy_j.point == pytest.approx(together.energy_j.point, rel=1e-6)
    total_j = sum(part.energy_j.point for part in parts if part.energy_j is not None)
    assert total_j == pytest.approx(together.energy_j.point, rel=0.1, abs=2.0)


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_a_counter_in_other_units_gives_the_same_number_scaled(factor: float) -> None:
    script, windows = busy_and_idle([(0.2, 300.0), (0.25, 500.0)], [0.1, 0.2])
    trace = counter_trace(script, until_s=script.end_s)
    scaled = replace(
        trace,
        energy_j=tuple(factor * energy for energy in trace.energy_j),
        channel=replace(trace.channel, resolution_j=factor * 1e-3),
    )
    for window in windows:
        one, other = whole(trace, window).energy_j, whole(scaled, window).energy_j
        assert one is not None
        assert other is not None
        assert other.point == pytest.approx(factor * one.point, rel=1e-6)


def test_an_interval_widens_when_power_varies_inside_the_window() -> None:
    def half_width(script: PowerScript) -> float:
        window = Window(name="w", start_s=1.0, end_s=3.0)
        padded = constant(90.0, 1.0) + script + constant(90.0, 0.02) + constant(400.0, 1.0)
        # The next window begins 20 ms later: the move between them cannot split the two.
        later = Window(name="v", start_s=3.02, end_s=4.02)
        trace = counter_trace(padded, until_s=4.1)
        energy = infer_counter(trace, [(window,)], [window, later])[0].energy_j
        assert energy is not None
        assert energy.half_width is not None
        return energy.half_width

    calm = half_width(constant(300.0, 2.0))
    bursty = half_width(bursts(high_w=600.0, low_w=90.0, on_s=0.03, off_s=0.041, count=29))
    assert bursty > 5 * calm


def test_a_window_that_the_counter_has_not_closed_says_so() -> None:
    script = constant(100.0, 1.0) + constant(300.0, 3.0)
    window = Window(name="w", start_s=1.0, end_s=None)
    energy = whole(counter_trace(script, until_s=2.5), window, now_s=2.58)
    assert "not-closed-yet" in kinds(energy.findings)
    assert energy.bracket_j is not None
    assert energy.bracket_j[1] == math.inf
    assert energy.energy_j is not None
    assert energy.energy_j.low is not None
    assert energy.energy_j.high is not None
    assert energy.energy_j.low <= 300 * 1.58 <= energy.energy_j.high


def test_a_counter_frozen_midway_gives_no_number() -> None:
    trace = counter_trace(constant(300.0), until_s=2.5, last_seen_s=6.0)
    energy = whole(trace, Window(name="w", start_s=1.0, end_s=5.0))
    assert energy.energy_j is None
    assert "counter-frozen" in kinds(energy.findings)


def test_a_counter_frozen_from_the_start_gives_no_number() -> None:
    trace = replace(counter_trace(constant(300.0), until_s=0.1, last_seen_s=6.0), energy_j=(0.0,))
    energy = whole(trace, Window(name="w", start_s=1.0, end_s=5.0))
    assert energy.energy_j is None
    assert "counter-frozen" in kinds(energy.findings)


def test_a_counter_that_thawed_without_the_missing_energy_gives_no_number() -> None:
    trace = counter_trace(constant(300.0), until_s=6.0)
    stuck = [k for k, time_s in enumerate(trace.latest_s) if 2.0 < time_s < 4.5]
    lost_j = trace.energy_j[stuck[-1]] - trace.energy_j[stuck[0] - 1]
    kept = [k for k in range(len(trace.energy_j)) if k not in stuck]
    thawed = replace(
        trace,
        earliest_s=tuple(trace.earliest_s[k] for k in kept),
        latest_s=tuple(trace.latest_s[k] for k in kept),
        energy_j=tuple(trace.energy_j[k] - (lost_j if k > stuck[0] else 0.0) for k in kept),
        epoch=(0,) * len(kept),
    )
    energy = whole(thawed, Window(name="w", start_s=1.0, end_s=5.5))
    assert energy.energy_j is None
    assert "counter-frozen" in kinds(energy.findings)


def test_a_device_lost_midway_gives_no_number() -> None:
    trace = counter_trace(constant(300.0), until_s=2.5)
    energy = whole(trace, Window(name="w", start_s=1.0, end_s=5.0))
    assert energy.energy_j is None
    assert "sensor-lost" in kinds(energy.findings)


def test_a_reset_is_bridged_with_an_interval_that_holds_the_truth() -> None:
    trace = counter_trace(constant(300.0), until_s=6.0)
    after = [k for k, time_s in enumerate(trace.latest_s) if time_s > 3.0]
    energy_j = [
        value - (trace.energy_j[after[0]] - trace.energy_j[after[0] - 1] if k in after else 0.0)
        for k, value in enumerate(trace.energy_j)
    ]
    reset = replace(
        trace,
        energy_j=tuple(energy_j),
        epoch=tuple(int(k in after) for k in range(len(energy_j))),
    )
    energy = whole(reset, Window(name="w", start_s=1.0, end_s=5.0))
    assert "counter-reset" in kinds(energy.findings)
    assert energy.energy_j is not None
    assert energy.energy_j.low is not None
    assert energy.energy_j.high is not None
    assert energy.energy_j.low <= 1200.0 <= energy.energy_j.high
    assert energy.energy_j.point == pytest.approx(1200.0, rel=0.01)


def test_a_second_without_reads_loses_no_energy() -> None:
    trace = counter_trace(constant(300.0), until_s=6.0)
    unread = [k for k, time_s in enumerate(trace.latest_s) if 2.0 < time_s < 3.0]
    kept = [k for k in range(len(trace.energy_j)) if k not in unread[:-1]]
    earliest_s = list(trace.earliest_s)
    earliest_s[unread[-1]] = trace.latest_s[unread[0] - 1]
    gappy = replace(
        trace,
        earliest_s=tuple(earliest_s[k] for k in kept),
        latest_s=tuple(trace.latest_s[k] for k in kept),
        energy_j=tuple(trace.energy_j[k] for k in kept),
        epoch=(0,) * len(kept),
    )
    energy = whole(gappy, Window(name="w", start_s=1.0, end_s=5.0))
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(1200.0, rel=0.001)


def test_a_window_too_short_says_how_long_it_must_be() -> None:
    script, windows = busy_and_idle([(0.012, 300.0), (0.011, 650.0)], [0.3, 0.004])
    trace = counter_trace(script, until_s=script.end_s)
    energy = infer_counter(trace, [(windows[0],)], windows)[0]
    remarks = [finding for finding in energy.findings if finding.kind == "too-short"]
    assert len(remarks) == 1
    assert "at least" in remarks[0].remedy


def test_power_samples_that_contradict_the_counter_are_reported() -> None:
    trace = counter_trace(constant(300.0), until_s=6.0)
    window = Window(name="w", start_s=1.0, end_s=5.0)
    half = power_trace(constant(150.0), until_s=6.0)
    same = power_trace(constant(303.0), until_s=6.0)
    assert "counter-power-disagree" in kinds(whole(trace, window, power=half).findings)
    assert whole(trace, window, power=same).findings == ()


def test_a_day_of_recording_costs_no_more_than_its_edges() -> None:
    script = constant(300.0, 1.0)
    trace = counter_trace(script, until_s=8640.0)
    windows = [Window(name="w", start_s=10.0 * k, end_s=10.0 * k + 5.003) for k in range(1, 860)]
    union = Window(name="day", start_s=15.0, end_s=8600.0)
    energy = infer_counter(trace, [(union,)], [*windows, union])[0].energy_j
    assert energy is not None
    assert energy.point == pytest.approx(300.0 * 8585.0, rel=1e-6)


def test_a_window_without_duration_alone_has_no_number_and_says_so() -> None:
    energy = whole(
        counter_trace(constant(300.0), until_s=3.0), Window(name="w", start_s=1.0, end_s=1.0)
    )
    assert energy.energy_j is None
    assert "too-short" in kinds(energy.findings)
    assert energy.bracket_j == (0.0, 0.0)
