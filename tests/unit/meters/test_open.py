"""Opening all the meters of a machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import profiler.meters as meters
from profiler.errors import SensorError, UsageError
from profiler.meters import METERS, make_meter, open_meter, open_meters
from profiler.meters.overlap import without_double_counts
from profiler.meters.synthetic import SyntheticMeter
from profiler.values.estimate import Basis
from profiler.values.trace import Channel, ChannelKind
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Scenario, install


def channel(device: str, *, kind: ChannelKind = ChannelKind.POWER, **fields) -> Channel:
    return Channel(device=device, kind=kind, source=fields.pop("source", "a sensor"), **fields)


def countable(channels: tuple[Channel, ...]) -> set[str]:
    """Devices that a total adds up."""
    inside = {device for c in channels for device in c.contains}
    return {c.device for c in channels if c.uncountable is None} - inside


def test_importing_the_meters_loads_no_driver_and_no_estimator() -> None:
    code = (
        "import sys, profiler.meters; "
        "heavy = ('pynvml', 'codecarbon', 'psutil', 'numpy', 'torch'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_everything_says_nothing_and_imports_no_codecarbon() -> None:
    code = (
        "import sys; from profiler.meters import open_meters; opened = open_meters(); "
        "assert 'codecarbon' not in sys.modules and 'torch' not in sys.modules; "
        "[m.read(c) for m, cs in opened.meters for c in cs]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""


@pytest.mark.parametrize("name", [name for name, _, _ in METERS])
def test_every_meter_in_the_table_can_be_made(name: str) -> None:
    assert make_meter(name).name == name


def test_an_unknown_meter_is_named() -> None:
    with pytest.raises(UsageError, match="toaster") as caught:
        open_meters(["toaster"])
    assert "nvml" in caught.value.hint


def test_the_estimate_steps_back_where_a_sensor_reads_the_cpu(monkeypatch) -> None:
    monkeypatch.setattr(
        meters, "make_meter", lambda name: SyntheticMeter(device=f"{DEVICES[name]}")
    )
    opened = open_meters(clock=FakeClock())
    assert [cs[0].device for _, cs in opened.meters] == ["gpu:0", "cpu:package-0", "nvme"]


DEVICES = {"nvml": "gpu:0", "rapl": "cpu:package-0", "hwmon": "nvme", "codecarbon": "cpu"}


def test_beside_gpus_alone_the_cpu_is_estimated() -> None:
    clock = FakeClock()
    with install(Scenario(), now_s=clock.now_s, sleep=clock.sleep):
        opened = open_meters(["nvml", "codecarbon"])
        bases = {c.device: c.basis for _, cs in opened.meters for c in cs}
        for meter, _ in opened.meters:
            meter.close()
    assert bases == {"gpu:0": Basis.MEASURED, "cpu": Basis.ESTIMATED, "ram": Basis.ASSUMED}


class BrokenMeter(SyntheticMeter):
    name = "broken"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.closed = False

    def open(self) -> tuple[Channel, ...]:
        raise self.error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("error", [SensorError("no", hint="do this"), RuntimeError("a driver bug")])
def test_a_meter_that_fails_is_a_finding_and_is_closed(error: Exception) -> None:
    meter = BrokenMeter(error)
    channels, findings = open_meter(meter)
    assert channels == ()
    assert [finding.kind for finding in findings] == ["sensor-unreadable"]
    assert "broken" in findings[0].observed
    assert meter.closed


def test_read_cost_is_probed_with_few_reads_and_one_if_slow(tmp_path: Path) -> None:
    clock = FakeClock()
    for cost_s, reads in ((0.001, 3), (0.2, 1)):
        meter = SyntheticMeter(clock=clock, read_cost_s=cost_s, sleep=clock.sleep)
        before_s = clock.now_s()
        (found,), _ = open_meter(meter, clock=clock)
        assert found.read_cost_s == pytest.approx(cost_s)
        assert clock.now_s() - before_s == pytest.approx(reads * cost_s)


def test_rapl_and_another_reading_of_the_cpu_are_counted_once() -> None:
    rapl = channel("cpu:package-0", kind=ChannelKind.ENERGY, source="RAPL package-0")
    socket = channel("cpu:socket-0", kind=ChannelKind.ENERGY)
    assert countable(without_double_counts([rapl, socket])) == {"cpu:package-0"}


def test_a_second_opinion_counts_in_no_total() -> None:
    rapl = channel("cpu:package-0", kind=ChannelKind.ENERGY, source="RAPL package-0")
    guess = channel("cpu", basis=Basis.ESTIMATED)
    memory = channel("ram", basis=Basis.ASSUMED)
    assert countable(without_double_counts([rapl, guess, memory])) == {"cpu:package-0"}


def test_the_board_holds_everything_else() -> None:
    channels = without_double_counts(
        [channel("gpu:0"), channel("cpu:package-0", source="RAPL package-0"), channel("board")]
    )
    assert countable(channels) == {"board"}


def test_board_and_battery_are_not_both_counted() -> None:
    assert countable(without_double_counts([channel("battery:BAT0"), channel("board")])) == {
        "board"
    }


def test_two_batteries_add_up() -> None:
    batteries = [channel("battery:BAT0"), channel("battery:BAT1"), channel("gpu:0")]
    assert countable(without_double_counts(batteries)) == {"battery:BAT0", "battery:BAT1"}


def test_rails_lie_inside_the_board_but_stand_alone_without_it() -> None:
    rails = [channel("board/VDD_CPU"), channel("board/VDD_GPU")]
    assert countable(without_double_counts(rails)) == {"board/VDD_CPU", "board/VDD_GPU"}
    assert countable(without_double_counts([channel("board"), *rails])) == {"board"}
