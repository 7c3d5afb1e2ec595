"""What every meter owes the recorder, whatever it reads; each on its own virtual hardware."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from profiler.errors import SensorError
from profiler.meters import Meter
from profiler.meters.codecarbon import CodeCarbonMeter
from profiler.meters.hwmon import HwmonMeter
from profiler.meters.nvml import NvmlMeter
from profiler.meters.rapl import RaplMeter
from profiler.meters.synthetic import SyntheticMeter
from profiler.values.trace import Channel, ChannelKind
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Scenario, VirtualGpu, install
from tests.virtual.power import constant
from tests.virtual.sysfs import SysfsTree, add_proc, add_rapl, counter_uj, power_uw


@dataclass(frozen=True)
class Bench:
    """A meter, not yet opened, on hardware that draws 200 W from the present instant on."""

    meter: Meter
    clock: FakeClock
    power_w: float = 200.0
    slack: float = 0.005


@contextlib.contextmanager
def nvml_bench(folder: Path) -> Iterator[Bench]:
    clock = FakeClock()
    gpu = VirtualGpu(script=constant(200).at(clock.now_s()), memory_share=0.2)
    with install(Scenario(gpus=(gpu,)), now_s=clock.now_s, sleep=clock.sleep):
        yield Bench(NvmlMeter(environment={}), clock)


@contextlib.contextmanager
def rapl_bench(folder: Path) -> Iterator[Bench]:
    clock = FakeClock()
    tree = SysfsTree(folder, clock.now_s)
    add_rapl(tree, constant(200).at(clock.now_s()))
    yield Bench(RaplMeter(folder, reader=tree), clock)


@contextlib.contextmanager
def hwmon_bench(folder: Path) -> Iterator[Bench]:
    clock = FakeClock()
    tree = SysfsTree(folder, clock.now_s)
    script = constant(200).at(clock.now_s())
    tree.add("hwmon/hwmon0/name", "xe")
    tree.add("hwmon/hwmon0/energy1_input", counter_uj(script))
    tree.add("hwmon/hwmon1/name", "amdgpu")
    tree.add("hwmon/hwmon1/power1_average", power_uw(script))
    yield Bench(HwmonMeter(folder / "hwmon", folder / "power_supply", reader=tree), clock)


@contextlib.contextmanager
def codecarbon_bench(folder: Path) -> Iterator[Bench]:
    clock = FakeClock()
    tree = SysfsTree(folder, clock.now_s)
    add_proc(tree, model="AMD EPYC 7742", load=lambda now_s: 0.5)
    meter = CodeCarbonMeter(folder, reader=tree, clock=clock)
    yield Bench(meter, clock, power_w=225 * (0.1 + 0.9 * 0.5**3), slack=0.05)


@contextlib.contextmanager
def synthetic_bench(folder: Path) -> Iterator[Bench]:
    clock = FakeClock()
    yield Bench(SyntheticMeter([(1.0, 200.0)], clock=clock, with_power=True), clock)


BENCHES = {
    "nvml": nvml_bench,
    "rapl": rapl_bench,
    "hwmon": hwmon_bench,
    "codecarbon": codecarbon_bench,
    "synthetic": synthetic_bench,
}


@pytest.fixture(params=sorted(BENCHES))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with BENCHES[request.param](tmp_path) as made:
        yield made
        made.meter.close()


def opened(bench: Bench) -> tuple[Channel, ...]:
    channels = bench.meter.open()
    bench.clock.advance(0.05)
    assert channels
    assert bench.meter.findings == ()
    return channels


def test_channels_are_unique_and_say_what_they_are(bench: Bench) -> None:
    channels = opened(bench)
    assert len({channel.key for channel in channels}) == len(channels)
    for channel in channels:
        assert channel.source
        assert channel.update_period_s is None or channel.update_period_s > 0
        assert channel.device not in channel.contains


def test_counters_gain_the_true_joules_and_never_fall(bench: Bench) -> None:
    counters = [c for c in opened(bench) if c.kind is ChannelKind.ENERGY]
    assert counters
    whole = {channel.key: [bench.meter.read(channel)] for channel in counters}
    for _ in range(21):
        bench.clock.advance(0.1)
        for channel in counters:
            whole[channel.key].append(bench.meter.read(channel))
    for values in whole.values():
        assert values == sorted(values)
    primary = whole[counters[0].key]
    assert primary[-1] - primary[0] == pytest.approx(2.1 * bench.power_w, rel=bench.slack)


def test_powers_are_finite_watts(bench: Bench) -> None:
    powers = [c for c in opened(bench) if c.kind is ChannelKind.POWER]
    for channel in powers:
        assert 0 <= bench.meter.read(channel) < 1000


def test_draining_twice_gives_no_sample_twice(bench: Bench) -> None:
    for channel in opened(bench):
        first = bench.meter.drain(channel)
        assert not set(first) & set(bench.meter.drain(channel))


def test_a_channel_of_somebody_else_is_refused(bench: Bench) -> None:
    opened(bench)
    stranger = Channel(device="toaster", kind=ChannelKind.POWER, source="a toaster")
    with pytest.raises(SensorError, match="toaster"):
        bench.meter.read(stranger)


def test_closing_twice_is_allowed_and_reading_afterwards_is_refused(bench: Bench) -> None:
    channel = opened(bench)[0]
    bench.meter.close()
    bench.meter.close()
    with pytest.raises(SensorError):
        bench.meter.read(channel)


def test_a_meter_never_opened_can_be_closed(bench: Bench) -> None:
    bench.meter.close()
    assert bench.meter.open()


def test_many_threads_may_read_at_once(bench: Bench) -> None:
    channels = opened(bench)
    errors: list[BaseException] = []

    def read_often() -> None:
        try:
            for _ in range(50):
                for channel in channels:
                    assert bench.meter.read(channel) >= 0
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_nothing_is_left_behind_and_nobody_is_called(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*arguments: object, **options: object) -> None:
        raise AssertionError(f"a meter called {arguments}")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    monkeypatch.setattr(socket, "socket", forbidden)
    threads_before = threading.active_count()
    files_before = len(os.listdir("/proc/self/fd"))
    for channel in opened(bench):
        bench.meter.read(channel)
    bench.meter.close()
    assert threading.active_count() == threads_before
    assert len(os.listdir("/proc/self/fd")) == files_before
