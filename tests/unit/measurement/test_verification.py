from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.errors import StoreError
from profiler.inference.call_cost import HOST, cost_per_call
from profiler.measurement.verification import timed_run, verify
from profiler.values.profile import Environment, Profile, Workload
from tests.unit.inference.test_call_cost import counter, run


def stored() -> Profile:
    trace = counter(lambda time_s: 200.0)
    timed = run()
    cost = cost_per_call([trace], timed)
    return Profile(
        name="known", created_utc="2026-01-01T00:00:00Z",
        environment=Environment(device_name="test", fingerprint="0"),
        workload=Workload(model="m", device=HOST),
        latency_s=None, energy_j=cost.energy_j, net_energy_j=cost.net_energy_j,
        power_w=cost.power_w, idle_power_w=cost.idle_power_w, peak_memory_bytes=None,
        energy_parts=cost.parts, traces=(trace,), windows=timed.windows,
    )  # fmt: skip


def test_what_follows_from_its_readings_holds() -> None:
    verification = verify(stored())
    assert verification.holds
    assert {check.name for check in verification.checks} >= {"energy_j", "energy_j of gpu:0"}
    (source,) = verification.sources
    assert source.energy_j is not None
    assert source.energy_j.point == pytest.approx(200 * 20, rel=1e-3)


def test_a_joule_that_was_changed_does_not_hold() -> None:
    profile = stored()
    assert profile.energy_j is not None
    forged = replace(profile, energy_j=profile.energy_j.scaled(0.9, "J"))
    assert not verify(forged).holds


def test_a_reading_that_was_changed_does_not_hold() -> None:
    profile = stored()
    (trace,) = profile.traces
    halved = replace(trace, energy_j=tuple(e / 2 for e in trace.energy_j))  # type: ignore[union-attr]  # a counter
    assert not verify(replace(profile, traces=(halved,))).holds


def test_a_number_without_readings_does_not_hold() -> None:
    assert not verify(replace(stored(), traces=())).holds


def test_a_run_without_timed_windows_is_an_error() -> None:
    with pytest.raises(StoreError, match="no timed windows"):
        timed_run(())
