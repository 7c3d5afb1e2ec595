"""What is asked of a recording, laid out once for all of its counters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from profiler.values.trace import Window

from .anchors import Spans, lay_spans
from .timeline import Timeline


class Question:
    """The joules of targets.

    Args:
        targets: windows whose energies are summed, one tuple a target.
        windows: all windows of the recording; their edges are where power may change.
        now_s: end of windows that are still open.
    """

    def __init__(
        self,
        targets: Sequence[Sequence[Window]],
        windows: Sequence[Window],
        now_s: float | None = None,
    ) -> None:
        self.targets, self.windows, self.now_s = targets, windows, now_s

    @cached_property
    def spans(self) -> Spans:
        """The windows of all targets."""
        return lay_spans(self.targets, self.now_s)

    @cached_property
    def timeline(self) -> Timeline:
        """What was open when."""
        return Timeline(self.windows, self.now_s)
