from __future__ import annotations

import pytest

import profiler
import profiler.inference
import profiler.recording.recording
from profiler.errors import UsageError
from profiler.meters.synthetic import SyntheticMeter
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Fault, Scenario, VirtualGpu
from tests.virtual.power import constant
from tests.virtual.recording import VirtualRecording, virtual_recording


def gpu(clock: FakeClock, *faults: Fault, **fields: object) -> VirtualGpu:
    script = (constant(100, 1) + constant(300, 60)).at(clock.now_s())
    return VirtualGpu(script=script, phase_s=0.04, faults=faults, **fields)  # type: ignore[arg-type]  # its own fields


def test_a_hundred_watts_for_two_seconds_are_two_hundred_joules() -> None:
    clock = FakeClock()
    device = VirtualGpu(script=constant(100).at(clock.now_s()), phase_s=0.04)
    with virtual_recording(Scenario(gpus=(device,)), clock=clock) as recording:
        recording.sleep(0.5)
        with recording.window("work"):
            recording.sleep(2.0)
    energy = recording["work"]
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(200, rel=1e-4)
    assert energy.power_w is not None
    assert energy.power_w.point == pytest.approx(100, rel=1e-4)
    assert (energy.count, energy.duration_s) == (1, pytest.approx(2.0))
    assert energy.findings == ()


def test_windows_of_one_name_add_up() -> None:
    clock = FakeClock()
    with virtual_recording(Scenario(gpus=(gpu(clock),)), clock=clock) as recording:
        recording.sleep(1.5)
        for _ in range(4):
            with recording.window("step"):
                recording.sleep(0.5)
    assert recording["step"].count == 4
    energy_j = recording["step"].energy_j
    assert energy_j is not None
    assert energy_j.point == pytest.approx(600, rel=1e-3)


def test_nested_windows_hold_each_other() -> None:
    clock = FakeClock()
    with virtual_recording(Scenario(gpus=(gpu(clock),)), clock=clock) as recording:
        recording.sleep(1.2)
        with recording.window("epoch"):
            for name in ("train", "test"):
                with recording.window(name):
                    recording.sleep(1.0)
    outer, *inner = (energy.energy_j for energy in recording.energies())
    assert outer is not None
    assert outer.point == pytest.approx(600, rel=1e-3)
    assert sum(part.point for part in inner if part) == pytest.approx(600, rel=1e-3)


def test_the_whole_recording_closes_with_its_last_move() -> None:
    clock = FakeClock()
    with virtual_recording(Scenario(gpus=(gpu(clock),)), clock=clock) as recording:
        recording.sleep(3.0)
    energy_j = recording.total.energy_j
    assert energy_j is not None
    assert energy_j.point == pytest.approx(100 + 600, rel=5e-3)
    assert recording.findings == ()


@pytest.mark.parametrize("seconds", [0.004, 0.05, 0.12, 0.3])
@pytest.mark.parametrize("update_period_s", [0.1, 0.02, 1e-3])
def test_a_window_read_in_the_first_moments_has_joules_and_no_sensor_is_called_lost(
    update_period_s: float, seconds: float
) -> None:
    clock = FakeClock()
    meter = SyntheticMeter(
        [(1.0, 100.0), (60.0, 300.0)], clock=(ahead := FakeClock(clock.now_s())),
        update_period_s=update_period_s, phase_s=0.04 * update_period_s,
    )  # fmt: skip
    for each in (clock, ahead):
        each.advance(1.0)
    with VirtualRecording([(meter, meter.open())], clock, ahead) as recording:
        recording.begin("work")
        recording.sleep(seconds)
        energy, until_s = recording["work"], recording.now_s - 1001.0
    truth_j = 300 * until_s
    assert until_s <= seconds + update_period_s + 0.1
    assert energy.energy_j is not None
    assert (energy.energy_j.low or 0.0) <= truth_j <= (energy.energy_j.high or 0.0)
    assert {finding.kind for finding in energy.findings} <= {"not-closed-yet", "too-short"}


def test_a_window_may_be_read_at_once_and_again_later() -> None:
    clock = FakeClock()
    with virtual_recording(Scenario(gpus=(gpu(clock),)), clock=clock) as recording:
        recording.sleep(1.4)
        with recording.window("work"):
            recording.sleep(1.07)
        early = recording["work"]
        recording.sleep(0.5)
        late = recording["work"]
    assert "not-closed-yet" in {finding.kind for finding in early.findings}
    assert late.findings == ()
    assert late.energy_j is not None
    assert late.energy_j.point == pytest.approx(321, rel=1e-3)
    if early.energy_j is not None:
        assert early.energy_j.low <= 321 <= early.energy_j.high  # type: ignore[operator]  # has one


