"""CodeCarbon's rules as applied here, against the CodeCarbon that is installed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from profiler.errors import SensorError
from profiler.meters.codecarbon import CodeCarbonMeter, carbon_intensity_g_per_kwh, known_countries
from profiler.meters.codecarbon_tables import (
    CPU_TABLE,
    cpu_tdp_w,
    load_factor,
    package_folder,
    ram_power_w,
)
from profiler.values.estimate import Basis
from profiler.values.trace import Channel
from tests.virtual.clock import FakeClock
from tests.virtual.sysfs import SysfsTree, add_proc

EPYC = "AMD EPYC 7742"
GIB = 1024**3
LOADS = [0, 3, 25, 50, 77.7, 100]
MEMORY_GIB = [1, 2, 3, 8, 16, 17, 32, 33, 64, 65, 128, 129, 200, 256, 384, 512, 1000, 2048, 6000]
MODELS = [
    "Intel(R) Xeon(R) Platinum 8480+",
    "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz",
    "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz",
    "AMD EPYC 7742 64-Core Processor",
    "AMD EPYC",
    "AMD Ryzen 9 5950X 16-Core Processor",
    "AMD Ryzen Threadripper 1950X 16-Core Processor",
    "Apple M1",
    "no such processor",
]

# In a process of its own, because importing CodeCarbon starts programs and touches NVML.
ASK_CODECARBON = """
import csv, json, sys, types
import codecarbon.external.hardware as hardware
from codecarbon.core.cpu import TDP
from codecarbon.external.ram import RAM
question = json.load(sys.stdin)
cpu = hardware.CPU("", "cpu_load", "model", 1000.0)
powers = []
for load in question["loads"]:
    cpu._cpu_load_meter = types.SimpleNamespace(percent=lambda: load)
    powers.append(cpu._get_power_from_cpu_load().W)
rows = list(csv.DictReader(open(question["table"])))
tdp, names, found = TDP.__new__(TDP), [row["Name"] for row in rows], []
watts = {row["Name"]: row["TDP"] for row in reversed(rows)}
for model in question["models"]:
    match = tdp._get_matching_cpu(model, {"Name": names})
    found.append(float(watts[match]) if match else None)
rams = {}
for is_arm in (False, True):
    ram = RAM()
    ram.is_arm_cpu = is_arm
    rams[str(is_arm)] = [ram._calculate_ram_power(gib) for gib in question["memory_gib"]]
