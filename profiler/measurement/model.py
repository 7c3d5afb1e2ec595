"""`measure()` and `measure_together()`: models that are at hand, measured in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.machine.codecarbon_tracker import CodeCarbonOptions
from profiler.meters import OpenMeter
from profiler.meters.clock import MonotonicClock
from profiler.values.profile import CarbonFactors, Profile, Workload

from .conduct import Conditions, conduct
from .protocol import Progress
from .request import Request, facts_of, prepare_request
from .runners import LocalRunner

if TYPE_CHECKING:
    from torch import nn

    from profiler.counting import Rules
    from profiler.runtimes.deploy import AgreementSamples


def measure(
    model: nn.Module,
    inputs: Any,
    *,
    name: str | None = None,
    device: str = "auto",
    dtype: str | None = None,
    batch_size: int | None = None,
    precision: float = 0.02,
    max_seconds: float = 30.0,
    channels_last: bool = False,
    runtime: str | None = None,
    agreement_on: AgreementSamples | None = None,
    seed: int = 0,
    rules: Rules | None = None,
    carbon: CarbonFactors | None = None,
    workload: Workload | None = None,
    meters: Sequence[OpenMeter] | None = None,
    codecarbon: CodeCarbonOptions | bool = False,
    progress: Progress | None = None,
) -> Profile:
    """Measure inference of one model: latency, joules, power, memory, carbon and exact counts.

    The model is copied; the one that is given keeps its device, precision and mode. Everything runs
    in this process, and a finding says so: how much processes differ is measured from the command
    line, which starts fresh ones.

    Args and errors are those of `Request` and `Conditions`.
    """
    request = Request(
        model=model, inputs=inputs, name=name, device=device, dtype=dtype, batch_size=batch_size,
        channels_last=channels_last, runtime=runtime, agreement_on=agreement_on, seed=seed,
        rules=rules, workload=workload,
    )  # fmt: skip
    conditions = Conditions(
        precision=precision, max_seconds=max_seconds, seed=seed, carbon=carbon, meters=meters,
        codecarbon=CodeCarbonOptions() if codecarbon is True else codecarbon or None,
        progress=progress,
    )  # fmt: skip
    (profile,) = measure_here([request], conditions)
    return profile


def measure_together(
    models: Mapping[str, tuple[nn.Module, Any]],
    *,
    device: str = "auto",
    dtype: str | None = None,
    batch_size: int | None = None,
    precision: float = 0.02,
    max_seconds: float = 30.0,
    channels_last: bool = False,
    runtime: str | None = None,
    agreement_on: AgreementSamples | None = None,
    seed: int = 0,
    rules: Rules | None = None,
    carbon: CarbonFactors | None = None,
    meters: Sequence[OpenMeter] | None = None,
    codecarbon: CodeCarbonOptions | bool = False,
    progress: Progress | None = None,
) -> dict[str, Profile]:
    """Measure several models in turns, block by block, so that their ratios are sharp.

    Whatever moves all of them alike (heat, clocks, neighbours) cancels in the ratios that
    `profiler.compare` makes of the profiles. Everything runs in this process.

    Models and inputs come by name, and the first is what the others are compared with. `precision`
    is the relative half width of the ratios of latency and joules at which to stop, `max_seconds`
    the budget for all models together; the other arguments and the errors are those of `Request`
    and `Conditions`. Returns a profile a model.
    """
    if not models:
        raise UsageError("no model was given", hint='give at least one: {"name": (model, inputs)}')
    requests = [
        Request(
            model=model, inputs=inputs, name=name, device=device, dtype=dtype,
            batch_size=batch_size, channels_last=channels_last, runtime=runtime,
            agreement_on=agreement_on, seed=seed, rules=rules,
        )
        for name, (model, inputs) in models.items()
    ]  # fmt: skip
    conditions = Conditions(
        precision=precision, max_seconds=max_seconds, seed=seed, carbon=carbon, meters=meters,
        codecarbon=CodeCarbonOptions() if codecarbon is True else codecarbon or None,
        progress=progress,
    )  # fmt: skip
    return dict(zip(models, measure_here(requests, conditions), strict=True))


def measure_here(requests: Sequence[Request], conditions: Conditions) -> tuple[Profile, ...]:
    """Prepare all models in this process, and measure them in turns."""
    ready = [(request, *prepare_request(request)) for request in requests]
    device = ready[0][2]
    facts = [facts_of(*item) for item in ready]
    runner = LocalRunner(
        calls=[prepared.call for _, prepared, _ in ready],
        synchronize=device.synchronize,
        clock=MonotonicClock(),
    )
    return conduct(facts, [runner], conditions, is_fresh=False)
