"""Starting the program on a terminal: a pseudo-terminal whose size can change."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.integration.processes import environment

# Called with the process and everything it has written so far, after each piece of output.
Watcher = Callable[["Terminal", str], None]


class Terminal:
    """A process whose standard streams are a terminal of `columns` x `rows`."""

    def __init__(
        self, folder: Path, words: Sequence[str], *, columns: int = 80, rows: int = 24
    ) -> None:
        self._master, slave = pty.openpty()
        self._resize(slave, columns, rows)
        self.process = subprocess.Popen(
            words, cwd=folder, env={**environment(), "TERM": "xterm"},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def resize(self, columns: int, rows: int = 24) -> None:
        """What a window manager does when the window's corner is dragged."""
        self._resize(self._master, columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def press_control_c(self) -> None:
        """What the terminal's driver does when Ctrl-C is pressed."""
        os.killpg(self.process.pid, signal.SIGINT)

    def close(self) -> None:
        """What a window manager does when the window is closed, without a SIGHUP."""
        os.close(self._master)
        self._master = -1

    def read_all(self, watch: Watcher | None = None, *, timeout_s: float = 120.0) -> str:
        """Everything that is written until the process has ended."""
        end_s, written = time.monotonic() + timeout_s, b""
        while self._master >= 0:
            assert time.monotonic() < end_s, written.decode(errors="replace")
            ready, _, _ = select.select([self._master], [], [], 0.2)
            if ready:
                try:
                    piece = os.read(self._master, 65536)
                except OSError:  # Linux: the last holder of the other end has closed it
                    break
                if not piece:
                    break
                written += piece
            elif self.process.poll() is not None:
                break
            if watch is not None:
                watch(self, written.decode(errors="replace"))
        self.process.wait(timeout=timeout_s)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
        return written.decode()

    @staticmethod
    def _resize(descriptor: int, columns: int, rows: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
