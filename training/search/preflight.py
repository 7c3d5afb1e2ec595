"""What would make every trial fail is refused before the first one, with nothing begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from profiler.errors import ProfilerError
from profiler.machine.device import Device, find_device
from training.data.splits import load_splits
from training.run.learner import check_learner

from .costs import check_costs
from .plan import SearchPlan
from .space import first_point


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all networks of a search have in common.

    Args:
        class_count: of the data.
        input_shape: (channels, height, width) of one image.
    """

    class_count: int
    input_shape: tuple[int, ...]


def check_ground(plan: SearchPlan, *, device: str, baseline: str | None) -> Ground:
    """Build the first point of the space as every trial will be built, and train nothing.

    Args:
        plan: what is searched.
        device: "cpu", "cuda:N" or "auto".
        baseline: a network to beat; None for none.

    Raises:
        ProfilerError: of the device, the data, the space, the initial weights, the teacher, the
            precision or the baseline.
    """
    found = find_device(device)
    # Streamed, so that nothing is decoded to learn how many classes there are.
    splits = load_splits(plan.recipe, "cpu", most_bytes=0)
    ground = Ground(class_count=len(splits.class_names), input_shape=splits.input_shape)
    with _hints_of_a_search():
        point = first_point(plan.space, is_trained=plan.recipe.initial is not None)
        _check_network(point, plan, ground, found)
        check_learner(replace(plan.recipe, model=point), splits, found)
    if baseline is not None:
        _check_network(baseline, plan, ground, found)
    return ground


def _check_network(reference: str, plan: SearchPlan, ground: Ground, device: Device) -> None:
    check_costs(
        reference, plan, class_count=ground.class_count, input_shape=ground.input_shape,
        device=device.name,
    )  # fmt: skip


@contextmanager
def _hints_of_a_search() -> Iterator[None]:
    """A search has no --model: it chooses that itself."""
    try:
        yield
    except ProfilerError as error:
        if error.hint is None or "--model" in error.hint:
            error.hint = "--space transforms:MODEL names the model, --initial FILE its weights"
        raise
