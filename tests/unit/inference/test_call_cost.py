from __future__ import annotations

import pytest

from profiler.inference.call_cost import HOST, cost_per_call, traces_of_device
from profiler.inference.timed_run import TimedRun
from profiler.values.trace import Channel, ChannelKind, CounterTrace, Window


def counter(
    power_w, *, device: str = "gpu:0", seconds: float = 40.0, identity: str | None = None
) -> CounterTrace:
    """A counter seen sharply every 100 ms; `power_w` holds from each move to the next."""
    channel = Channel(
        device=device, kind=ChannelKind.ENERGY, source="test", update_period_s=0.1,
        resolution_j=1e-6, identity=identity,
    )  # fmt: skip
    moves_s = [0.1 * k for k in range(int(10 * seconds))]
    energy_j = [0.0]
    for move_s in moves_s[:-1]:
        energy_j.append(energy_j[-1] + 0.1 * power_w(move_s + 0.05))
    return CounterTrace(
        channel=channel,
        earliest_s=tuple(s - 1e-4 for s in moves_s),
        latest_s=tuple(s + 1e-4 for s in moves_s),
        energy_j=tuple(energy_j),
        epoch=(0,) * len(moves_s),
        last_seen_s=moves_s[-1],
    )


def run(*, idle: bool = True) -> TimedRun:
    """Ten blocks of 20 calls in 2 s each, an idle span before and after."""
    blocks = tuple(
        Window(name="block", start_s=4 + 2.5 * k, end_s=6 + 2.5 * k, iteration_count=20)
        for k in range(10)
    )
    idles = (
        Window(name="idle", start_s=1.0, end_s=3.0),
        Window(name="idle", start_s=30.0, end_s=32.0),
    )
    idles = idles if idle else ()
    return TimedRun(blocks=blocks, idles=idles, windows=(*idles, *blocks), now_s=39.0)


def test_a_call_costs_its_share_of_the_blocks_gross_and_net() -> None:
    def power_w(time_s: float) -> float:
        return 300.0 if any(b.start_s < time_s < (b.end_s or 0) for b in run().blocks) else 100.0

    cost = cost_per_call([counter(power_w)], run())
    assert cost.energy_j is not None
    assert cost.net_energy_j is not None
    assert cost.power_w is not None
    assert cost.idle_power_w is not None
    assert cost.energy_j.point == pytest.approx(30.0, rel=1e-3)
    assert cost.net_energy_j.point == pytest.approx(20.0, rel=1e-3)
    assert cost.power_w.point == pytest.approx(300.0, rel=1e-3)
    assert cost.idle_power_w.point == pytest.approx(100.0, rel=1e-3)
    assert [part.device for part in cost.parts] == ["gpu:0"]
    assert cost.findings == ()


def test_blocks_that_differ_widen_the_interval() -> None:
    def power_w(time_s: float) -> float:
        number = int((time_s - 4) / 2.5)
        return 300.0 + (40.0 if number % 2 else -40.0)

    cost = cost_per_call([counter(power_w)], run(idle=False))
    assert cost.energy_j is not None
    assert cost.energy_j.low is not None
    assert cost.energy_j.relative_half_width > 0.05  # type: ignore[operator]  # it has an interval
    assert cost.net_energy_j is None
    assert cost.idle_power_w is None


def test_an_idle_that_drifts_widens_the_net_joules() -> None:
    def power_w(time_s: float) -> float:
        return 100.0 if time_s < 15 else 140.0

    cost = cost_per_call([counter(power_w)], run())
    assert (cost.idle_before_w, cost.idle_after_w) == pytest.approx((100, 140), rel=1e-3)
    assert cost.idle_power_w is not None
    assert cost.idle_power_w.low == pytest.approx(100, abs=1)
    assert cost.idle_power_w.high == pytest.approx(140, abs=1)


def test_what_no_sensor_saw_is_none() -> None:
    cost = cost_per_call([], run())
    assert (cost.energy_j, cost.net_energy_j, cost.power_w, cost.idle_power_w) == (None,) * 4
    assert cost.parts == ()


def test_traces_are_told_apart_by_the_device_that_ran_the_work() -> None:
    gpu = counter(lambda s: 1.0, identity="GPU-1")
    other = counter(lambda s: 1.0, device="gpu:1", identity="GPU-2")
    package = counter(lambda s: 1.0, device="cpu:package-0")
    memory = counter(lambda s: 1.0, device="dram:package-0")
    everything = [gpu, other, package, memory]
    assert traces_of_device(everything, "cuda:0", "GPU-1") == ((gpu,), (other, package, memory))
    assert traces_of_device(everything, "cpu") == ((package, memory), (gpu, other))
    assert traces_of_device(everything, HOST) == (tuple(everything), ())
    assert traces_of_device(everything, "cuda:0", None)[0] == ()
