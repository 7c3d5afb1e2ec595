"""Every fault that a sensor may show, each with a truth: one table for the tests and the benchmark.

    for case in CASES:
        for answer in case.play(folder):
            answer.verdict                 # "right", "told" or "WRONG"

A recording of ten virtual seconds meets the fault in the middle of its second window. Each answer
is one window on one device, or the total: a number whose interval holds the truth is right, none at
all with a finding that says why is told, and anything else is wrong.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

from profiler.meters import Meter
from profiler.meters.rapl import RaplMeter
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Fault, Scenario, VirtualGpu
from tests.virtual.power import PowerScript, bursts, constant, ramp, square_noise
from tests.virtual.recording import VirtualRecording, virtual_recording
from tests.virtual.sysfs import SysfsTree, add_domain, counter_uj

WINDOWS = (("before", 0.6, 2.6), ("work", 2.8, 7.8), ("after", 8.0, 9.9))
END_S = 10.3
FAULT_S = 4.3
CALL_COST_S = 3e-5
TOLERANCE = 1e-3

LOADS: tuple[tuple[str, PowerScript], ...] = (
    ("steady", constant(300, 12)),
    (
        "steps",
        constant(95, 0.6)
        + constant(310, 2.0)
        + constant(95, 0.2)
        + constant(250, 1.7)
        + constant(640, 1.2)
        + constant(180, 1.4)
        + constant(600, 0.7)
        + constant(95, 0.2)
        + ramp(200, 600, 1.9)
        + constant(95, 0.4),
    ),
    (
        "bursts",
        constant(95, 0.6)
        + bursts(high_w=620, low_w=110, on_s=0.03, off_s=0.05, count=25)
        + constant(95, 0.2)
        + square_noise(mean_w=350, spread_w=200, piece_s=0.09, duration_s=4.95, seed=4)
        + constant(95, 0.25)
        + bursts(high_w=400, low_w=150, on_s=0.02, off_s=0.03, count=38)
        + constant(95, 0.4),
    ),
)


@dataclass(frozen=True)
class Answer:
    """What one window of one device came to, beside the truth; no truth where no device is."""

    target: str
    truth_j: float | None
    energy_j: Estimate | None
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        energy_j = self.energy_j
        if energy_j is None:
            return "told" if self.findings else "WRONG"
        if self.truth_j is None or energy_j.low is None or energy_j.high is None:
            return "WRONG"
        slack_j = TOLERANCE * self.truth_j
        holds = energy_j.low - slack_j <= self.truth_j <= energy_j.high + slack_j
        return "right" if holds else "WRONG"


@dataclass(frozen=True)
class Case:
    """One fault: the virtual hardware that has it.

    scenario: of a load's script, which begins with the recording.
    cpu: draws what the load draws, through RAPL; `wrap_j` is where its counter starts again.
    events: what happens to the RAPL tree, by seconds since the start; below 0 before it is opened.
    around: what else surrounds the recording.
    must_tell: devices of which the work must not be given as a number.
    """

    name: str
    scenario: Callable[[PowerScript], Scenario]
    has_cpu: bool = False
    wrap_j: float = 262_143.0
    reset_cpu_s: float | None = None
    events: tuple[tuple[float, Callable[[SysfsTree], None]], ...] = ()
    around: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
    must_tell: tuple[str, ...] = field(default=())

    def play(self, folder: Path) -> Iterator[Answer]:
        for load, script in LOADS:
            yield from self._play(folder / load, load, script)

    def _play(self, folder: Path, load: str, script: PowerScript) -> Iterator[Answer]:
        clock = FakeClock()
        start_s = clock.now_s()
        begun = script.at(start_s)
        scenario = self.scenario(begun)
        folder.mkdir(parents=True, exist_ok=True)
        trees: list[SysfsTree] = []

        def meters(sensor_clock: FakeClock) -> Sequence[Meter]:
            trees.append(SysfsTree(folder, sensor_clock.now_s))
            return self._meters(trees[0], begun)

        with (
            self.around(),
            virtual_recording(scenario, clock=clock, meters=meters) as recording,
        ):
            _follow(recording, start_s, [(s, _bound(e, trees[0])) for s, e in self.events])
        truths = {f"gpu:{n}": gpu.script for n, gpu in enumerate(scenario.gpus)}
        if self.has_cpu:
            truths["cpu:package-0"] = begun
        yield from _answers(recording, truths, load)

    def _meters(self, tree: SysfsTree, script: PowerScript) -> Sequence[Meter]:
        if not self.has_cpu:
            return ()
        self._add_cpu(tree, script)
        for instant_s, event in self.events:
            if instant_s < 0:
                event(tree)
        return (RaplMeter(tree.root, reader=tree),)

    def _add_cpu(self, tree: SysfsTree, script: PowerScript) -> None:
        wrap_uj = 1e6 * self.wrap_j
        value = counter_uj(script, wrap_uj=wrap_uj)
        reset_s = self.reset_cpu_s
        if reset_s is not None:
            since_s = script.start_s + reset_s
            before = value

            def value(now_s: float) -> float:
                if now_s < since_s:
                    return float(before(now_s))
                return 1e6 * script.energy_between_j(since_s, now_s)

        tree.add("intel-rapl/enabled", 1)
        add_domain(tree, "intel-rapl:0", "package-0", value, wrap_uj=wrap_uj)


def _bound(event: Callable[[SysfsTree], None], tree: SysfsTree) -> Callable[[], None]:
    return lambda: event(tree)


def _follow(
    recording: VirtualRecording, start_s: float, events: Sequence[tuple[float, Callable[[], None]]]
) -> None:
    """Open and close the windows, and let the events happen, each at its time."""
    steps = list(events)
    for name, begin_s, end_s in WINDOWS:
        steps.append((begin_s, lambda name=name: recording.begin(name)))
        steps.append((end_s, lambda name=name: recording.end(name)))
    for instant_s, step in sorted(steps, key=lambda pair: pair[0]):
        recording.sleep(max(0.0, start_s + instant_s - recording.clock.now_s()))
        step()
    recording.sleep(max(0.0, start_s + END_S - recording.clock.now_s()))


def _answers(
    recording: VirtualRecording, truths: dict[str, PowerScript], load: str
) -> Iterator[Answer]:
    by_name = {window.name: window for window in recording.windows}
    everything = {energy.name: energy for energy in recording.energies()}
    for name, window in by_name.items():
        assert window.end_s is not None
        energy = everything[name]
        true_j = {
            device: script.energy_between_j(window.start_s, window.end_s)
            for device, script in truths.items()
        }
        findings = (*recording.findings, *energy.findings)
        for device, channel in energy.channels.items():
            own = (*recording.opening_findings, *channel.findings)
            target = f"{load}/{name}/{device}"
            yield Answer(target, true_j.get(device), channel.energy_j, own)
        counted = [true_j[device] for device in energy.channels if device in true_j]
        # A device that is left out of a total must be named by a finding, or the total be None.
        left_out = set(true_j) - set(energy.channels)
        told = not left_out or bool(recording.opening_findings)
        truth_j = sum(counted) if counted and told else None
        yield Answer(f"{load}/{name}/total", truth_j, energy.energy_j, findings)


def _one(*faults: Fault, **fields: object) -> Callable[[PowerScript], Scenario]:
    def scenario(script: PowerScript) -> Scenario:
        gpu = VirtualGpu(script=script, phase_s=0.033, faults=faults)
        return Scenario(gpus=(replace(gpu, **fields),), call_cost_s=CALL_COST_S)  # type: ignore[arg-type]  # its own fields

    return scenario


def _two(*faults: Fault) -> Callable[[PowerScript], Scenario]:
    def scenario(script: PowerScript) -> Scenario:
        first = VirtualGpu(script=script, phase_s=0.033)
        second = VirtualGpu(
            script=constant(220, 12).at(script.start_s), uuid="GPU-2", phase_s=0.07, faults=faults
        )
        return Scenario(gpus=(first, second), call_cost_s=CALL_COST_S)

    return scenario


def _library(fault: str) -> Callable[[PowerScript], Scenario]:
    return lambda script: Scenario(gpus=(VirtualGpu(script=script),), library_fault=fault)


def _without_gpu(script: PowerScript) -> Scenario:
    return Scenario(gpus=(), library_fault="no library")


@contextlib.contextmanager
def _wall_clock_jumps() -> Iterator[None]:
    """Every time it is asked, the date is another hour away."""
    now_s = time.time()
    with mock.patch("time.time", side_effect=(now_s + 3600.0 * k for k in itertools.count())):
        yield


def _without_path() -> contextlib.AbstractContextManager[object]:
    return mock.patch.dict(os.environ, {"PATH": ""})


def _deny(tree: SysfsTree) -> None:
    tree.deny("*/energy_uj")


def _vanish(tree: SysfsTree) -> None:
    tree.remove("intel-rapl:0")


def _restore(tree: SysfsTree) -> None:
    tree.forgive()


CASES: tuple[Case, ...] = (
    Case("no fault at all", _one()),
    Case("no library", _library("no library")),
    Case("driver not loaded", _library("driver not loaded")),
    Case("driver of another version", _library("version mismatch")),
    Case("no permission", _library("no permission")),
    Case("no permission for one GPU", _one(Fault("no permission"))),
    Case("total energy not supported", _one(Fault("energy unsupported"))),
    Case("power not supported", _one(Fault("power unsupported"))),
    Case(
        "neither energy nor power supported",
        _one(Fault("energy unsupported"), Fault("power unsupported")),
    ),
    Case("GPU lost midway", _one(Fault("lost", FAULT_S)), must_tell=("gpu:0",)),
    Case("GPU lost close to the end", _one(Fault("lost", 7.05))),
    Case("GPU lost for one second", _one(Fault("lost", FAULT_S, FAULT_S + 1))),
    Case("GPU lost from the start", _one(Fault("lost"))),
    Case("every second call fails", _one(Fault("failing", every=2))),
    Case("every third call fails", _one(Fault("failing", every=3))),
    Case("every call fails for two seconds", _one(Fault("failing", FAULT_S, FAULT_S + 2))),
    Case("counter reset to zero", _one(Fault("reset", FAULT_S))),
    Case("counter reset twice", _one(Fault("reset", FAULT_S), Fault("reset", FAULT_S + 1.7))),
    Case(
        "counter reset, no power",
        _one(Fault("reset", FAULT_S), Fault("power unsupported")),
    ),
    Case("counter frozen from the start", _one(Fault("frozen"))),
    Case("counter frozen midway", _one(Fault("frozen", FAULT_S))),
    Case(
        "counter frozen from the start, no power",
        _one(Fault("frozen"), Fault("power unsupported")),
        must_tell=("gpu:0",),
    ),
    Case(
        "counter frozen midway, no power",
        _one(Fault("frozen", FAULT_S), Fault("power unsupported")),
        must_tell=("gpu:0",),
    ),
    Case(
        "counter frozen close to the end, no power",
        _one(Fault("frozen", 7.05), Fault("power unsupported")),
    ),
    Case("counter reset close to the end", _one(Fault("reset", 7.05))),
    Case("counter frozen for a second", _one(Fault("frozen", FAULT_S, FAULT_S + 1))),
    Case("power stuck at 0 W", _one(Fault("zero power"))),
    Case(
        "power stuck at 0 W, no counter",
        _one(Fault("zero power"), Fault("energy unsupported")),
        must_tell=("gpu:0",),
    ),
    Case(
        "power stuck at 0 W from midway, no counter",
        _one(Fault("zero power", FAULT_S), Fault("energy unsupported")),
        must_tell=("gpu:0",),
    ),
    Case("a call takes 200 ms", _one(Fault("slow", delay_s=0.2))),
    Case("a call takes 200 ms from midway", _one(Fault("slow", FAULT_S, delay_s=0.2))),
    Case("a call takes 3 s once", _one(Fault("slow", FAULT_S, FAULT_S + 0.2, delay_s=3.0))),
    Case("two GPUs", _two()),
    Case("two GPUs, one lost midway", _two(Fault("lost", FAULT_S))),
    Case("two GPUs, one lost from the start", _two(Fault("lost"))),
    Case("two GPUs, one failing", _two(Fault("failing", every=2))),
    Case("two GPUs, one frozen", _two(Fault("frozen"), Fault("power unsupported"))),
    Case("no nvidia-smi on the PATH", _one(), around=_without_path),
    Case("wall clock jumping", _one(), around=_wall_clock_jumps),
    Case(
        "wall clock jumping, buffered samples",
        _one(Fault("energy unsupported"), architecture=7, instant_supported=False),
        around=_wall_clock_jumps,
    ),
    Case("RAPL sound", _without_gpu, has_cpu=True),
    Case("RAPL beside a GPU", _one(), has_cpu=True),
    Case("RAPL unreadable", _without_gpu, has_cpu=True, events=((-1.0, _deny),)),
    Case("RAPL unreadable from midway", _without_gpu, has_cpu=True, events=((FAULT_S, _deny),)),
    Case(
        "RAPL unreadable for one second",
        _without_gpu,
        has_cpu=True,
        events=((FAULT_S, _deny), (FAULT_S + 1, _restore)),
    ),
    Case("RAPL wrapping", _without_gpu, has_cpu=True, wrap_j=700.0),
    Case("RAPL wrapping all the time", _without_gpu, has_cpu=True, wrap_j=20.0),
    Case(
        "RAPL wrapping twice unseen",
        _without_gpu,
        has_cpu=True,
        wrap_j=350.0,
        events=((FAULT_S, _deny), (FAULT_S + 2.5, _restore)),
    ),
    Case("RAPL reset to zero", _without_gpu, has_cpu=True, reset_cpu_s=FAULT_S),
    Case(
        "RAPL reset close to its wrap",
        _without_gpu,
        has_cpu=True,
        reset_cpu_s=FAULT_S,
        wrap_j=1500.0,
    ),
    Case("a RAPL domain vanishes", _without_gpu, has_cpu=True, events=((FAULT_S, _vanish),)),
    Case("a RAPL domain vanishes beside a GPU", _one(), has_cpu=True, events=((FAULT_S, _vanish),)),
)
