"""Fresh processes for a measurement: started and prepared before it, ended with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from profiler.errors import DeviceError, MeasurementError
from profiler.machine.allocator import allocator_environment
from profiler.values.codec import decode
from profiler.values.findings import Finding
from profiler.values.profile import Profile
from profiler.values.repetition_findings import fewer_processes

from .conduct import Conditions, conduct
from .messages import error_from, receive, send
from .model_facts import ModelFacts
from .runners import TimedSpan

_LIBRARY = str(Path(__file__).resolve().parents[2])
# Neither the working folder nor this file's may stand in front of the standard library.
_START = (
    "import sys\n"
    f"if {_LIBRARY!r} not in sys.path: sys.path.insert(0, {_LIBRARY!r})\n"
    "from profiler.measurement.worker import main\n"
    "main(int(sys.argv[1]))\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshProcesses:
    """How many processes to start, and what they load.

    Args:
        count: processes; at least 2 show how much processes differ.
        loader: "module:function" of this library, which turns `options` into requests.
        options: what it needs, as JSON can hold it.
        allocator: "steady" or "system".
        follow_up: "module:function" of this library, which the last process calls with `options`
            once the blocks have run.
    """

    count: int
    loader: str
    options: Mapping[str, Any]
    allocator: str
    follow_up: str | None = None


def measure_in_processes(
    fresh: FreshProcesses, conditions: Conditions
) -> tuple[tuple[Profile, ...], Any]:
    """Start the processes, let each prepare all models, and measure these in turns.

    The budget begins when all are prepared.

    Returns:
        A profile a model, and what the follow-up gave, None without one.

    Raises:
        ProfilerError: what the first process could not load or prepare, or what a call raised.
        MeasurementError: a process ended.
    """
    environment = allocator_environment(fresh.allocator, os.environ)
    with ExitStack() as stack:
        if conditions.progress is not None:
            conditions.progress("preparing", 0.0)
        exports = stack.enter_context(TemporaryDirectory(prefix="wattprof-"))
        workers = [_start(environment) for _ in range(fresh.count)]
        for worker in workers:
            stack.callback(worker.end)
        for number, worker in enumerate(workers):
            worker.ask_to_prepare(fresh, exports, is_first=number == 0)
        facts = decode(workers[0].answer()["facts"], tuple[ModelFacts, ...])
        ready, findings = _those_prepared(workers, is_gpu=facts[0].gpu_identity is not None)
        profiles = conduct(facts, ready, conditions, is_fresh=True, findings=findings)
        return profiles, None if fresh.follow_up is None else ready[-1].follow_up(fresh)


def _those_prepared(
    workers: Sequence[RemoteRunner], is_gpu: bool
) -> tuple[list[RemoteRunner], list[Finding]]:
    """The first process, and all others for which the GPU's memory sufficed."""
    ready, findings = [workers[0]], []
    for worker in workers[1:]:
        try:
            worker.answer()
            ready.append(worker)
        except DeviceError as error:
            if not is_gpu:
                raise
            worker.end()
            findings = [error.message]
    if not findings:
        return ready, []
    return ready, [fewer_processes(len(ready), len(workers), findings[0])]


@dataclass(slots=True)
class RemoteRunner:
    """Makes calls in another process, over a socket that both ends hold."""

    process: subprocess.Popen[bytes]
    questions: IO[str]
    answers: IO[str]

    def ask_to_prepare(self, fresh: FreshProcesses, exports: str, *, is_first: bool) -> None:
        """Have it load and lay out the models; the first one exports and counts them as well."""
        where = {"exports": exports, "is_first": is_first}
        self._ask({"loader": fresh.loader, "options": fresh.options, **where})

    def run(self, model: int, call_count: int, lead_count: int = 0) -> TimedSpan:
        before_s = time.process_time()
        self._ask({"run": [model, call_count, lead_count]})
        span: TimedSpan = decode(self.answer(), TimedSpan)
        # What this process spent on reading sensors is nobody else's work.
        other_s = span.account.other_cpu_s
        if other_s is None:
            return span
        own_s = time.process_time() - before_s
        account = replace(span.account, other_cpu_s=max(0.0, other_s - own_s))
        return replace(span, account=account)

    def follow_up(self, fresh: FreshProcesses) -> Any:
        """What the function that `fresh` names gives in that process."""
        self._ask({"follow_up": fresh.follow_up, "options": fresh.options})
        return self.answer()["result"]

    def answer(self) -> dict[str, Any]:
        """Wait for what it was asked.

        Raises:
            ProfilerError: it answered with an error.
            MeasurementError: it ended.
        """
        message = receive(self.answers)
        if message is None:
            raise self._ended()
        if "error" in message:
            raise error_from(message)
        return message

    def end(self) -> None:
        """Stop it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.questions.close()
        self.answers.close()

    def _ask(self, message: dict[str, Any]) -> None:
        try:
            send(self.questions, message)
        except BrokenPipeError as error:
            raise self._ended() from error

    def _ended(self) -> MeasurementError:
        code = self.process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return MeasurementError(
            f"a worker process {how}",
            hint="if memory is short, make --batch-size or --processes smaller",
        )


def _start(environment: Mapping[str, str]) -> RemoteRunner:
    """Start one process; it imports torch while the others start."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what a model prints is talk
            env=dict(environment),
            pass_fds=(theirs.fileno(),),
            process_group=0,  # Ctrl-C is for this process, which ends its workers
        )
    with ours:
        return RemoteRunner(
            process=process,
            questions=ours.makefile("w", encoding="utf-8"),
            answers=ours.makefile("r", encoding="utf-8"),
        )
