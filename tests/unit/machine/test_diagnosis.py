from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.machine.diagnosis import diagnose
from profiler.meters import OpenedMeters
from profiler.meters.synthetic import SyntheticMeter
from profiler.values.estimate import Basis
from profiler.values.findings import Finding


def opened(*meters: SyntheticMeter) -> OpenedMeters:
    return OpenedMeters([(meter, meter.open()) for meter in meters], ())


def test_a_sensor_is_reported_as_it_behaves() -> None:
    meter = SyntheticMeter([(1.0, 100.0)], update_period_s=0.02)
    (sensor,) = diagnose(0.5, opened=opened(meter)).sensors
    assert sensor.probed.failure_count == 0
    assert sensor.probed.mean_power_w == pytest.approx(100, rel=0.3)
    assert sensor.update_period_s == pytest.approx(0.02, rel=0.5)
    assert sensor.shortest_window_s == pytest.approx(20 * (sensor.update_period_s or 0))


def test_a_counter_that_stands_still_is_found() -> None:
    findings = diagnose(
        0.2, opened=opened(SyntheticMeter([(1.0, 0.0)], update_period_s=0.02))
    ).findings
    assert "counter-frozen" in {finding.kind for finding in findings}


def test_a_slow_counter_watched_briefly_is_not_called_frozen() -> None:
    for seconds in (0.05, 0.5):
        meter = SyntheticMeter([(1.0, 100.0)], update_period_s=0.3)
        kinds = {finding.kind for finding in diagnose(seconds, opened=opened(meter)).findings}
        assert "watched-briefly" in kinds
        assert "counter-frozen" not in kinds


def test_a_sensor_that_shows_less_than_its_part_is_found() -> None:
    whole = SyntheticMeter([(1.0, 3.0)], update_period_s=0.02, device="psys")
    part = SyntheticMeter([(1.0, 90.0)], update_period_s=0.02, device="cpu:package-0")
    meters = [
        (whole, tuple(replace(c, contains=("cpu:package-0",)) for c in whole.open())),
        (part, part.open()),
    ]
    findings = diagnose(0.5, opened=OpenedMeters(meters, ())).findings
    (finding,) = [finding for finding in findings if finding.kind == "below-its-parts"]
    assert "psys" in finding.observed


def test_the_way_to_the_cpus_counters_is_told_once_and_right() -> None:
    masked = Finding(kind="sensor-unreadable", observed="the sensors of rapl", remedy="a mount")
    meter = SyntheticMeter(update_period_s=0.02)
    channels = tuple(replace(c, basis=Basis.ESTIMATED) for c in meter.open())
    findings = diagnose(0.1, opened=OpenedMeters([(meter, channels)], (masked,))).findings
    (finding,) = [finding for finding in findings if finding.kind == "estimate-only"]
    assert finding.remedy == "a mount"


def test_no_sensor_at_all_is_found() -> None:
    findings = diagnose(0.1, opened=opened()).findings
    assert [finding.kind for finding in findings] == ["no-sensor"]
