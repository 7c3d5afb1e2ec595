"""Fresh processes for a measurement: started and prepared before it, ended with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from profiler.errors import DeviceError, MeasurementError
from profiler.machine.allocator import allocator_environment
from profiler.values.codec import decode
from profiler.values.findings import Finding
from profiler.values.profile import Profile
from profiler.values.repetition import CpuAccount
from profiler.values.repetition_findings import fewer_processes

from .conduct import Conditions, conduct
from .messages import error_from, receive, send
from .model_facts import ModelFacts
from .protocol import Progress
from .runners import TimedSpan, TurnsSpan

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
    """

    count: int
    loader: str
    options: Mapping[str, Any]
    allocator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Processes that hold all models, laid out.

    Args:
        runners: the processes.
        names: short names of the models.
        facts: of the models; empty where they were not to be counted.
        findings: about processes that are missing.
    """

    runners: Sequence[RemoteRunner]
    names: Sequence[str]
    facts: Sequence[ModelFacts]
    findings: Sequence[Finding]


@contextmanager
def prepared_processes(
    fresh: FreshProcesses, progress: Progress | None, *, counts: bool
) -> Iterator[Prepared]:
    """Start the processes and let each prepare all models; they end with the context.

    Args:
        fresh: what to start.
        progress: told that they are under way.
        counts: whether the first one counts the models as well.

    Raises:
        ProfilerError: what the first process could not load or prepare.
        MeasurementError: a process ended.
    """
    environment = allocator_environment(fresh.allocator, os.environ)
    with ExitStack() as stack:
        if progress is not None:
            progress("preparing", 0.0)
        exports = stack.enter_context(TemporaryDirectory(prefix="wattprof-"))
        workers = [_start(environment) for _ in range(fresh.count)]
        for worker in workers:
            stack.callback(worker.end)
        for number, worker in enumerate(workers):
            is_first = number == 0
            worker.ask_to_prepare(fresh, exports, is_first=is_first, counts=counts and is_first)
        first = workers[0].answer()
        ready, findings = _those_prepared(workers, is_gpu=first["is_gpu"])
        yield Prepared(
            runners=ready,
            names=first["names"],
            facts=decode(first["facts"], tuple[ModelFacts, ...]),
            findings=findings,
        )


def measure_in_processes(
    fresh: FreshProcesses,
    conditions: Conditions,
    follow_up: Callable[[Prepared], Any] | None = None,
) -> tuple[tuple[Profile, ...], Any]:
    """Start the processes, let each prepare all models, and measure these in turns.

    The budget begins when all are prepared. `follow_up` is called with the processes once the
    blocks have run.

    Returns:
        A profile a model, and what the follow-up gave, None without one.

    Raises:
        ProfilerError: what the first process could not load or prepare, or what a call raised.
        MeasurementError: a process ended.
    """
    with prepared_processes(fresh, conditions.progress, counts=True) as crew:
        profiles = conduct(
            crew.facts, crew.runners, conditions, is_fresh=True, findings=crew.findings
        )
        return profiles, None if follow_up is None else follow_up(crew)


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

    def ask_to_prepare(
        self, fresh: FreshProcesses, exports: str, *, is_first: bool, counts: bool
    ) -> None:
        """Have it load and lay out the models, and count them where `counts`.

        What is exported for a run-time the first process makes in `exports`, for all of them.
        """
        models = {"loader": fresh.loader, "options": fresh.options}
        self._ask({**models, "exports": exports, "is_first": is_first, "counts": counts})

    def run(self, model: int, call_count: int, lead_count: int = 0) -> TimedSpan:
        before_s = time.process_time()
        self._ask({"run": [model, call_count, lead_count]})
        span: TimedSpan = decode(self.answer(), TimedSpan)
        return replace(span, account=_of_others(span.account, before_s))

    def take_turns(self, orders: Sequence[Sequence[int]], call_counts: Sequence[int]) -> TurnsSpan:
        before_s = time.process_time()
        self._ask({"turns": [[list(order) for order in orders], list(call_counts)]})
        span: TurnsSpan = decode(self.answer(), TurnsSpan)
        return replace(span, account=_of_others(span.account, before_s))

    def call(self, function: str, **arguments: Any) -> Any:
        """What "module:function" of this library gives there.

        It is called with the process's `Station` and the arguments, as JSON can hold them.
        """
        self._ask({"function": function, "arguments": arguments})
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


def _of_others(account: CpuAccount, before_s: float) -> CpuAccount:
    """What this process spent on reading sensors since then is nobody else's work."""
    if account.other_cpu_s is None:
        return account
    own_s = time.process_time() - before_s
    return replace(account, other_cpu_s=max(0.0, account.other_cpu_s - own_s))


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
