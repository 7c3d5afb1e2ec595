from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

import pytest

from profiler.errors import UsageError
from profiler.inference import infer_energies
from profiler.meters import OpenMeter
from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.recorder import Recorder
from profiler.values.trace import Channel, CounterTrace, Reading, Window
from tests.virtual import recording
from tests.virtual.clock import FakeClock


def opened(meter: SyntheticMeter) -> list[OpenMeter]:
    return [(meter, meter.open())]


def no_meters() -> Sequence[OpenMeter]:
    return []


def names(recorder: Recorder) -> list[tuple[str, float, float | None]]:
    return [(w.name, w.start_s, w.end_s) for w in recorder.windows()]


def test_windows_nest_overlap_and_repeat() -> None:
    clock = FakeClock(0.0)
    recorder = Recorder(no_meters(), clock=clock).start()
    for step in (
        ("begin", "a"),
        ("begin", "b"),
        ("begin", "a"),
        ("end", "b"),
        ("end", "a"),
        ("end", "a"),
    ):
        clock.advance(1.0)
        getattr(recorder, step[0])(step[1])
    recorder.stop()
    assert names(recorder) == [("a", 1.0, 6.0), ("b", 2.0, 4.0), ("a", 3.0, 5.0)]


def test_a_thread_closes_its_own_window_of_a_shared_name() -> None:
    clock = FakeClock(0.0)
    recorder = Recorder(no_meters(), clock=clock).start()
    recorder.begin("step")
    other = threading.Thread(target=recorder.begin, args=("step",))
    clock.advance(1.0)
    other.start()
    other.join()
    clock.advance(1.0)
    recorder.end("step")
    first, second = recorder.windows()
    assert (first.end_s, second.end_s) == (2.0, None)


