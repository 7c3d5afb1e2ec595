"""Signals for a command that we stand before: each reaches it once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# The kernel signals all members of a group in one call; this is for a machine that is very busy.
WITNESS_PATIENCE_S = 0.02
WITNESS_STEP_S = 0.001


class Witness:
    """A small process of our own group that blocks every forwarded signal.

    Who signals us may have signalled the whole group, as a terminal does and job schedulers do: the
    command, which is of that group, has its signal then. The kernel does not tell; but the same
    signal is pending for the witness then, and is not where it was meant for us alone. The witness
    reads from a pipe that we hold open, so that it ends with us, whatever ends us.
    """

    def __init__(self) -> None:
        self._program = shutil.which("cat")
        self._pid: int | None = None
        self._pipe: int | None = None
        self._start()

    def saw(self, number: int) -> bool:
        """Whether the group was sent this signal; False where nobody can tell."""
        if self._pid is None:
            return False
        end_s = time.monotonic() + WITNESS_PATIENCE_S
        while not (seen := self._is_pending(number)) and time.monotonic() < end_s:
            time.sleep(WITNESS_STEP_S)
        if seen:  # what is pending stays so: the next signal needs another witness
            self.close()
            self._start()
        return seen

    def close(self) -> None:
        """End the process."""
        pid, pipe, self._pid, self._pipe = self._pid, self._pipe, None, None
        if pipe is not None:
            os.close(pipe)
        if pid is not None:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _start(self) -> None:
        if self._program is None:
            return
        reading, writing = os.pipe()
        try:
            self._pid = os.posix_spawn(
                self._program,
                ["cat"],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reading, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsigmask=FORWARDED,
            )
            self._pipe = writing
        except OSError:  # no more processes: signals are forwarded as if they were for us alone
            os.close(writing)
        finally:
            os.close(reading)

    def _is_pending(self, number: int) -> bool:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        masks = [line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd:")]
        return bool(masks) and bool(int(masks[0], 16) >> (number - 1) & 1)


@contextmanager
def forwarded_signals() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Pass signals on to a command instead of dying of them ourselves.

    The command is of our process group: what the whole group is sent reaches it without us. What we
    were told to ignore (nohup) stays ignored, by the command as well, which inherits that.

    Yields:
        A function to be told the command once it runs; signals that came before are passed on then.
    """
    child: list[subprocess.Popen[bytes]] = []
    early: list[int] = []
    witness = Witness()

    def forward(number: int, frame: FrameType | None) -> None:
        if not child:
            early.append(number)
        elif not (witness.saw(number) and _is_of_our_group(child[0].pid)):
            child[0].send_signal(number)

    def pass_to(process: subprocess.Popen[bytes]) -> None:
        child.append(process)
        for number in early:
            process.send_signal(number)

    heeded = [number for number in FORWARDED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, forward) for number in heeded}
    try:
        yield pass_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        witness.close()


def _is_of_our_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == os.getpgrp()
    except OSError:
        return False
