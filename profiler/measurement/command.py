"""One command, run under the recorder: its signals, its exit code and its joules."""

from __future__ import annotations

import errno
import math
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from profiler.errors import ProfilerError
from profiler.inference.call_cost import cost_per_call
from profiler.inference.containment import contents, outermost
from profiler.inference.timed_run import TimedRun
from profiler.machine.codecarbon_tracker import CodeCarbonOptions, CodeCarbonTracker
from profiler.machine.environment import cpu_name, describe
from profiler.recording.recording import Recording
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.plain_text import printable
from profiler.values.profile import HOST, CarbonFactors, Profile, Workload
from profiler.values.trace import CounterTrace

from .codecarbon import second_opinion
from .forwarding import forwarded_signals

LIVE_STEP_S = 0.5
WINDOW_NAME = "command"

Live = Callable[[float, float | None], None]


class StartFailure(ProfilerError):
    """The command could not be started; `missing` tells a wrong name from a lack of rights."""

    def __init__(self, words: Sequence[str], error: OSError) -> None:
        reason = error.strerror or str(error)
        super().__init__(f"{words[0]!r} cannot be started: {reason}")
        self.missing = isinstance(error, FileNotFoundError)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome:
    """What a command left.

    Args:
        exit_code: its own, or 128 + the number of the signal that ended it.
        profile: its joules, as one call.
    """

    exit_code: int
    profile: Profile


def run_command(
    words: Sequence[str],
    *,
    name: str,
    carbon: CarbonFactors,
    journal: Path | None = None,
    stdout: IO[str] | None = None,
    live: Live | None = None,
    codecarbon: CodeCarbonOptions | None = None,
) -> CommandOutcome:
    """Run a command to its end and infer what it drew.

    Args:
        words: the command and its arguments; no shell is involved.
        name: name of the profile.
        carbon: factors from joules to grams.
        journal: file that is appended to while the command runs.
        stdout: where the command's stdout goes; None leaves it alone.
        live: called twice a second with the seconds and the joules so far.
        codecarbon: run CodeCarbon's own tracker beside it; the command begins once that is ready.

    Raises:
        StartFailure: the command does not exist or may not be run.
    """
    if shutil.which(words[0]) is None and not Path(words[0]).exists():
        # Said now, and not after the seconds that CodeCarbon's tracker takes to get ready.
        missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        raise StartFailure(words, missing)
    recording = Recording(journal=journal).start()
    try:
        gpus = {
            trace.channel.identity: None
            for trace in recording.traces
            if trace.channel.device.startswith("gpu:") and trace.channel.identity
        }
        with (
            CodeCarbonTracker(
                codecarbon, gpu_identities=[*gpus], carbon=carbon, name=name
            ) as tracker,
            tracker.tracking(),
        ):
            recording.begin(WINDOW_NAME)
            exit_code = _run_to_end(words, stdout, recording, live)
            recording.end(WINDOW_NAME, iteration_count=1)
    finally:
        recording.stop()
    profile = _profile(recording, words, name, carbon)
    opinion, findings = second_opinion(
        tracker, recording.traces, recording.windows, recording.now_s
    )
    profile = replace(profile, codecarbon=opinion, findings=(*profile.findings, *findings))
    return CommandOutcome(exit_code=exit_code, profile=profile)


def _run_to_end(
    words: Sequence[str], stdout: IO[str] | None, recording: Recording, live: Live | None
) -> int:
    with forwarded_signals() as pass_to:
        try:
            child = subprocess.Popen(list(words), stdout=stdout)
        except OSError as error:
            raise StartFailure(words, error) from error
        pass_to(child)
        with _told(recording, live):
            code = child.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _told(recording: Recording, live: Live | None) -> Iterator[None]:
    """Call `live` twice a second from a thread: a wait with a timeout notices an end late."""
    if live is None:
        yield
        return
    ended = threading.Event()
    started_s = recording.now_s

    def tell() -> None:
        while not ended.wait(LIVE_STEP_S):
            live(recording.now_s - started_s, joules_so_far(recording))

    thread = threading.Thread(target=tell, name="wattprof-live", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no more threads: the command matters more than the line
        yield
        return
    try:
        yield
    finally:
        ended.set()
        thread.join()


def joules_so_far(recording: Recording) -> float | None:
    """What the counters have moved by since the start: for a live line, not for a report."""
    traces = recording.traces
    moved_j = {
        trace.channel.device: stated(trace.energy_j[-1], "J", trace.channel.basis, "a counter")
        for trace in traces
        if isinstance(trace, CounterTrace) and trace.energy_j and not trace.channel.uncountable
    }
    counted, _ = outermost(moved_j, contents([trace.channel for trace in traces]))
    return math.fsum(moved_j[device].point for device in counted) if counted else None


def _profile(
    recording: Recording, words: Sequence[str], name: str, carbon: CarbonFactors
) -> Profile:
    windows = recording.windows
    run = TimedRun(blocks=windows[:1], idles=(), windows=windows, now_s=recording.now_s)
    cost = cost_per_call(recording.traces, run)
    seconds = run.duration_s
    return Profile(
        name=printable(name),
        created_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        environment=describe(cpu_name()),
        workload=Workload(
            model=printable(shlex.join(words)), device=HOST, dtype="", data="command"
        ),
        latency_s=Estimate(
            point=seconds, low=seconds, high=seconds, unit="s", confidence=1.0,
            basis=Basis.MEASURED, source="monotonic clock, from start to exit",
        ),
        energy_j=cost.energy_j,
        net_energy_j=None,
        power_w=cost.power_w,
        idle_power_w=None,
        peak_memory_bytes=None,
        energy_parts=cost.parts,
        carbon=carbon,
        traces=recording.traces,
        windows=windows,
        findings=tuple(dict.fromkeys((*recording.own_findings, *cost.findings))),
    )  # fmt: skip
