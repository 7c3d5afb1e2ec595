from __future__ import annotations

import errno
from pathlib import Path

import pytest

from profiler.errors import SensorError
from profiler.meters.base import AsleepError
from profiler.meters.hwmon import HwmonMeter
from profiler.values.trace import Channel
from tests.virtual.clock import FakeClock
from tests.virtual.power import constant, steps
from tests.virtual.sysfs import SysfsTree, counter_uj, power_uw


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(tmp_path: Path, clock: FakeClock) -> SysfsTree:
    return SysfsTree(tmp_path, clock.now_s)


def opened(tree: SysfsTree) -> tuple[HwmonMeter, dict[str, Channel]]:
    meter = HwmonMeter(tree.root / "hwmon", tree.root / "power_supply", reader=tree, environment={})
    return meter, {channel.key: channel for channel in meter.open()}


def test_an_amd_gpu_shows_watts(tree, clock) -> None:
    tree.add("hwmon/hwmon3/name", "amdgpu")
    tree.add("hwmon/hwmon3/power1_average", power_uw(steps([(1, 40), (1, 250)]).at(clock.now_s())))
    meter, channels = opened(tree)
    channel = channels["gpu:amdgpu-0:power"]
    assert meter.read(channel) == 40
    clock.advance(1.5)
    assert meter.read(channel) == 250


def test_an_apu_is_left_out_of_totals(tree, clock) -> None:
    tree.add("hwmon/hwmon3/name", "amdgpu")
    tree.add("hwmon/hwmon3/in1_label", "vddnb")
    tree.add("hwmon/hwmon3/power1_input", 15_000_000)
    assert "APU" in opened(tree)[1]["gpu:amdgpu-0:power"].uncountable


def test_an_intel_card_holds_its_package(tree, clock) -> None:
    script = constant(120).at(clock.now_s())
    tree.add("hwmon/hwmon1/name", "xe")
    tree.add("hwmon/hwmon1/energy1_label", "card")
    tree.add("hwmon/hwmon1/energy1_input", counter_uj(script))
    tree.add("hwmon/hwmon1/energy2_label", "pkg")
    tree.add("hwmon/hwmon1/energy2_input", counter_uj(script, share=0.8))
    meter, channels = opened(tree)
    card = channels["gpu:xe-0:energy"]
    assert card.contains == ("gpu:xe-0/package",)
    before_j = meter.read(card)
    clock.advance(2)
    assert meter.read(card) - before_j == pytest.approx(240)


def test_two_gpus_of_one_driver_are_two_devices(tree) -> None:
    for number in (1, 2):
        tree.add(f"hwmon/hwmon{number}/name", "amdgpu")
        tree.add(f"hwmon/hwmon{number}/power1_average", number * 1_000_000)
    assert set(opened(tree)[1]) == {"gpu:amdgpu-0:power", "gpu:amdgpu-1:power"}


def test_amd_sockets_are_counted_without_their_cores(tree, clock) -> None:
    tree.add("hwmon/hwmon0/name", "amd_energy")
    tree.add("hwmon/hwmon0/energy1_label", "Ecore000")
    tree.add("hwmon/hwmon0/energy1_input", 1)
    tree.add("hwmon/hwmon0/energy65_label", "Esocket0")
    tree.add("hwmon/hwmon0/energy65_input", counter_uj(constant(90).at(clock.now_s())))
    assert set(opened(tree)[1]) == {"cpu:socket-0:energy"}


def test_a_jetson_rail_is_volts_times_amperes(tree) -> None:
    tree.add("hwmon/hwmon4/name", "ina3221")
    for number, (label, millivolts, milliamperes) in enumerate(
        [("VDD_IN", 19_000, 500), ("VDD_CPU_GPU_CV", 19_000, 200)], start=1
    ):
        tree.add(f"hwmon/hwmon4/in{number}_label", label)
        tree.add(f"hwmon/hwmon4/in{number}_input", millivolts)
        tree.add(f"hwmon/hwmon4/curr{number}_input", milliamperes)
    meter, channels = opened(tree)
    assert meter.read(channels["board:power"]) == pytest.approx(9.5)
    assert meter.read(channels["board/VDD_CPU_GPU_CV:power"]) == pytest.approx(3.8)


