"""The jobs of a study on this machine: a thread for each device, which waits for its processes."""

from __future__ import annotations

import queue
import threading

from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

from .job import EngineJob, JobEnd, run_job, stopped, utc_now


class LocalEngine:
    """Runs jobs in processes of this machine."""

    def __init__(self) -> None:
        self._waiting: dict[str, queue.Queue[EngineJob | None]] = {}
        self._ended: queue.Queue[JobEnd] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    def submit(self, job: EngineJob) -> None:
        if job.device not in self._waiting:
            waiting = self._waiting[job.device] = queue.Queue()
            thread = threading.Thread(target=self._work, args=(waiting,), name=job.device)
            self._threads.append(thread)
            thread.start()
        self._waiting[job.device].put(job)

    def wait(self, timeout_s: float) -> tuple[JobEnd, ...]:
        try:
            ends = [self._ended.get(timeout=timeout_s)]
        except queue.Empty:
            return ()
        while not self._ended.empty():
            ends.append(self._ended.get())
        return tuple(ends)

    def close(self) -> None:
        self._stop.set()
        for waiting in self._waiting.values():
            waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, waiting: queue.Queue[EngineJob | None]) -> None:
        while (job := waiting.get()) is not None:
            self._ended.put(stopped(job) if self._stop.is_set() else self._end_of(job))

    def _end_of(self, job: EngineJob) -> JobEnd:
        try:
            return run_job(job, self._stop.is_set)
        except Exception as error:  # a job's row says what befell it; the others go on
            heed_interruption(error)
            return JobEnd(
                name=job.name, exit_code=None, started_utc=utc_now(), duration_s=0.0,
                reason=f"could not be started: {one_line(error)}",
            )  # fmt: skip
