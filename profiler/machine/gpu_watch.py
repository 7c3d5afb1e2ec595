"""The state of the GPU around a measurement: was it throttled, did it heat up?"""

from __future__ import annotations

from profiler.meters.gpu_facts import GpuFacts, gpu_facts
from profiler.values.findings import Finding, throttled, warmed_up

from .environment import GPU_UUID

HARMLESS_REASONS = frozenset({"idle", "application clocks", "display clocks"})
DRIFT_C = 5


class GpuWatch:
    """Looks at a GPU when it is made and whenever it is told to; nothing at all without a GPU."""

    def __init__(self, identity: str | None) -> None:
        self._identity = identity
        self._reasons: set[str] = set()
        self._before = self._look()

    def glance(self) -> None:
        """Note what holds the clocks down now, while the GPU is busy."""
        now = self._look()
        if now is not None:
            self._reasons.update(now.event_reasons or ())

    def _look(self) -> GpuFacts | None:
        return None if self._identity is None else gpu_facts(self._identity)

    def facts(self) -> dict[str, str]:
        """What is known about the GPU now, as flat text, with its UUID."""
        now = self._look()
        if now is None or self._identity is None:
            return {}
        return {GPU_UUID: self._identity, **now.as_text()}

    def findings(self) -> tuple[Finding, ...]:
        """What changed since this was made, and what holds the clocks down."""
        now = self._look()
        if now is None or self._before is None:
            return ()
        found = []
        reasons = self._reasons.union(now.event_reasons or ()) - HARMLESS_REASONS
        if reasons:
            found.append(throttled(", ".join(sorted(reasons))))
        before_c, after_c = self._before.temperature_c, now.temperature_c
        if before_c is not None and after_c is not None and abs(after_c - before_c) > DRIFT_C:
            found.append(warmed_up(before_c, after_c))
        return tuple(found)