def test_an_acpi_meter_states_its_averaging(tree) -> None:
    tree.add("hwmon/hwmon0/name", "power_meter")
    tree.add("hwmon/hwmon0/power1_average", 333_000_000)
    tree.add("hwmon/hwmon0/power1_average_interval", 1000)
    meter, channels = opened(tree)
    assert channels["board:power"].averaging_s == 1.0
    assert meter.read(channels["board:power"]) == 333


def battery(tree: SysfsTree, status: str) -> None:
    tree.add("power_supply/BAT0/type", "Battery")
    tree.add("power_supply/BAT0/status", status)
    tree.add("power_supply/BAT0/current_now", 1_500_000)
    tree.add("power_supply/BAT0/voltage_now", 12_000_000)


def test_a_discharging_battery_shows_the_machines_power(tree) -> None:
    battery(tree, "Discharging")
    meter, channels = opened(tree)
    assert meter.read(channels["battery:BAT0:power"]) == pytest.approx(18)
    tree.add("power_supply/BAT0/status", "Charging")
    with pytest.raises(SensorError, match="charging"):
        meter.read(channels["battery:BAT0:power"])


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_a_battery_that_does_not_discharge_is_no_sensor(tree, status) -> None:
    battery(tree, status)
    assert opened(tree)[1] == {}


def test_the_battery_of_a_mouse_is_no_sensor(tree) -> None:
    battery(tree, "Discharging")
    tree.add("power_supply/BAT0/scope", "Device")
    assert opened(tree)[1] == {}


def test_a_sensor_of_root_is_a_finding_with_the_command(tree) -> None:
    tree.add("hwmon/hwmon0/name", "power_meter")
    tree.add("hwmon/hwmon0/power1_average", 1)
    tree.deny("hwmon/hwmon0/power1_average")
    meter, channels = opened(tree)
    assert channels == {}
    assert "sudo chmod a+r" in meter.findings[0].remedy


def test_a_gpu_that_says_not_now_is_told_and_asked_again(tree) -> None:
    tree.add("hwmon/hwmon0/name", "amdgpu")
    tree.add("hwmon/hwmon0/power1_average", 70_000_000)
    tree.deny("hwmon/hwmon0/power1_average", errno.EPERM)
    meter, channels = opened(tree)
    (finding,) = meter.findings
    assert finding.kind == "sensor-silent"
    assert "gpu:amdgpu-0" in finding.observed
    with pytest.raises(SensorError):
        meter.read(channels["gpu:amdgpu-0:power"])
    tree.forgive()
    assert meter.read(channels["gpu:amdgpu-0:power"]) == 70


def test_a_gpu_asleep_is_not_read_until_it_is_awake(tree) -> None:
    tree.add("hwmon/hwmon0/name", "xe")
    tree.add("hwmon/hwmon0/energy1_input", 5_000_000)
    tree.add("hwmon/hwmon0/device/power/runtime_status", "suspended")
    tree.deny("hwmon/hwmon0/energy1_input", errno.EIO)  # a read would be seen
    meter, channels = opened(tree)
    assert [finding.kind for finding in meter.findings] == ["gpu-asleep"]
    with pytest.raises(AsleepError):
        meter.read(channels["gpu:xe-0:energy"])
    tree.forgive()
    tree.add("hwmon/hwmon0/device/power/runtime_status", "active")
    assert meter.read(channels["gpu:xe-0:energy"]) == 5


