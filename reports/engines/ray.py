"""The jobs of a study on a Ray cluster: one that is started here, or one that is named.

No two jobs share a device. In a cluster of our own each device is a resource of which there is one.
In another one Ray gives each job on a GPU one for itself, and each node must have declared what
stands for its CPUs: `ray start --resources '{"wattprof_cpu": 1}'`. There the study's folder must be
the same on all nodes, and the checkout must lie at the same path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from profiler.errors import ProfilerError, UsageError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

from . import job as job_module
from .job import EngineJob, JobEnd, run_job, utc_now

CPU = "wattprof_cpu"
_STORE_BYTES = 100_000_000
"""Little passes through it; by itself Ray would take a third of the machine's memory."""
_AS_HERE = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
"""Variables that Ray sets for its workers, which would change what is measured."""


class RayEngine:
    """Runs jobs as tasks of Ray.

    Args:
        devices: what jobs will ask for.
        address: of a running cluster, as `ray.init` takes it; None starts one on this machine.

    Raises:
        UsageError: Ray is not installed, the cluster has no such devices, or there is none.
    """

    def __init__(self, devices: tuple[str, ...], address: str | None = None) -> None:
        self._ray = _import_ray()
        self._is_own = address is None
        self._running: dict[Any, tuple[EngineJob, float]] = {}
        _start(self._ray, devices, address)
        try:
            if address is not None:
                self._check(devices)
        except BaseException:
            self._ray.shutdown()
            raise
        # The workers of another machine need not find our modules.
        self._ray.cloudpickle.register_pickle_by_value(job_module)
        self._task = self._ray.remote(num_cpus=0, max_retries=0)(_run)

    def submit(self, job: EngineJob) -> None:
        environment: dict[str, str | None] = {name: os.environ.get(name) for name in _AS_HERE}
        if not self._is_own:
            del environment["CUDA_VISIBLE_DEVICES"]  # which is Ray's choice there
        task = self._task.options(**self._needs(job.device))
        reference = task.remote(replace(job, environment={**environment, **job.environment}))
        self._running[reference] = job, time.monotonic()

    def wait(self, timeout_s: float) -> tuple[JobEnd, ...]:
        if not self._running:
            time.sleep(timeout_s)
            return ()
        references = list(self._running)
        done, _ = self._ray.wait(references, num_returns=1, timeout=timeout_s)
        return tuple(self._end_of(reference) for reference in done)

    def close(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference)
        if self._running:
            self._ray.wait(
                list(self._running),
                num_returns=len(self._running),
                timeout=job_module.GRACE_S + job_module.LOOK_PERIOD_S,
            )
        self._ray.shutdown()

    def _end_of(self, reference: Any) -> JobEnd:
        job, since_s = self._running.pop(reference)
        try:
            end: JobEnd = self._ray.get(reference)
            return end
        except Exception as error:  # a worker that died, or whatever else Ray tells
            heed_interruption(error)
            died = isinstance(error, self._ray.exceptions.WorkerCrashedError)
            reason = "its Ray worker died" if died else f"Ray gave it up: {one_line(error)}"
            return JobEnd(
                name=job.name, exit_code=None, started_utc=utc_now(),
                duration_s=time.monotonic() - since_s, reason=reason,
            )  # fmt: skip

    def _needs(self, device: str) -> Mapping[str, Any]:
        if self._is_own:
            return {"resources": {_resource(device): 1}}
        return {"resources": {CPU: 1}} if device == "cpu" else {"num_gpus": 1}

    def _check(self, devices: tuple[str, ...]) -> None:
        """Raise UsageError where a cluster that is not ours cannot give what is asked for."""
        numbered = [device for device in devices if device not in ("cpu", "cuda", "cuda:0")]
        if numbered:
            raise UsageError(
                f"Ray gives a job one GPU of a cluster, which is no {numbered[0]} of this machine",
                hint="give --device cuda",
            )
        has = self._ray.cluster_resources()
        for name, is_asked in ((CPU, "cpu" in devices), ("GPU", set(devices) - {"cpu"})):
            if is_asked and not has.get(name):
                raise UsageError(
                    f"the Ray cluster has no resource {name}",
                    hint=f"start its nodes with `ray start --resources '{{\"{CPU}\": 1}}'`"
                    if name == CPU
                    else "start a node with a GPU, or give --device cpu",
                )


def _run(job: EngineJob) -> JobEnd:
    """What a worker does; Ray interrupts it where it is to stop."""
    return run_job(job, lambda: False)


def _resource(device: str) -> str:
    return CPU if device == "cpu" else f"wattprof_{device}"


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine ray needs Ray, which is not installed", hint='pip install "ray[default]"'
        ) from error
    return ray


def _start(ray: Any, devices: tuple[str, ...], address: str | None) -> None:
    # Nothing is told to anybody, and nobody on the network can reach a cluster of ours.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        resources = {_resource(device): 1 for device in devices}
        options |= {
            "address": "local",
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "resources": resources,
            "object_store_memory": _STORE_BYTES,
        }
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:  # Ray's errors have no common class
        heed_interruption(error)
        where = "on this machine" if address is None else f"at --address {address}"
        raise ProfilerError(
            f"no Ray cluster {where}: {one_line(error)}",
            hint="leave out --engine ray" if address is None else "see `ray status` there",
        ) from error
