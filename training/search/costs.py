"""What a network costs, before any training: exact counts, and time and joules as measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from profiler.counting import count
from profiler.errors import MeasurementError
from profiler.measurement.model import measure
from profiler.values.estimate import Estimate, counted
from profiler.values.plain_text import clean
from profiler.values.profile import CarbonFactors
from profiler.values.quantities import per_item
from profiler.values.score import BITS, efficiency_score
from profiler.variants import GivenWeights, build, weights_of

from .objectives import ACCURACY, JOULES, OBJECTIVES
from .plan import SearchPlan

FULL = "fp32"
COUNTED = ("macs", "score")


def find_costs(
    reference: str,
    plan: SearchPlan,
    *,
    class_count: int,
    input_shape: tuple[int, ...],
    device: str,
    threads: int | None,
    carbon: CarbonFactors,
) -> dict[str, Estimate]:
    """Every cost that a plan wants, of one image; what is counted in any case.

    Args:
        reference: of the network.
        plan: says which costs, in which precision, at which batch size.
        class_count: of the data.
        input_shape: of one image.
        device: "cpu", "cuda:N" or "auto".
        threads: of torch on the CPU; None leaves them.
        carbon: factors from joules to grams.

    Raises:
        ProfilerError: it cannot be built, counted or run.
    """
    wanted = [name for name in plan.wanted if not OBJECTIVES[name].is_trained]
    weights = _weights(plan)
    model = build(reference, num_classes=class_count, weights=weights).model
    found = count_costs(model, reference, plan, input_shape)
    if any(OBJECTIVES[name].is_timed for name in wanted):
        with _threads(threads):
            found |= _timed(reference, plan, class_count, input_shape, weights, device, carbon)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise MeasurementError(
            f"the {missing[0]} of '{reference}' cannot be known",
            hint="python -m profiler doctor says which sensors there are",
        )
    return found


def count_costs(
    model: nn.Module, reference: str, plan: SearchPlan, input_shape: tuple[int, ...]
) -> dict[str, Estimate]:
    """What is counted of a network: MACs and score; {} where they cannot be, and need not be.

    Raises:
        ProfilerError: it cannot be run, or the plan wants counts and an operator has none.
    """
    costs = count(model.eval(), torch.zeros(1, *input_shape))
    if costs.uncounted_ops or costs.parameter_count is None:  # a lower bound would be a saving
        wanted = [name for name in plan.wanted if name in COUNTED]
        if wanted:
            names = ", ".join(sorted(costs.uncounted_ops)) or "a parameter"
            raise MeasurementError(
                f"the {wanted[0]} of '{clean(reference)}' cannot be counted: {names} has no count",
                hint=f"--objective {ACCURACY} --objective latency needs none",
            )
        return {}
    bits = BITS[plan.precision]
    score = efficiency_score(
        parameter_count=costs.parameter_count, mac_count=costs.mac_count, q_w=bits, q_a=bits,
        already_removed=True,
    )  # fmt: skip
    source = f"efficiency score of the counted parameters and MACs, at {bits} bits"
    return {
        "macs": counted(costs.mac_count, "MAC", "counted, of one image"),
        "score": counted(float(score), "", source),
    }


def _weights(plan: SearchPlan) -> GivenWeights | None:
    """What each network begins from, where the plan names any."""
    return None if plan.recipe.initial is None else weights_of(Path(plan.recipe.initial))


def _in_precision(reference: str, plan: SearchPlan) -> str:
    """The network as it is measured."""
    return reference if plan.precision == FULL else f"{reference}+{plan.precision}"


def check_costs(
    reference: str, plan: SearchPlan, *, class_count: int, input_shape: tuple[int, ...], device: str
) -> None:
    """Refuse a network whose costs cannot be known, without measuring it.

    Raises:
        ProfilerError: it cannot be built, in the precision of the plan either, or counted.
    """
    weights = _weights(plan)
    model = build(reference, num_classes=class_count, weights=weights).model
    count_costs(model, reference, plan, input_shape)
    if plan.precision != FULL:
        build(
            _in_precision(reference, plan), num_classes=class_count, weights=weights, device=device
        )


def _timed(
    reference: str,
    plan: SearchPlan,
    class_count: int,
    input_shape: tuple[int, ...],
    weights: GivenWeights | None,
    device: str,
    carbon: CarbonFactors,
) -> dict[str, Estimate]:
    """Latency and joules per image; noise is as good as images, for neither depends on them."""
    run_as = _in_precision(reference, plan)
    dtype = FULL if plan.precision == FULL else None
    model = build(run_as, num_classes=class_count, weights=weights).model
    generator = torch.Generator().manual_seed(plan.recipe.seed)
    images = torch.randn(plan.batch_size, *input_shape, generator=generator)
    profile = measure(
        model, images, name=reference, device=device, dtype=dtype,
        batch_size=plan.batch_size, max_seconds=plan.max_seconds, seed=plan.recipe.seed,
        carbon=carbon,
    )  # fmt: skip
    found = {
        JOULES: per_item(profile.energy_j, profile, "J"),
        "latency": per_item(profile.latency_s, profile, "s"),
    }
    return {name: value for name, value in found.items() if value is not None}


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