def amd_gpus(tree: SysfsTree) -> None:
    """Four cards; the kernel's numbers are not in the order of the bus."""
    for number, bus in enumerate((0x83, 0x03, 0xC3, 0x43)):
        folder = f"hwmon/hwmon{number + 8}"
        tree.add(f"{folder}/name", "amdgpu")
        tree.add(f"{folder}/power1_average", bus * 1_000_000)
        tree.add(f"{folder}/device/uevent", f"DRIVER=amdgpu\nPCI_SLOT_NAME=0000:{bus:02X}:00.0")
        tree.add(f"{folder}/device/unique_id", f"{bus:016x}")


@pytest.mark.parametrize(
    ("environment", "buses"),
    [
        ({}, (0x03, 0x43, 0x83, 0xC3)),
        ({"ROCR_VISIBLE_DEVICES": "2,0"}, (0x83, 0x03)),
        ({"ROCR_VISIBLE_DEVICES": ""}, ()),
        ({"ROCR_VISIBLE_DEVICES": f"GPU-{0xC3:016X},1"}, (0xC3, 0x43)),
        ({"HIP_VISIBLE_DEVICES": "3"}, (0xC3,)),
        ({"HIP_VISIBLE_DEVICES": "-1"}, ()),
        ({"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "1"}, (0x43,)),
        ({"ROCR_VISIBLE_DEVICES": "1,2,3", "HIP_VISIBLE_DEVICES": "2"}, (0xC3,)),
        ({"ZE_AFFINITY_MASK": "0"}, (0x03, 0x43, 0x83, 0xC3)),
    ],
)
def test_amd_gpus_are_those_that_rocm_shows_in_its_order(tree, environment, buses) -> None:
    amd_gpus(tree)
    meter = HwmonMeter(
        tree.root / "hwmon", tree.root / "power_supply", reader=tree, environment=environment
    )
    channels = meter.open()
    assert [channel.device for channel in channels] == [
        f"gpu:amdgpu-{number}" for number in range(len(buses))
    ]
    assert [meter.read(channel) for channel in channels] == list(buses)
    assert [c.identity for c in channels] == [f"0000:{bus:02x}:00.0" for bus in buses]
    assert meter.findings == ()


def test_a_list_that_names_no_gpu_is_told(tree) -> None:
    amd_gpus(tree)
    environment = {"ROCR_VISIBLE_DEVICES": "1,9,2"}
    meter = HwmonMeter(tree.root / "hwmon", tree.root, reader=tree, environment=environment)
    assert len(meter.open()) == 1
    assert "'9'" in meter.findings[0].observed


def test_a_battery_says_that_its_reading_may_be_old(tree) -> None:
    battery(tree, "Discharging")
    assert opened(tree)[1]["battery:BAT0:power"].longest_hold_s == 60


def test_other_drivers_are_no_power_sensors(tree) -> None:
    tree.add("hwmon/hwmon0/name", "nvme")
    tree.add("hwmon/hwmon0/temp1_input", 40_000)
    assert opened(tree)[1] == {}


def test_a_number_that_is_given_away_is_no_longer_read(tree, clock) -> None:
    """The GPU's driver is loaded again as hwmon7, and a fan controller gets its hwmon3."""
    script = constant(250).at(clock.now_s())
    gpu, board = "devices/0000:03:00.0/hwmon/hwmon3", "devices/isa/hwmon/hwmon4"
    tree.add(f"{gpu}/name", "amdgpu")
    tree.add(f"{gpu}/power1_average", power_uw(script))
    tree.add(f"{board}/name", "nct6775")
    tree.add(f"{board}/power1_average", power_uw(script, share=0.1))
    link = tree.root / "hwmon" / "hwmon3"
    link.parent.mkdir()
    link.symlink_to(tree.root / gpu)
    meter, channels = opened(tree)
    channel = channels["gpu:amdgpu-0:power"]
    assert meter.read(channel) == 250
    link.unlink()
    link.symlink_to(tree.root / board)
    tree.remove(gpu)
    with pytest.raises(SensorError, match="gpu:amdgpu-0"):
        meter.read(channel)
