"""State: everything that goes on in a resumed run, and its tensors under flat names.

    model.conv1.weight                the weights, the statistics of normalisation
    ema.conv1.weight                  the averaged weights, where there are any
    optimizer.0.momentum_buffer       by the number of the parameter
    rng.cpu, rng.cuda                 states of torch's generators

What is no tensor (None, counters, the loss scaler's numbers) is in a tree of JSON beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import CheckpointError
from profiler.workload.weights import fit_weights

from .header import Info
from .tensor_tree import Tree

if TYPE_CHECKING:
    from torch import Tensor, nn, optim

START_ANEW = "train into a new folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A run between two steps.

    Args:
        info: everything but tensors.
        model: state dict of the bare network (not of a DDP or compiled wrapper around it).
        ema: state dict of the averaged weights; None where the recipe has none.
        optimizer: "state" of the optimizer's state dict. Its hyperparameters are the recipe's and
            the schedule's, and are not kept.
        scaler: state dict of the fp16 loss scaler; None for other dtypes.
        rng: states of torch's generators, from `capture_rng`.
    """

    info: Info
    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor] | None = None
    optimizer: Tree = None
    scaler: Tree = None
    rng: Tree = None

    @property
    def evaluated(self) -> Mapping[str, Tensor]:
        """The weights that are evaluated: the averaged ones, where there are any."""
        return self.model if self.ema is None else self.ema


def bare(model: nn.Module) -> nn.Module:
    """The network inside the wrappers of DDP and torch.compile."""
    from torch.nn.parallel import DistributedDataParallel

    while True:
        inner = getattr(model, "_orig_mod", None)
        if isinstance(model, DistributedDataParallel):
            inner = model.module
        if inner is None:
            return model
        model = inner


def capture(
    info: Info,
    *,
    model: nn.Module,
    optimizer: optim.Optimizer,
    ema: nn.Module | Mapping[str, Tensor] | None = None,
    scaler: Any = None,
) -> State:
    """The state of a run; its tensors are the live ones, so save it before the next step.

    Args:
        info: everything but tensors.
        model: what is trained, wrapped or not.
        optimizer: of its parameters.
        ema: averaged weights, as a module or a state dict.
        scaler: a `torch.amp.GradScaler`; one that is disabled is left out.
    """
    averaged = ema if ema is None or isinstance(ema, Mapping) else ema.state_dict()
    return State(
        info=info,
        model=bare(model).state_dict(),
        ema=averaged,
        optimizer=optimizer.state_dict()["state"],
        scaler=(scaler.state_dict() or None) if scaler is not None else None,
        rng=capture_rng(),
    )


def capture_rng() -> Tree:
    """States of torch's generators: the CPU's, and that of the GPU in use, where one is."""
    import torch

    states: dict[str, Tree] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore(
    state: State,
    path: Path,
    *,
    model: nn.Module,
    optimizer: optim.Optimizer,
    ema: nn.Module | None = None,
    scaler: Any = None,
) -> None:
    """Bring a run's objects, made anew from the same recipe, to where the state left them.

    Args:
        state: from `load_checkpoint`.
        path: where it came from, for the errors.
        model: what is trained, wrapped or not; it keeps its device and memory format.
        optimizer: of its parameters; it keeps its hyperparameters.
        ema: averaged weights; None where the recipe has none.
        scaler: a `torch.amp.GradScaler`, or None.

    Raises:
        CheckpointError: the state is not one of these objects, or holds NaN.
    """
    fit_weights(bare(model), dict(state.model), path)
    if ema is not None:
        if state.ema is None:
            raise CheckpointError(f"'{path}' holds no averaged weights", hint=START_ANEW)
        fit_weights(bare(ema), dict(state.ema), path)
    _restore_optimizer(state.optimizer, optimizer, path)
    try:
        if scaler is not None and state.scaler is not None:
            if not all(math.isfinite(value) for value in state.scaler.values()):
                raise ValueError("a loss scale is finite")
            scaler.load_state_dict(state.scaler)
        restore_rng(state.rng)
    # What torch raises for a state of another form or length.
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"'{path}' holds a state of the random numbers or of the loss scaler that is damaged",
            hint=START_ANEW,
        ) from error


def restore_rng(states: Tree) -> None:
    """Set torch's generators; a GPU's state is left out where no GPU is used now.

    Raises:
        TypeError, RuntimeError, KeyError: they are no such states.
    """
    import torch

    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.set_rng_state(states["cuda"])


def _restore_optimizer(stored: Tree, optimizer: optim.Optimizer, path: Path) -> None:
    """Load the moments after comparing each with its parameter: torch does not."""
    parameters = [item for group in optimizer.param_groups for item in group["params"]]
    fits = isinstance(stored, dict) and all(
        type(number) is int
        and 0 <= number < len(parameters)
        and isinstance(moments, dict)
        and all(_fits(moment, parameters[number]) for moment in moments.values())
        for number, moments in stored.items()
    )
    if not fits:
        raise CheckpointError(
            f"'{path}' holds the state of another optimizer or model", hint=START_ANEW
        )
    laid_out = {
        number: {name: _laid_out(moment, parameters[number]) for name, moment in moments.items()}
        for number, moments in stored.items()
    }
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": laid_out, "param_groups": groups})


def _fits(moment: Any, parameter: Tensor) -> bool:
    """Whether it is a moment of the parameter, a counter, or nothing yet."""
    import torch

    if isinstance(moment, torch.Tensor):
        return moment.dim() == 0 or moment.shape == parameter.shape
    return moment is None or isinstance(moment, int | float)


def _laid_out(moment: Any, parameter: Tensor) -> Any:
    """A moment in the memory layout of its parameter: fused optimizers walk both by address."""
    import torch

    if not isinstance(moment, torch.Tensor) or moment.shape != parameter.shape:
        return moment
    return torch.empty_like(parameter.detach(), dtype=moment.dtype, device="cpu").copy_(moment)