print(json.dumps({"powers": powers, "tdps": found, "rams": rams}))
"""


@pytest.fixture(scope="module")
def answer() -> dict:
    table = package_folder() / CPU_TABLE
    with table.open() as file:
        names = [row["Name"] for row in csv.DictReader(file)]
    question = {
        "loads": LOADS,
        "memory_gib": MEMORY_GIB,
        "models": MODELS + names[::400],
        "table": str(table),
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK_CODECARBON],
        input=json.dumps(question),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {"models": question["models"], **json.loads(done.stdout)}


def test_power_follows_load_as_codecarbon_says(answer) -> None:
    ours = [1000 * load_factor(load / 100) for load in LOADS]
    assert ours == pytest.approx(answer["powers"])


def test_cpus_are_matched_as_codecarbon_matches_them(answer) -> None:
    assert [cpu_tdp_w(model) for model in answer["models"]] == answer["tdps"]
    assert answer["tdps"].count(None) < len(answer["tdps"]) / 2


@pytest.mark.parametrize("is_arm", [False, True])
def test_memory_is_assumed_as_codecarbon_assumes_it(answer, is_arm) -> None:
    ours = [ram_power_w(int(gib * GIB), is_arm=is_arm) for gib in MEMORY_GIB]
    assert ours == pytest.approx(answer["rams"][str(is_arm)])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def opened(tree: SysfsTree) -> tuple[CodeCarbonMeter, dict[str, Channel]]:
    meter = CodeCarbonMeter(tree.root, reader=tree, clock=SimpleNamespace(now_s=tree.now_s))
    return meter, {channel.device: channel for channel in meter.open()}


def mean_power_w(
    meter: CodeCarbonMeter, channels: dict[str, Channel], clock: FakeClock, seconds: float
) -> dict[str, float]:
    for _ in range(round(seconds / 0.05)):
        clock.advance(0.05)
        energies_j = {device: meter.read(channel) for device, channel in channels.items()}
    return {device: energy_j / seconds for device, energy_j in energies_j.items()}


def test_parts_state_their_basis_and_their_numbers(tmp_path: Path, clock: FakeClock) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    add_proc(tree, model=EPYC, load=lambda now_s: 0.5)
    meter, channels = opened(tree)
    assert channels["cpu"].basis is Basis.ESTIMATED
    assert channels["ram"].basis is Basis.ASSUMED
    assert "225 W" in channels["cpu"].source
    watts = mean_power_w(meter, channels, clock, seconds=10)
    assert watts["cpu"] == pytest.approx(225 * (0.1 + 0.9 * 0.125), rel=0.02)
    assert watts["ram"] == pytest.approx(10)


def test_two_sockets_draw_twice(tmp_path: Path, clock: FakeClock) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    add_proc(tree, model=EPYC, load=lambda now_s: 1.0, sockets=2)
    meter, channels = opened(tree)
    assert mean_power_w(meter, channels, clock, seconds=10)["cpu"] == pytest.approx(450)


def test_a_virtual_machine_of_one_cpu_sockets_is_one_socket(
    tmp_path: Path, clock: FakeClock
) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    add_proc(tree, model=EPYC, load=lambda now_s: 1.0, sockets=8)
    meter, channels = opened(tree)
    assert mean_power_w(meter, channels, clock, seconds=5)["cpu"] == pytest.approx(225)
    assert "the 8 that this virtual machine shows are none" in channels["cpu"].source


@pytest.mark.parametrize("shown_cpus", [1, 16])
def test_seconds_are_the_clocks_whatever_ticks_a_container_is_shown(
    tmp_path: Path, clock: FakeClock, shown_cpus: int
) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    add_proc(tree, model=EPYC, load=lambda now_s: 1.0)
    start_s = clock.now_s()
    tree.add("stat", lambda now_s: f"cpu {int(shown_cpus * 100 * (now_s - start_s))} 0 0 9 0 0 0 0")
    meter, channels = opened(tree)
    watts = mean_power_w(meter, channels, clock, seconds=6)
    assert watts["ram"] == pytest.approx(10)
    assert watts["cpu"] == pytest.approx(225)


def test_a_sandbox_without_cpu_time_says_what_it_is(tmp_path: Path, clock: FakeClock) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    add_proc(tree, model=EPYC, load=lambda now_s: 1.0)
    tree.add("stat", "cpu  0 0 0 0 0 0 0 0 0 0")
    with pytest.raises(SensorError, match="gVisor") as caught:
        opened(tree)
    assert "reload" not in f"{caught.value}"


def test_an_unknown_cpu_is_said_to_be_unknown(tmp_path: Path, clock: FakeClock) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    add_proc(tree, model="Imaginary 9000", load=lambda now_s: 0.0)
    source = opened(tree)[1]["cpu"].source
    assert "4 W per thread default" in source
    assert "Imaginary 9000 not in its table" in source


def test_the_estimate_does_not_depend_on_how_often_it_is_read(
    tmp_path: Path, clock: FakeClock
) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    start_s = clock.now_s()
    add_proc(tree, model=EPYC, load=lambda now_s: 1.0 if (now_s - start_s) % 0.5 < 0.1 else 0.0)
    often, often_channels = opened(tree)
    seldom, seldom_channels = opened(tree)
    energies_j = {}
    for step in range(1, 2001):
        clock.advance(0.01)
        energies_j["often"] = often.read(often_channels["cpu"])
        if step % 25 == 0:
            energies_j["seldom"] = seldom.read(seldom_channels["cpu"])
    assert energies_j["often"] == pytest.approx(energies_j["seldom"], rel=0.1)


def test_the_joules_stand_still_until_a_span_is_full(tmp_path: Path, clock: FakeClock) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    add_proc(tree, model=EPYC, load=lambda now_s: 1.0)
    meter, channels = opened(tree)
    clock.advance(0.2)
    assert meter.read(channels["cpu"]) == 0.0
    clock.advance(0.1)
    assert meter.read(channels["cpu"]) == pytest.approx(0.3 * 225)


@pytest.mark.parametrize(
    ("country", "expected"),
    [("USA", 369), ("deu", 381), ("FRA", 56), ("POL", 662), ("SWE", 41), ("CAN", 170)],
)
def test_countries_have_codecarbons_intensity(country: str, expected: float) -> None:
    found = carbon_intensity_g_per_kwh(country)
    assert found.value_g_per_kwh == pytest.approx(expected, abs=1)
    assert found.year == 2023
    assert "CodeCarbon" in found.source


def test_a_country_that_is_not_in_the_table_is_unknown_not_average() -> None:
    assert carbon_intensity_g_per_kwh("XXX") is None
    assert "XXX" not in known_countries()
    assert {"USA", "DEU", "FRA"} <= set(known_countries())


def test_a_machine_without_procfs_has_no_estimate(tmp_path: Path) -> None:
    assert CodeCarbonMeter(tmp_path).open() == ()
