"""Power samples that NVIDIA's driver buffers by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from profiler.values.trace import Reading

from .nvml_session import NvmlSession

MILLIWATT_W = 1e-3
MAX_SAMPLE_AGE_S = 30.0
MAX_CLOCK_SLIP_S = 2e-3


class SampleBuffer:
    """The power samples that the driver itself keeps, moved from the date to CLOCK_MONOTONIC.

    NVML stamps them with microseconds since 1970. Where the date was set between two drains, or a
    stamp cannot be true, the samples are dropped: polled ones are there in any case.
    """

    def __init__(self, session: NvmlSession, handle: Any) -> None:
        self._session = session
        self._handle = handle
        self._lock = threading.Lock()
        self._last_us = 0
        self._offset_s: float | None = None

    def drain(self) -> Sequence[Reading]:
        with self._lock:
            kind = self._session.constant("NVML_TOTAL_POWER_SAMPLES", 0)
            answer = self._session.ask("nvmlDeviceGetSamples", self._handle, kind, self._last_us)
            now_s = time.monotonic()
            offset_s, previous_s = time.time() - now_s, self._offset_s
            self._offset_s = offset_s
            if answer is None:
                return ()
            value_type, samples = answer
            self._last_us = max([self._last_us, *(sample.timeStamp for sample in samples)])
            if previous_s is None or abs(offset_s - previous_s) > MAX_CLOCK_SLIP_S:
                return ()
            readings = [
                Reading(
                    time_s=sample.timeStamp * 1e-6 - offset_s,
                    power_w=self._session.sample_value(value_type, sample.sampleValue)
                    * MILLIWATT_W,
                )
                for sample in samples
            ]
            return tuple(r for r in readings if now_s - MAX_SAMPLE_AGE_S <= r.time_s <= now_s)