def test_a_window_opened_after_the_end_gives_no_number() -> None:
    clock = FakeClock()
    with virtual_recording(Scenario(gpus=(gpu(clock),)), clock=clock) as recording:
        recording.sleep(1.0)
    clock.advance(5.0)
    with recording.window("late"):
        clock.advance(2.0)
    assert recording["late"].energy_j is None
    assert recording["late"].findings != ()


def test_no_sensor_is_none_with_a_finding() -> None:
    with profiler.record([]) as recording, recording.window("work"):
        pass
    assert recording["work"].energy_j is None
    assert [finding.kind for finding in recording["work"].findings] == ["no-sensor"]


def test_a_gpu_that_could_not_be_opened_is_named_beside_every_window() -> None:
    clock = FakeClock()
    lost = gpu(clock, Fault("lost"), uuid="GPU-2")
    with virtual_recording(Scenario(gpus=(gpu(clock), lost)), clock=clock) as recording:
        recording.sleep(1.0)
        with recording.window("work"):
            recording.sleep(1.0)
    assert "gpu-unreadable" in {finding.kind for finding in recording["work"].findings}


def test_an_unknown_name_is_a_key_error() -> None:
    with profiler.record([]) as recording, pytest.raises(KeyError, match="nope"):
        _ = recording["nope"]


def test_what_was_not_started_says_how_to_start() -> None:
    with pytest.raises(UsageError, match="has not been started"):
        profiler.record([]).begin("a")


def test_a_recording_is_started_once() -> None:
    with profiler.record([]) as recording, pytest.raises(UsageError, match="started before"):
        recording.start()


def test_begin_and_end_do_as_the_context_manager() -> None:
    meter = SyntheticMeter([(1.0, 100.0)])
    recording = profiler.record([(meter, meter.open())], wait=False).start()
    recording.begin("a")
    recording.end("a", iteration_count=3, item_count=6)
    recording.stop()
    (window,) = recording.windows
    assert (window.iteration_count, window.item_count) == (3, 6)


def test_an_exception_leaves_a_stopped_recording() -> None:
    with pytest.raises(ZeroDivisionError), profiler.record([]) as recording:
        _ = 1 / 0
    assert recording.now_s == recording.now_s


def test_ten_minutes_in_two_windows_is_inferred_from_what_lies_beside_their_edges() -> None:
    clock = FakeClock()
    device = VirtualGpu(script=constant(250).at(clock.now_s()), phase_s=0.04)
    with virtual_recording(Scenario(gpus=(device,)), clock=clock) as recording:
        for name in ("first", "second"):
            recording.sleep(1.0)
            with recording.window(name):
                recording.sleep(300.0)
    move_count = max(
        len(trace.earliest_s) for trace in recording.traces if "energy" in trace.channel.key
    )
    assert move_count > 2 * profiler.recording.recording.MANY_MOVES
    for name in ("first", "second"):
        energy_j = recording[name].energy_j
        assert energy_j is not None
        assert energy_j.point == pytest.approx(75_000, rel=1e-4)
        assert energy_j.relative_half_width < 1e-3
    assert recording.total.energy_j.point == pytest.approx(250 * 602, rel=1e-3)


def test_many_windows_read_one_by_one_are_inferred_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []
    infer = profiler.inference.infer_energies

    def counted(traces, targets, windows, **options):
        calls.append(len(targets))
        return infer(traces, targets, windows, **options)

    monkeypatch.setattr("profiler.inference.infer_energies", counted)
    clock, count = FakeClock(), 700
    with virtual_recording(Scenario(gpus=(gpu(clock),)), clock=clock) as recording:
        for number in range(count):
            with recording.window(f"step {number}"):
                recording.sleep(0.004)
    energies = [recording[f"step {number}"] for number in range(count)]
    assert calls == [1, count]
    assert all(energy.energy_j is not None for energy in energies)


def test_a_recording_prints_its_windows_and_goes_to_pandas() -> None:
    recording = profiler.record([])
    assert str(recording) == "recording, not started"
    with recording, recording.window("a"):
        pass
    first, second = str(recording).splitlines()
    assert first.startswith("whole recording: no sensor saw its energy in ")
    assert second.startswith("a: no sensor saw its energy in ")
    frame = recording.to_pandas()
    assert list(frame["window"]) == ["whole recording", "a"]
    assert frame["energy_j"].isna().all()


def test_a_window_among_thousands_is_read_from_those_beside_it(monkeypatch) -> None:
    """While the recording goes on: the cost of a read does not grow with the steps before it."""
    clock, seen = FakeClock(), []
    real = profiler.inference.infer_energies

    def noted(traces, targets, windows, **options):
        seen.append(len(windows))
        return real(traces, targets, windows, **options)

    monkeypatch.setattr("profiler.inference.infer_energies", noted)
    with profiler.record([], clock=clock) as recording:
        for step in range(5000):
            with recording.window(f"step {step}"):
                clock.advance(0.01)
        assert recording["step 4999"].duration_s == pytest.approx(0.01)
        assert recording["step 100"].count == 1
    assert max(seen) < 1100
