"""A command in a process of its own, with its device to itself.

Imports the standard library alone and nothing of this tree: an engine may send this module to
another machine as it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

OUTPUT = "output.txt"
LOG = "log.txt"
LOOK_PERIOD_S = 1.0
GRACE_S = 30.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineJob:
    """A command to run.

    Args:
        name: unique among the jobs of an engine.
        device: what no other job may use meanwhile: "cpu", "cuda:0".
        command: words after `python`.
        folder: receives output.txt and log.txt, its stdout and stderr; log.txt appears when it
            begins.
        cwd: where it runs.
        environment: variables that are set for it; None takes one away.
        limit_s: seconds with its device after which it is ended as by Ctrl-C; None for no limit.
    """

    name: str
    device: str
    command: tuple[str, ...]
    folder: Path
    cwd: Path
    environment: Mapping[str, str | None] = field(default_factory=dict)
    limit_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job ended.

    Args:
        name: the job's.
        exit_code: of its command, negative for a signal; None where no command came to its end.
        started_utc: ISO 8601, to the second, when it had its device.
        duration_s: from then on.
        reason: why it is not the end that its command would have come to, in one sentence; ""
            where it is.
    """

    name: str
    exit_code: int | None
    started_utc: str
    duration_s: float
    reason: str = ""


def run_job(job: EngineJob, is_stopped: Callable[[], bool]) -> JobEnd:
    """Wait for the device, run the command, and say how it ended.

    Args:
        job: what to run.
        is_stopped: asked once a second; True ends the command as Ctrl-C would.

    Raises:
        OSError: its folder cannot be written to.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with open(lock_path(job.device), "wb", opener=_open_own) as lock:
        if not _take(lock, is_stopped):
            return stopped(job)
        started_utc, start_s = utc_now(), time.monotonic()
        with (job.folder / OUTPUT).open("wb") as out, (job.folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *job.command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=job.cwd,
                env=_environment(job),
                # Ctrl-C of the terminal reaches the program alone, which ends its jobs one by one.
                start_new_session=True,
                # The device stays locked as long as the command lives, whatever becomes of us.
                pass_fds=(lock.fileno(),),
                preexec_fn=_before_the_command,
            )
            end_s = float("inf") if job.limit_s is None else start_s + job.limit_s
            exit_code = _wait(process, lambda: is_stopped() or time.monotonic() >= end_s)
    # A command may come to its end in the moment in which it is asked to stop.
    is_cut = exit_code != 0 and time.monotonic() >= end_s and not is_stopped()
    return JobEnd(
        name=job.name,
        exit_code=exit_code,
        started_utc=started_utc,
        duration_s=time.monotonic() - start_s,
        reason=f"was ended at its limit of {job.limit_s:.0f} s" if is_cut else "",
    )


def stopped(job: EngineJob) -> JobEnd:
    """The end of a job that was not begun."""
    return JobEnd(
        name=job.name, exit_code=None, started_utc=utc_now(), duration_s=0.0, reason="was stopped"
    )


def utc_now() -> str:
    """The time, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lock_path(device: str) -> Path:
    """The file whose lock stands for a device of this machine, among the jobs of one user."""
    family, _, index = device.partition(":")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if family == "cuda" and visible != [""]:
        place = int(index or 0)
        index = visible[place] if place < len(visible) else index
    name = "".join(mark if mark.isalnum() else "-" for mark in f"{family}-{index or 0}")
    return Path(tempfile.gettempdir()) / f"wattprof-{os.getuid()}-{name}.lock"


def _open_own(path: str, flags: int) -> int:
    # The folder is everybody's: somebody else's link must not lead us to another file.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _take(lock: BinaryIO, is_stopped: Callable[[], bool]) -> bool:
    while not is_stopped():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(LOOK_PERIOD_S / 4)
    return False


def _wait(process: subprocess.Popen[bytes], is_stopped: Callable[[], bool]) -> int:
    """The exit code; a command that is to stop is asked to, and after a while made to."""
    watch = select.poll()
    ended = os.pidfd_open(process.pid)
    watch.register(ended, select.POLLIN)
    deadline_s = float("inf")
    try:
        while not watch.poll(1000 * LOOK_PERIOD_S):
            if deadline_s == float("inf") and is_stopped():
                deadline_s = time.monotonic() + GRACE_S
                _signal_group(process, signal.SIGINT)
            if time.monotonic() > deadline_s:
                _signal_group(process, signal.SIGKILL)
    except BaseException:  # an engine's own way of interrupting: the command must not outlive it
        _signal_group(process, signal.SIGINT)
        _end_within(process, GRACE_S)
        raise
    finally:
        os.close(ended)
    return process.wait()


def _end_within(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _environment(job: EngineJob) -> dict[str, str]:
    wanted = {**os.environ, **job.environment}
    return {name: value for name, value in wanted.items() if value is not None}


def _before_the_command() -> None:
    """In the child: SIGTERM when the process that started it is gone, and signals that arrive."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # A worker of Ray blocks SIGINT, a program behind nohup ignores it: its jobs would inherit that
    # and could only be killed.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGINT, signal.default_int_handler)


_LIBC = ctypes.CDLL(None)
