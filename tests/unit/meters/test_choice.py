from __future__ import annotations

import pytest

import profiler.meters as meters
from profiler.errors import UsageError
from profiler.meters import METERS, open_meters
from profiler.meters.choice import sensor_choice
from profiler.meters.synthetic import SyntheticMeter
from tests.virtual.clock import FakeClock

DEVICES = {"nvml": "gpu:1", "rapl": "cpu:package-0", "hwmon": "battery:BAT0", "codecarbon": "cpu"}


@pytest.fixture(autouse=True)
def _a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        meters,
        "make_meter",
        lambda name: SyntheticMeter(device=DEVICES[name], with_power=name == "nvml"),
    )


def chosen(sensors: object = None, without: object = None) -> list[str]:
    opened = open_meters(clock=FakeClock(), choice=sensor_choice(sensors, without))
    return [channel.key for _, channels in opened.meters for channel in channels]


@pytest.mark.parametrize(
    ("sensors", "without", "keys"),
    [
        (None, None, ["gpu:1:energy", "gpu:1:power", "cpu:package-0:energy",
                      "battery:BAT0:energy"]),
        ("gpu", None, ["gpu:1:energy", "gpu:1:power"]),
        (["gpu:1", "battery"], None, ["gpu:1:energy", "gpu:1:power", "battery:BAT0:energy"]),
        ("gpu:1:energy,rapl", None, ["gpu:1:energy", "cpu:package-0:energy"]),
        (None, "gpu:1:power,hwmon", ["gpu:1:energy", "cpu:package-0:energy"]),
        ("gpu", "gpu:1:power", ["gpu:1:energy"]),
        (None, "dram", ["gpu:1:energy", "gpu:1:power", "cpu:package-0:energy",
                        "battery:BAT0:energy"]),
    ],
)  # fmt: skip
def test_words_choose_meters_families_devices_and_channels(sensors, without, keys) -> None:
    assert chosen(sensors, without) == keys


def test_what_is_left_out_hides_nothing() -> None:
    assert chosen(without="rapl,hwmon") == ["gpu:1:energy", "gpu:1:power", "cpu:energy"]


def test_a_meter_that_is_left_out_is_not_opened(monkeypatch) -> None:
    names: list[str] = []
    monkeypatch.setattr(SyntheticMeter, "open", lambda meter: names.append(meter._device) or ())
    chosen(without="nvml")
    assert names == ["cpu:package-0", "battery:BAT0", "cpu"]


@pytest.mark.parametrize("words", [("gpu:7", None), (None, "toaster"), ("dram", None)])
def test_a_word_that_names_nothing_is_refused_with_what_there_is(words) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(*words)
    assert repr(next(word for word in words if word)) in caught.value.message
    assert "gpu:1, cpu:package-0" in caught.value.hint
    assert all(name in caught.value.hint for name, _, _ in METERS)


def test_no_word_at_all_is_refused() -> None:
    with pytest.raises(UsageError):
        sensor_choice(",", None)
