"""The virtual machine against truths that need no machine: a wrong judge proves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pynvml
import pytest

from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Fault, Scenario, VirtualGpu, install
from tests.virtual.power import PowerScript, bursts, constant, mixed, ramp, steps
from tests.virtual.process import environment

HANDLE_CODE = """
import json, sys, time
assert "pynvml" not in sys.modules
import pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
def look():
    before_s = time.monotonic()
    return before_s, pynvml.nvmlDeviceGetTotalEnergyConsumption(handle), time.monotonic()
first = look()
time.sleep(0.3)
print(json.dumps([first, look()]))
"""


def test_a_ramp_has_the_area_of_its_trapezoid() -> None:
    script = (constant(100, 2) + ramp(100, 300, 4)).at(10)
    assert script.energy_between_j(10, 16) == pytest.approx(200 + 800)
    assert script.energy_between_j(14, 15) == pytest.approx(225)
    assert script.power_w(14) == pytest.approx(200)
    assert script.energy_between_j(8, 10) == pytest.approx(200)
    assert script.energy_between_j(16, 18) == pytest.approx(600)


def test_a_mixed_script_equals_its_fine_riemann_sum() -> None:
    script = mixed(5, seed=3)
    step_s = 1e-4
    count = int(script.duration_s / step_s)
    total_j = sum(script.power_w((k + 0.5) * step_s) for k in range(count)) * step_s
    assert script.energy_between_j(0, count * step_s) == pytest.approx(total_j, rel=1e-4)


def test_scripts_and_scenarios_survive_json() -> None:
    gpu = VirtualGpu(script=mixed(2, seed=1).at(7), faults=(Fault("lost", 1, 2),), jitter_s=0.01)
    scenario = Scenario(gpus=(gpu, VirtualGpu(uuid="GPU-2", mig_uuids=("MIG-1",))), missing=("x",))
    assert Scenario.from_json(json.loads(json.dumps(scenario.to_json()))) == scenario
    assert isinstance(scenario.gpus[0].script, PowerScript)


def test_the_counter_shows_the_energy_of_its_last_move() -> None:
    gpu = VirtualGpu(script=constant(100, 60).at(0), phase_s=0.03, lag_s=0.01)
    assert gpu.counter_mj(1.0) - gpu.start_mj == pytest.approx(1000 * 100 * 0.92, abs=1)
    assert gpu.counter_mj(1.029) == gpu.counter_mj(0.931)
    assert gpu.counter_mj(1.031) > gpu.counter_mj(1.029)


def test_jittered_moves_come_in_order_and_never_early() -> None:
    gpu = VirtualGpu(script=constant(100, 60).at(0), jitter_s=0.03)
    moves_s = [gpu.update_s(index) for index in range(100)]
    assert moves_s == sorted(moves_s)
    for index in range(99):
        assert gpu.last_update(moves_s[index]) == index
        assert gpu.last_update(moves_s[index + 1] - 1e-9) == index


def test_a_part_time_counter_is_wrong_on_bursts_in_phase_and_right_on_steady_power() -> None:
    in_phase = bursts(high_w=500, low_w=100, on_s=0.025, off_s=0.075, count=100).at(0)
    options = {"part_time": True, "phase_s": 0.025}
    fooled = VirtualGpu(script=in_phase, **options)
    steady = VirtualGpu(script=constant(200, 10).at(0), **options)
    gained_j = [(gpu.counter_mj(9.03) - gpu.counter_mj(1.03)) / 1000 for gpu in (fooled, steady)]
    assert gained_j == pytest.approx([500 * 8, 200 * 8], rel=1e-3)
    assert in_phase.energy_between_j(1.03, 9.03) == pytest.approx(200 * 8)


def test_instant_and_average_power_cover_their_spans() -> None:
    gpu = VirtualGpu(script=steps([(10, 100), (10, 700)]).at(0))
    assert gpu.instant_w(10.15) == pytest.approx(700)
    assert gpu.averaged_w(10.25) == pytest.approx(100 + 600 * 0.2)


def test_faults_of_the_counter() -> None:
    script = constant(100, 60).at(0)
    reset = VirtualGpu(script=script, faults=(Fault("reset", 5),))
    frozen = VirtualGpu(script=script, faults=(Fault("frozen", 5, 8),))
    assert reset.counter_mj(6) == pytest.approx(100_000, abs=1)
    assert frozen.counter_mj(7.9) == frozen.counter_mj(5)
    assert frozen.counter_mj(8) - frozen.counter_mj(7.9) == pytest.approx(300_000, abs=1)


def test_pynvml_is_as_it_was_once_the_machine_is_gone() -> None:
    loader = pynvml.CDLL
    clock = FakeClock()
    with install(Scenario(), now_s=clock.now_s, sleep=clock.sleep) as library:
        pynvml.nvmlInit()
        assert pynvml.nvmlDeviceGetCount() == 1
        assert pynvml.nvmlLib is library
    assert pynvml.CDLL is loader
    assert pynvml.nvmlLib is not library
    assert library not in vars(pynvml).values()


def test_a_child_process_meets_the_machine_and_its_parent_knows_the_truth() -> None:
    gpu = VirtualGpu(script=constant(300, 60).at(time.monotonic()), update_period_s=0.001)
    done = subprocess.run(
        [sys.executable, "-c", HANDLE_CODE],
        env=environment(Scenario(gpus=(gpu,))),
        capture_output=True,
        text=True,
        check=True,
    )
    (first_s, first_mj, first_done_s), (last_s, last_mj, last_done_s) = json.loads(done.stdout)
    step_j = 0.3 + 0.001  # one update of 1 ms at 300 W, and a millijoule of rounding
    least_j = gpu.script.energy_between_j(first_done_s, last_s) - step_j
    most_j = gpu.script.energy_between_j(first_s, last_done_s) + step_j
    assert 85 < least_j <= (last_mj - first_mj) / 1000 <= most_j
    assert done.stderr == ""
