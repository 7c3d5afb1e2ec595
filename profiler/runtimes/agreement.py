"""Whether a run-time still gives the answers of eager torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from profiler.errors import ExportError
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.statistics import t_quantile, wilson_interval
from profiler.workload.exported import Inputs
from profiler.workload.prepared import map_tensors, tensors_in

CONFIDENCE = 0.95
LEAST_SQNR_DB = {"fp32": 50.0, "fp16": 20.0, "bf16": 20.0, "int8": 10.0}
"""Below it, the answers are not those of the model. Kernels that only sum in another order agree to
more than 100 dB; 10 dB is a difference with a tenth of the answers' power."""
LEAST_TOP1 = 0.5
"""A first guess that is another one for most items is another model, whatever the decibels say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How alike the answers of two executions are.

    Args:
        sqnr_db: see `sqnr`; None where the answers hold no real numbers.
        top1: share of items whose first guess is the same; None where the answer is no table of
            classes.
    """

    sqnr_db: Estimate | None
    top1: Estimate | None


def agreement(
    reference: Callable[..., Any],
    call: Callable[..., Any],
    batches: Sequence[Inputs],
    source: str,
    *,
    item_count: int | None = None,
) -> Agreement:
    """Call both on the same inputs.

    Args:
        reference: eager torch.
        call: the run-time.
        batches: positional and keyword arguments of each call.
        source: what the inputs are, for a person to read.
        item_count: how many of the items, the first ones, are different ones: repeated ones tell
            nothing more. None for all.

    Raises:
        ExportError: answers differ in form or shape, or hold NaN or infinity.
    """
    signals: list[float] = []
    noises: list[float] = []
    alike: list[bool] = []
    for batch in batches:
        expected, got = _answers(reference, batch), _answers(call, batch)
        if [t.shape for t in expected] != [t.shape for t in got]:
            raise ExportError(
                f"the run-time answers with shapes {[tuple(t.shape) for t in got]}, eager torch "
                f"with {[tuple(t.shape) for t in expected]}",
                hint="use another --runtime for this model",
            )
        real = [pair for pair in zip(expected, got, strict=True) if pair[0].is_floating_point()]
        if real:
            signal, noise = _powers(real)
            signals += signal
            noises += noise
        if expected and expected[0].ndim == 2 and expected[0].shape[1] > 1 and real:
            same = expected[0].argmax(1) == got[0].argmax(1)
            alike += same.tolist()
    kept = slice(item_count)
    return Agreement(
        sqnr_db=sqnr(signals[kept], noises[kept], source) if signals else None,
        top1=_share(alike[kept], source) if alike else None,
    )


def _answers(call: Callable[..., Any], inputs: Inputs) -> list[torch.Tensor]:
    arguments, keywords = map_tensors(torch.clone, inputs)
    with torch.no_grad():
        return [t.detach().cpu() for t in tensors_in(call(*arguments, **keywords))]


def _powers(
    pairs: Sequence[tuple[torch.Tensor, torch.Tensor]],
) -> tuple[list[float], list[float]]:
    """Sums of squares of the answers and of their differences, item by item if they have items."""
    lengths = {len(expected) if expected.ndim else None for expected, _ in pairs}
    count = lengths.pop() if len(lengths) == 1 else None
    signal = torch.zeros(count or 1, dtype=torch.float64)
    noise = torch.zeros_like(signal)
    for expected, got in pairs:
        rows = expected.double().reshape(len(signal), -1)
        signal += rows.square().sum(1)
        noise += (got.double().reshape(len(signal), -1) - rows).square().sum(1)
    if not bool(torch.isfinite(signal + noise).all()):
        who = "the run-time" if bool(torch.isfinite(signal).all()) else "the model itself"
        raise ExportError(
            f"{who} answers with NaN or infinity, so that nothing can be said of its agreement",
            hint="check the weights, and the range of the inputs",
        )
    return signal.tolist(), noise.tolist()


def sqnr(signals: Sequence[float], noises: Sequence[float], source: str) -> Estimate:
    """Signal to quantization noise, 10 log10(sum of squares / sum of squared differences), in dB.

    The interval is that of the items: the ratio's error by the delta method (Cochran, Sampling
    Techniques, 3rd ed., 1977, section 6.3), Student's t on its logarithm. Infinite where the
    answers are the same to the last bit.

    Args:
        signals: sum of squares of each item's answer.
        noises: sum of squares of the difference of each item.
        source: what the items are.
    """
    count, signal, noise = len(signals), math.fsum(signals), math.fsum(noises)
    told = f"{count:,} {'item' if count == 1 else 'items'} of {source}, against eager torch"
    if noise == 0 or signal == 0:
        return stated(math.inf if noise == 0 else -math.inf, "dB", Basis.MEASURED, told)
    ratio = noise / signal
    point = -10 * math.log10(ratio)
    half: float | None = None
    if count > 1:
        squares = math.fsum((n - ratio * s) ** 2 for s, n in zip(signals, noises, strict=True)) / (
            count - 1
        )
        error = math.sqrt(squares * count) / noise
        half = t_quantile((1 + CONFIDENCE) / 2, count - 1) * error * 10 / math.log(10)
    return Estimate(
        point=point,
        low=None if half is None else point - half,
        high=None if half is None else point + half,
        unit="dB",
        confidence=None if half is None else CONFIDENCE,
        basis=Basis.MEASURED,
        source=told,
    )


def _share(alike: Sequence[bool], source: str) -> Estimate:
    share, low, high = wilson_interval(sum(alike), len(alike))
    return Estimate(
        point=share, low=low, high=high, unit="", confidence=CONFIDENCE, basis=Basis.MEASURED,
        source=f"{len(alike):,} items of {source}, first guess as eager torch, Wilson interval",
    )  # fmt: skip


def check_agreement(found: Agreement, *, runtime: str, precision: str) -> None:
    """Refuse a run-time that changes the answers.

    Raises:
        ExportError: with what was found and what is asked for.
    """
    least_db = LEAST_SQNR_DB[precision]
    if found.sqnr_db is not None and found.sqnr_db.point < least_db:
        raise ExportError(
            f"{runtime} changes the answers: they agree with eager torch to "
            f"{found.sqnr_db.point:.1f} dB, and {least_db:g} dB is the least for {precision}",
            hint="use +bf16 or fp32 for this model, or calibrate on other --data"
            if precision == "int8"
            else "use another --runtime for this model",
        )
    if found.top1 is not None and found.top1.high is not None and found.top1.high < LEAST_TOP1:
        raise ExportError(
            f"{runtime} changes the answers: the first guess is that of eager torch for "
            f"{found.top1.point:.0%} of {found.top1.source.partition(',')[0]}, and "
            f"{LEAST_TOP1:.0%} is the least",
            hint="use another --runtime or precision for this model",
        )
