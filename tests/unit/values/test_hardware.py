import pytest

from profiler.layers.calibration import CALIBRATION_S, calibrate, hardware_best
from profiler.values.codec import decode, encode
from profiler.values.hardware import HardwareBest
from tests.unit.layers.samples import CPU, best_of_device
from tests.virtual.workload import LoadMeter, LoadPower


def test_the_longest_of_three_roofs_is_the_floor() -> None:
    best = best_of_device()
    compute = best.floor(mac_count=10**9, moved_bytes=10**6, call_count=1, dtype="fp32")
    assert (compute.bound, compute.latency_s) == ("compute", pytest.approx(2e-3))
    memory = best.floor(mac_count=10**6, moved_bytes=10**9, call_count=1, dtype="fp32")
    assert (memory.bound, memory.latency_s) == ("memory", pytest.approx(0.1))
    overhead = best.floor(mac_count=1, moved_bytes=1, call_count=7, dtype="fp32")
    assert (overhead.bound, overhead.latency_s) == ("overhead", pytest.approx(7e-6))


def test_what_fits_into_a_cache_is_held_to_the_caches_rate() -> None:
    best = best_of_device()
    assert best.copy_rate(10_000) == pytest.approx(1e11)
    assert best.copy_rate(10) == pytest.approx(1e11)
    assert best.copy_rate(10**7) == pytest.approx(1e10)


def test_joules_of_the_floor_are_the_dearer_of_arithmetic_and_traffic() -> None:
    best = best_of_device()
    floor = best.floor(mac_count=10**9, moved_bytes=10**7, call_count=1, dtype="fp32")
    assert floor.energy_j == pytest.approx(0.2)
    floor = best.floor(mac_count=10**6, moved_bytes=10**9, call_count=1, dtype="fp32")
    assert floor.energy_j == pytest.approx(1.0)


def test_a_dtype_that_was_not_measured_has_no_floor() -> None:
    assert best_of_device().floor(mac_count=1, moved_bytes=1, call_count=1, dtype="fp8") is None


def test_without_a_sensor_there_is_no_floor_of_joules() -> None:
    blind = best_of_device(flop_energies_j={}, byte_energy_j=None)
    floor = blind.floor(mac_count=1, moved_bytes=1, call_count=1, dtype="fp32")
    assert floor.energy_j is None


def test_a_calibration_survives_its_file() -> None:
    best = best_of_device()
    assert decode(encode(best), HardwareBest) == best


def test_a_calibration_measures_every_roof_and_the_joules_of_a_constant_power() -> None:
    meter = LoadMeter(LoadPower(50.0), update_period_s=0.005)
    best = calibrate(CPU, "f", seconds=1.2, meters=[(meter, meter.open())])
    assert best.flop_rates["fp32"].point > 0
    sizes = [item.footprint_bytes for item in best.copy_rates]
    assert sizes == sorted(sizes)
    assert best.empty_call_s.point > 0
    joules = best.flop_energies_j["fp32"].point * best.flop_rates["fp32"].point
    assert joules == pytest.approx(50.0, rel=0.1)
    assert best.idle_power_w.point == pytest.approx(50.0, rel=0.1)


def test_the_cache_is_asked_before_the_device(tmp_path, monkeypatch) -> None:
    calls = []

    def fake(*arguments: object, **options: object) -> HardwareBest:
        calls.append(options)
        return best_of_device()

    monkeypatch.setattr("profiler.layers.calibration.calibrate", fake)
    for _ in range(2):
        assert hardware_best(CPU, cache=tmp_path) == best_of_device()
    assert len(calls) == 1
    hardware_best(CPU, cache=tmp_path, refresh=True)
    assert len(calls) == 2
    (path,) = tmp_path.iterdir()
    path.write_text("{ not json")
    hardware_best(CPU, cache=tmp_path)
    assert len(calls) == 3


def test_a_hurried_calibration_is_not_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("profiler.layers.calibration.calibrate", lambda *_, **__: best_of_device())
    hardware_best(CPU, seconds=CALIBRATION_S / 2, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
