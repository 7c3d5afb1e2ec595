"""Which ranks are alive: every rank writes a heartbeat to the store that torchrun keeps.

A broken connection names a port, not a rank, and a rank whose machine lost power breaks none at
all. So a thread of every rank counts up a key of its own twice a second, whatever its main thread
waits for, and a rank that ends says so first. Who has not ended and stands still is lost.

`torch.distributed.monitored_barrier` does not tell: over connections that have just broken it fails
as the collective before it did (three ranks on gloo, one killed inside all_reduce: neither survivor
names it), it does not know NCCL, and a rank that waits for a silent one never comes to call it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from .notice_board import Board

PULSE, END, VERDICT = "pulse", "end", "verdict"
INTERVAL_S = 0.5
ROLL_CALL_S = 3.0
ROLL_CALL_STEP_S = 0.1
PATIENCE_S = 60.0
GRACE_S = 15.0
EXIT_CODE = 1
GO_ON = "the ledger up to there is kept; go on from the last checkpoint with --resume"


class Pulse:
    """Shows this rank's pulse, and looks after the others'.

    A main thread that waits for a lost rank may wait for ever: some time after `patience_s` this
    says so on stderr and ends the process with exit code 1. What has been appended to files by
    then stays.

    Attributes:
        epoch: that this rank works on, for what it says; None outside of epochs.
        neighbours: by rank, the processes of this machine, whose death is seen at once.

    Args:
        board: where the ranks write to each other.
        patience_s: how long a rank may show no pulse.
        grace_s: how long the main thread has to notice by itself.
        roll_call_s: how long `roll_call` waits for a pulse.
    """

    def __init__(
        self,
        board: Board,
        *,
        patience_s: float = PATIENCE_S,
        grace_s: float = GRACE_S,
        roll_call_s: float = ROLL_CALL_S,
    ) -> None:
        self.epoch: int | None = None
        self.neighbours: Mapping[int, int] = {}
        self.board = board
        self._patience_s = patience_s
        self._grace_s = grace_s
        self._roll_call_s = roll_call_s
        self._count = 0
        self._has_ended = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wattprof-pulse", daemon=True)

    def start(self) -> Pulse:
        """Begin; the first beat is there when this returns."""
        self._beat()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Show no pulse any more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2.0)

    def say_end(self, reason: str) -> None:
        """Tell the others that this rank ends, before its connections break.

        The first word stays. It is "" where the work is done, or an error in one sentence.
        """
        if not self._has_ended:
            self._has_ended = True
            self.board.write(END, reason)

    def failed(self) -> dict[int, str]:
        """By rank, the error that it ended with, of those that have said so."""
        return {rank: reason for rank, reason in self._notices(END).items() if reason}

    def explain(self, lost: Sequence[int]) -> str:
        """Why the ranks cannot go on, in the words of the one that found out first."""
        verdict = next(iter(self._notices(VERDICT).values()), None) or self._verdict(lost)
        self.board.write(VERDICT, verdict)
        return verdict

    def roll_call(self) -> list[int]:
        """Ranks without a sign of life, apart from those that said that they end.

        Waits until every other one has shown its pulse or is known to have died, at most
        `roll_call_s`; not at all where another rank knows already.
        """
        before, until_s = self._notices(PULSE), time.monotonic() + self._roll_call_s
        while True:
            ended, now = self._notices(END), self._notices(PULSE)
            silent = [
                other
                for other in self.board.others
                if other not in ended and now.get(other) == before.get(other)
            ]
            known = not silent or all(map(self._is_gone, silent)) or self._notices(VERDICT)
            if known or time.monotonic() >= until_s:
                ended = self._notices(END)  # of those that ended by themselves meanwhile
                return [other for other in silent if other not in ended]
            time.sleep(ROLL_CALL_STEP_S)

    def _verdict(self, lost: Sequence[int]) -> str:
        size = self.board.world_size
        when = "" if self.epoch is None else f" at epoch {self.epoch}"
        if not self.board.is_reachable():
            return f"the host that holds the {size} ranks together cannot be reached{when}"
        if len(lost) == 1:
            return f"rank {lost[0]} of {size} was lost{when}"
        if lost:
            return f"ranks {', '.join(map(str, lost))} of {size} were lost{when}"
        for rank, reason in self.failed().items():
            return f"rank {rank} of {size} stopped{when}: {reason}"
        return f"the connection between the {size} ranks broke{when}"

    def _run(self) -> None:
        seen: dict[int, tuple[str | None, float]] = {}
        while not self._stop.wait(INTERVAL_S):
            self._beat()
            if self._without_pulse(seen) and self.board.is_reachable():
                self._end_process(self._without_pulse(seen))

    def _beat(self) -> None:
        self._count += 1
        self.board.write(PULSE, str(self._count))

    def _without_pulse(self, seen: dict[int, tuple[str | None, float]]) -> list[int]:
        """Ranks that have shown no pulse for too long, apart from those whose work was done."""
        now_s, counts = time.monotonic(), self._notices(PULSE)
        for rank in self.board.others:
            if rank not in seen or seen[rank][0] != counts.get(rank):
                seen[rank] = (counts.get(rank), now_s)
        late = [
            rank
            for rank, (_, at_s) in seen.items()
            if now_s - at_s > self._patience_s or self._is_gone(rank)
        ]
        ended = self._notices(END) if late else {}
        return [rank for rank in late if ended.get(rank) != ""]

    def _is_gone(self, rank: int) -> bool:
        """Whether a process of this machine has ended; False where that cannot be told."""
        pid = self.neighbours.get(rank)
        if pid is None:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # it is there, and another user's
            return False
        return False

    def _end_process(self, lost: Sequence[int]) -> None:
        if self._stop.wait(self._grace_s):
            return
        silent = [rank for rank in lost if rank not in self.failed()]
        print(f"error: {self._verdict(silent)}\nhint: {GO_ON}", file=sys.stderr, flush=True)
        os._exit(EXIT_CODE)

    def _notices(self, subject: str) -> dict[int, str]:
        texts = {other: self.board.read(subject, other) for other in self.board.others}
        return {other: text for other, text in texts.items() if text is not None}
