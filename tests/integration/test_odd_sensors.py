"""Whole recordings on machines whose sensors behave as people's do, in virtual time."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.meters.hwmon import HwmonMeter
from profiler.meters.rapl import RaplMeter
from profiler.recording.window_energy import WindowEnergy
from profiler.values.estimate import Estimate
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Scenario
from tests.virtual.power import PowerScript, constant, steps
from tests.virtual.recording import VirtualRecording, virtual_recording
from tests.virtual.sysfs import SysfsTree, Value, add_domain, counter_uj, power_uw

NO_GPU = Scenario(gpus=(), library_fault="no library")


class Machine:
    """A stand-in /sys, filled before it is recorded."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.start_s = self.clock.now_s()
        self.tree = SysfsTree(folder, self.clock.now_s)

    def script(self, script: PowerScript) -> PowerScript:
        return script.at(self.start_s)

    def record(
        self, seconds: float = 8.0, during: Callable[[VirtualRecording], None] | None = None
    ) -> WindowEnergy:
        """One window of `seconds`, a second after the start."""

        def meters(clock: FakeClock) -> tuple[RaplMeter, HwmonMeter]:
            self.clock, self.tree.now_s = clock, clock.now_s
            root = self.tree.root
            return (
                RaplMeter(root / "powercap", reader=self.tree, host_root=root / "absent"),
                HwmonMeter(root / "hwmon", root / "power", reader=self.tree, environment={}),
            )

        with virtual_recording(NO_GPU, clock=FakeClock(self.start_s), meters=meters) as recording:
            recording.sleep(1.0)
            with recording.window("work"):
                if during is not None:
                    during(recording)
                recording.sleep(max(0.0, self.start_s + 1.0 + seconds - recording.clock.now_s()))
            recording.sleep(1.0)
        return recording["work"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def kinds(energy: WindowEnergy) -> set[str]:
    return {finding.kind for finding in energy.findings}


def holds(estimate: Estimate | None, truth_j: float) -> bool:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth_j <= estimate.high


def dipping(value: Value, seed: int, lowest_uj: float) -> Value:
    """A counter that shows too little for 30 to 120 ms, once a second."""
    chance = random.Random(seed)
    dips = [(1000.5 + k + chance.random() / 2, chance.uniform(0.03, 0.12)) for k in range(20)]

    def shown(now_s: float) -> float:
        true_uj = float(value(now_s))
        is_low = any(start_s <= now_s < start_s + long_s for start_s, long_s in dips)
        return max(0.0, true_uj - lowest_uj) if is_low else true_uj

    return shown


@pytest.mark.parametrize("lowest_uj", [40e6, 1e9], ids=["by 40 J", "to 0"])
@pytest.mark.parametrize("period_s", [1e-3, 0.1])
def test_dips_of_a_counter_make_no_energy(machine, period_s: float, lowest_uj: float) -> None:
    script = machine.script(steps([(3, 30), (3, 160), (60, 80)]))
    if period_s == 1e-3:
        value = dipping(counter_uj(script, start_uj=2e8), 1, lowest_uj)
        add_domain(machine.tree, "powercap/intel-rapl:0", "package-0", value)
    else:

        def slow(now_s: float) -> float:
            return 2e8 + 1e6 * script.energy_j(int(now_s * 10 + 1e-6) / 10)

        machine.tree.add("hwmon/hwmon0/name", "xe")
        machine.tree.add("hwmon/hwmon0/energy1_input", dipping(slow, 2, lowest_uj))
    energy = machine.record()
    truth_j = script.energy_between_j(machine.start_s + 1, machine.start_s + 9)
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(truth_j, rel=0.03)
    assert holds(energy.energy_j, truth_j)
    assert "counter-reset" not in kinds(energy)


def test_a_suspended_span_is_left_out_and_named(machine) -> None:
    script = machine.script(constant(15))
    asleep_j = 0.0

    def value(now_s: float) -> float:
        return float(counter_uj(script)(now_s)) + 1e6 * asleep_j

    def close_the_lid(recording: VirtualRecording) -> None:
        nonlocal asleep_j
        recording.sleep(3.0)
        asleep_j += 300.0
        machine.clock.suspend(3600.0)

    add_domain(machine.tree, "powercap/intel-rapl:0", "package-0", value)
    energy = machine.record(10.0, close_the_lid)
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(150, rel=0.02)
    assert holds(energy.energy_j, 150)
    (finding,) = [finding for finding in energy.findings if finding.kind == "suspended"]
    assert "suspended for 3600 s" in finding.observed
    assert "counter-reset" not in kinds(energy)


def test_a_parent_below_its_child_gives_way_to_it(machine) -> None:
    script = machine.script(constant(90))
    add_domain(machine.tree, "powercap/intel-rapl:0", "package-0", counter_uj(script))
    add_domain(machine.tree, "powercap/intel-rapl:1", "psys", counter_uj(script, share=0.03))
    energy = machine.record()
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(720, rel=0.01)
    assert "below-its-parts" in kinds(energy)


def test_a_sound_parent_counts_alone(machine) -> None:
    script = machine.script(constant(90))
    add_domain(machine.tree, "powercap/intel-rapl:0", "package-0", counter_uj(script))
    add_domain(machine.tree, "powercap/intel-rapl:0:0", "core", counter_uj(script, share=0.7))
    add_domain(machine.tree, "powercap/intel-rapl:1", "psys", counter_uj(script, share=1.5))
    energy = machine.record()
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(1080, rel=0.01)
    assert energy.findings == ()


def test_two_platforms_add_up(machine) -> None:
    for number, watts in enumerate((50, 60)):
        package = counter_uj(machine.script(constant(watts)))
        platform = counter_uj(machine.script(constant(1.5 * watts)))
        name = "psys" if number == 0 else "psys-1"
        add_domain(machine.tree, f"powercap/intel-rapl:{number}", f"package-{number}", package)
        add_domain(machine.tree, f"powercap/intel-rapl:{number + 2}", name, platform)
    energy = machine.record()
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(1320, rel=0.01)


def add_battery(machine: Machine, script: PowerScript, every_s: float) -> None:
    """`power_now` is the power of the moment, renewed now and then."""

    def value(now_s: float) -> float:
        renewed_s = machine.start_s + (now_s - machine.start_s) // every_s * every_s
        return 1e6 * script.power_w(renewed_s)

    machine.tree.add("power/BAT0/type", "Battery")
    machine.tree.add("power/BAT0/status", "Discharging")
    machine.tree.add("power/BAT0/power_now", value)


def test_a_stale_battery_gives_no_number(machine) -> None:
    add_battery(machine, machine.script(steps([(1, 8), (60, 37)])), every_s=60)
    energy = machine.record()
    assert energy.energy_j is None
    assert "stale-reading" in kinds(energy)


def test_a_stale_battery_never_outranks_a_live_counter(machine) -> None:
    script = machine.script(steps([(1, 8), (60, 37)]))
    add_battery(machine, script, every_s=60)
    package = counter_uj(script, share=0.9)
    add_domain(machine.tree, "powercap/intel-rapl:0", "package-0", package)
    energy = machine.record()
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(0.9 * 8 * 37, rel=0.01)


def test_a_battery_that_is_renewed_often_is_integrated_as_widely_as_it_is_old(machine) -> None:
    script = machine.script(steps([(7, 12), (9, 30), (11, 18)] * 5))
    add_battery(machine, script, every_s=4)
    energy = machine.record(120.0)
    truth_j = script.energy_between_j(machine.start_s + 1, machine.start_s + 121)
    assert holds(energy.energy_j, truth_j)
    assert energy.energy_j.relative_half_width > 0.03


def test_a_gpu_that_answers_late_is_read_then_and_hidden_by_no_total(machine) -> None:
    gpu = machine.script(constant(90))
    add_domain(
        machine.tree, "powercap/intel-rapl:0", "package-0", counter_uj(machine.script(constant(10)))
    )
    machine.tree.add("hwmon/hwmon0/name", "amdgpu")
    machine.tree.add("hwmon/hwmon0/power1_average", power_uw(gpu))
    machine.tree.deny("hwmon/hwmon0/power1_average", errno.EPERM)
    silent = machine.record()
    assert silent.energy_j is None
    assert {"incomplete-total", "sensor-silent"} <= kinds(silent)

    def wake(recording: VirtualRecording) -> None:
        recording.sleep(0.5)
        machine.tree.forgive()

    machine.tree.deny("hwmon/hwmon0/power1_average", errno.EPERM)
    energy = machine.record(8.0, wake)
    assert holds(energy.energy_j, 800)


def test_a_gpu_that_sleeps_draws_nothing_and_is_named(machine) -> None:
    package = counter_uj(machine.script(constant(10)))
    add_domain(machine.tree, "powercap/intel-rapl:0", "package-0", package)
    machine.tree.add("hwmon/hwmon0/name", "amdgpu")
    machine.tree.add("hwmon/hwmon0/power1_average", power_uw(machine.script(constant(90))))
    machine.tree.add("hwmon/hwmon0/device/power/runtime_status", "suspended")
    energy = machine.record()
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(80, rel=0.01)
    assert {"gpu-asleep", "not-in-total"} <= kinds(energy)

    def wake(recording: VirtualRecording) -> None:
        recording.sleep(4.0)
        machine.tree.add("hwmon/hwmon0/device/power/runtime_status", "active")

    machine.tree.add("hwmon/hwmon0/device/power/runtime_status", "suspended")
    energy = machine.record(8.0, wake)
    assert holds(energy.energy_j, 80 + 4 * 90)
    assert "device-asleep" in kinds(energy)


def test_a_die_at_0_w_and_a_counter_that_stands_withhold_no_total(machine) -> None:
    package = counter_uj(machine.script(constant(50)))
    add_domain(machine.tree, "powercap/intel-rapl:0", "package-0", package)
    add_domain(machine.tree, "powercap/intel-rapl:0:0", "dram", lambda now_s: 77e6)
    for number, watts in enumerate((200, 0)):
        machine.tree.add(f"hwmon/hwmon{number}/name", "amdgpu")
        machine.tree.add(f"hwmon/hwmon{number}/power1_average", watts * 1_000_000)
    energy = machine.record()
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(8 * 250, rel=0.01)
    (finding,) = [finding for finding in energy.findings if finding.kind == "not-in-total"]
    assert "dram:package-0, gpu:amdgpu-1" in finding.observed
    assert "--without" in finding.remedy


def test_a_platform_in_whole_joules_is_known_to_a_joule(machine) -> None:
    script = machine.script(constant(23.4))
    fine = counter_uj(script)
    add_domain(
        machine.tree, "powercap/intel-rapl:0", "psys", lambda now_s: fine(now_s) // 1e6 * 1e6
    )
    held = 0
    for number in range(20):
        machine.start_s += 0.37 * number
        script = machine.script(constant(23.4 + number))
        fine = counter_uj(script)
        energy = machine.record(2.0 + 0.031 * number)
        window_s = energy.duration_s
        held += holds(energy.energy_j, (23.4 + number) * window_s)
    assert held >= 18