def test_many_threads_lose_no_window() -> None:
    recorder = Recorder(no_meters()).start()

    def work() -> None:
        for _ in range(200):
            with recorder.window("step"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.stop()
    windows = recorder.windows()
    assert len(windows) == 1600
    assert all(window.end_s is not None for window in windows)


def test_a_window_is_closed_when_its_code_raises() -> None:
    recorder = Recorder(no_meters()).start()
    with pytest.raises(ZeroDivisionError), recorder.window("work"):
        _ = 1 / 0
    assert recorder.windows()[0].end_s is not None


def test_what_was_never_opened_cannot_be_closed() -> None:
    recorder = Recorder(no_meters()).start()
    with pytest.raises(UsageError, match="no window named 'x' is open"):
        recorder.end("x")


def test_starting_twice_is_refused_and_stopping_twice_is_not() -> None:
    recorder = Recorder(no_meters()).start()
    with pytest.raises(UsageError, match="started before"):
        recorder.start()
    recorder.stop()
    recorder.stop()


def test_stopping_closes_what_is_open() -> None:
    clock = FakeClock(5.0)
    recorder = Recorder(no_meters(), clock=clock).start()
    recorder.begin("a")
    clock.advance(1.0)
    recorder.stop()
    assert names(recorder) == [("a", 5.0, 6.0)]


def test_windows_take_bounded_memory_and_the_rare_names_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("profiler.recording.window_log.WINDOW_CAPACITY", 1000)
    recorder = Recorder(no_meters()).start()
    with recorder.window("run"):
        for _ in range(10):
            with recorder.window("epoch"):
                for _ in range(500):
                    with recorder.window("step"):
                        pass
    windows = recorder.windows()
    assert len(windows) <= 1000
    assert sum(window.name == "epoch" for window in windows) == 10
    assert windows[0].name == "run"
    assert windows[0].end_s is not None
    assert recorder.dropped_count == 5011 - len(windows)


class SleepyMeter(SyntheticMeter):
    """Every read takes 200 ms."""

    def read(self, channel: Channel) -> float:
        time.sleep(0.2)
        return super().read(channel)


def test_a_slow_sensor_delays_no_window_and_no_reader() -> None:
    recorder = Recorder(opened(SleepyMeter())).start()
    time.sleep(0.05)
    slowest_s = 0.0
    for _ in range(20):
        start_s = time.perf_counter()
        with recorder.window("step"):
            pass
        recorder.traces()
        slowest_s = max(slowest_s, time.perf_counter() - start_s)
        time.sleep(0.01)
    recorder.stop()
    assert slowest_s < 0.1


def test_waiting_windows_know_their_closing_move() -> None:
    clock, ahead = FakeClock(), FakeClock()
    meter = SyntheticMeter([(1.0, 100.0)], phase_s=0.04, clock=ahead)
    recorder = recording.VirtualRecorder(opened(meter), clock=clock, sensor_clock=ahead, wait=True)
    recorder.start()
    recorder.pass_time(0.5)
    with recorder.window("a"):
        recorder.pass_time(0.25)
    (trace,) = recorder.traces()
    end_s = recorder.windows()[0].end_s
    assert isinstance(trace, CounterTrace)
    assert end_s is not None
    assert trace.earliest_s[-1] >= end_s
    assert clock.now_s() - end_s <= 0.12


def test_waiting_for_a_dead_counter_is_given_up() -> None:
    meter = SyntheticMeter([(1.0, 0.0)])
    recorder = Recorder(opened(meter), wait=True).start()
    start_s = time.perf_counter()
    with recorder.window("a"):
        pass
    assert time.perf_counter() - start_s < 2.0
    recorder.stop()


class BrokenMeter(SyntheticMeter):
    """Raises what no meter should."""

    def drain(self, channel: Channel) -> Sequence[Reading]:
        raise RuntimeError("a bug of this meter")


def test_a_bug_of_a_meter_is_a_fault_of_its_channel_only() -> None:
    clock, ahead = FakeClock(), FakeClock()
    sound = SyntheticMeter([(1.0, 100.0)], clock=ahead)
    broken = BrokenMeter([(1.0, 100.0)], clock=ahead, device="synthetic:1")
    recorder = recording.VirtualRecorder(
        [*opened(sound), *opened(broken)], clock=clock, sensor_clock=ahead
    )
    recorder.start()
    recorder.pass_time(2.0)
    recorder.stop()
    first, second = recorder.traces()
    assert first.faults == ()
    assert "a bug of this meter" in second.faults[0].message


def test_a_forked_child_neither_hangs_nor_invents() -> None:
    recorder = Recorder(opened(SyntheticMeter())).start()
    recorder.begin("outer")
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        recorder.end("outer")
        with recorder.window("inner"):
            pass
        recorder.stop()
        os._exit(0 if recorder.forked and recorder.traces() == () else 1)
    deadline_s = time.monotonic() + 10
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert ended == (child, 0)
    time.sleep(0.3)
    recorder.end("outer")
    recorder.stop()
    (trace,) = recorder.traces()
    assert isinstance(trace, CounterTrace)
    assert len(trace.energy_j) >= 3
    assert not recorder.forked


def test_the_sensors_are_read_before_the_first_instant_of_the_recording() -> None:
    """A sampling thread that gets no CPU for 150 ms loses nothing of a run that begins at once."""
    clock = FakeClock(5.0)
    meter = SyntheticMeter([(1.0, 100.0)], phase_s=0.03, clock=clock)
    recorder = Recorder([(meter, meter.open())], clock=clock)
    recorder._launch = lambda: None  # type: ignore[method-assign]  # the test is the thread
    recorder.start()
    started_s = clock.now_s()
    (sampler,) = recorder._samplers
    clock.advance(0.15)
    while clock.now_s() < started_s + 1.0:
        clock.advance_to(max(sampler.step(), clock.now_s()) + 1e-5)
    windows = (Window(name="run", start_s=started_s, end_s=started_s + 0.6),)
    (energy,) = infer_energies(recorder.traces(), [windows], windows)
    assert energy.energy_j is not None
    assert energy.energy_j.low is not None
    assert energy.energy_j.high is not None
    assert energy.energy_j.low <= 60.0 <= energy.energy_j.high <= 75.0
    assert "not-opened-yet" not in [finding.kind for finding in energy.findings]
