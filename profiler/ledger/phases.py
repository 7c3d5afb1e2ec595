"""The phases of a running ledger, as windows of its recorder: at most one is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from profiler.errors import UsageError
from profiler.recording.recorder import Recorder

from .entries import Phase
from .stretches import window_name

OWN_WORK = window_name(Phase.OTHER, None)


class PhaseWindows:
    """Opens and closes phases; what is in none may be named later, once it is known what it was.

    Args:
        recorder: started; nobody else opens windows in it.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._open: str | None = None
        self._since_s = recorder.now_s
        self._nameless_s: list[tuple[float, float]] = []
        self._is_aside = False

    @property
    def present(self) -> str | None:
        """The name of the phase that is open, or goes on after our own work."""
        return self._open

    def is_in(self, phase: str, epoch: int | None) -> bool:
        """Whether this phase is open."""
        return self._open == window_name(phase, epoch)

    def begin(self, phase: str, epoch: int | None) -> None:
        """Open a phase.

        Raises:
            UsageError: another one is open: an instant belongs to one phase.
        """
        name = self.check_between(phase, epoch)
        self._recorder.begin(name)
        self._open = name

    def check_between(self, phase: str, epoch: int | None) -> str:
        """The name that a phase will have; a `UsageError` while another one is open."""
        name = window_name(phase, epoch)
        if self._open is not None:
            raise UsageError(f"the phase {name!r} cannot begin inside {self._open!r}")
        return name

    def end(self, item_count: int | None = None) -> None:
        """Close the phase that is open, if any."""
        name, self._open = self._open, None
        if name is not None and self._recorder.stopped_s is None:
            self._since_s, self._nameless_s = self._recorder.now_s, []
            self._recorder.end(name, at_s=self._since_s, item_count=item_count)

    def begin_earlier(self, phase: str, epoch: int | None) -> None:
        """Open a phase that began where the last one ended, without our own work since then.

        Raises:
            UsageError: another one is open.
        """
        name = self.check_between(phase, epoch)
        for start_s, end_s in self._nameless_s:
            self._recorder.begin(name, at_s=start_s)
            self._recorder.end(name, at_s=end_s)
        self._recorder.begin(name, at_s=self._since_s)
        self._open = name

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep the enclosed work out of the phases: the one that is open goes on afterwards.

        It ends before, so that what it drew can be inferred.
        """
        if self._is_aside or self._recorder.stopped_s is not None:
            yield
            return
        now_s, self._is_aside = self._recorder.now_s, True
        if self._open is not None:
            self._recorder.end(self._open, at_s=now_s)
        elif now_s > self._since_s:
            self._nameless_s.append((self._since_s, now_s))
        self._recorder.begin(OWN_WORK, at_s=now_s)
        try:
            yield
        finally:
            self._is_aside, self._since_s = False, self._recorder.now_s
            if self._recorder.stopped_s is None:
                self._recorder.end(OWN_WORK, at_s=self._since_s)
                if self._open is not None:
                    self._recorder.begin(self._open, at_s=self._since_s)
