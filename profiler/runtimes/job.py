"""What a run-time is given, and what it gives back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from profiler.errors import ExportError, ProfilerError
from profiler.interruption import heed_interruption
from profiler.values.applied_transform import LeftAlone
from profiler.values.plain_text import one_line
from profiler.workload.exported import Inputs, export_program
from profiler.workload.prepared import map_tensors, tensors_in
from profiler.workload.quantized import quiet_libraries

from .silence import without_output


@dataclass(frozen=True, kw_only=True)
class Job:
    """A model to be executed by a run-time.

    Args:
        runtime: its name, for errors.
        model: in eval mode, in fp32 where the run-time is not torch.
        inputs: positional and keyword arguments of a call.
        precision: "fp32", "bf16", "fp16" or "int8".
        threads: of the CPU.
        calibration: inputs of some calls, for int8 outside torch.
    """

    runtime: str
    model: nn.Module
    inputs: Inputs
    precision: str = "fp32"
    threads: int = 1
    calibration: tuple[Inputs, ...] = ()

    @cached_property
    def program(self) -> Any:
        """The exported model, for any batch (torch.export.ExportedProgram).

        Raises:
            ExportError: it cannot be exported.
        """
        return export_program(
            self.model, with_items(self.ordered, 2), purpose=f"--runtime {self.runtime}"
        )

    @cached_property
    def ordered(self) -> Inputs:
        """The inputs, keywords in the order of the model's parameters, as an export has them."""
        arguments, keywords = self.inputs
        names = list(inspect.signature(self.model.forward).parameters)
        order = {name: place for place, name in enumerate(names)}
        return arguments, dict(sorted(keywords.items(), key=lambda item: order.get(item[0], 99)))

    def check_form(self) -> None:
        """Before minutes of work: calls can be handed to something that knows tensors alone.

        Raises:
            ExportError: the model takes or returns something else than tensors.
        """
        _ = self.binding

    @cached_property
    def binding(self) -> Binding:
        """How calls of the model become lists of tensors, and back.

        Raises:
            ExportError: the model takes or returns something else than tensors.
        """
        arguments, keywords = self.ordered
        with torch.no_grad():
            answer = self.model(*map_tensors(torch.clone, arguments), **keywords)
        leaves, form = pytree.tree_flatten(answer)
        given = pytree.tree_leaves((arguments, keywords))
        strange = [type(item).__name__ for item in (*leaves, *given) if not _is_tensor(item)]
        if strange:
            raise ExportError(
                f"{self.runtime} runs models whose inputs and answers are tensors, and this one "
                f"has a {strange[0]} among them",
                hint="wrap it in a module that takes and returns tensors alone",
            )
        return Binding(keywords=tuple(keywords), form=form, answer_count=len(leaves))

    @cached_property
    def feeds(self) -> list[list[torch.Tensor]]:
        """The calibration inputs, each as a list of tensors."""
        return [
            self.binding.tensors(arguments, keywords) for arguments, keywords in self.calibration
        ]


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How nested arguments become a list of tensors, and a list of tensors the model's answer.

    Args:
        keywords: names of the keyword arguments, in their order.
        form: of the answer, as torch's pytree describes it.
        answer_count: tensors in it.
    """

    keywords: tuple[str, ...]
    form: Any
    answer_count: int

    def tensors(self, arguments: Sequence[Any], keywords: dict[str, Any]) -> list[torch.Tensor]:
        """The tensors of one call, in the order of the exported graph's inputs."""
        if not keywords and all(map(_is_tensor, arguments)):
            return list(arguments)
        return tensors_in((arguments, [keywords[name] for name in self.keywords]))

    def answer(self, tensors: list[torch.Tensor]) -> Any:
        """What the model returns."""
        return pytree.tree_unflatten(tensors, self.form)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """How the layers of a model run.

    Args:
        as_asked_count: convolutions and matrix products on the run-time's kernels, in the precision
            that was asked for; None where it does not tell.
        fell_back: layers that run in another way.
    """

    as_asked_count: int | None
    fell_back: tuple[LeftAlone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that a run-time loads.

    Args:
        file: the one that is named; others may lie beside it under the same stem.
        layers: how its layers will run; None where only loading tells.
    """

    file: Path
    layers: Layers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A model that a run-time has loaded.

    Args:
        call: takes what the model takes, and returns what it returns.
        version: of the library that runs it.
        layers: how its layers run; None where only the export, or nothing, tells.
        is_loaded_anew: whether loading it took the time that it takes, and was not done before.
    """

    call: Callable[..., Any]
    version: str
    layers: Layers | None = None
    is_loaded_anew: bool = True


def with_items(inputs: Inputs, item_count: int) -> Inputs:
    """The same inputs, every batch in them cut or repeated to so many items."""
    tensors = tensors_in(inputs)
    size = len(tensors[0]) if tensors and tensors[0].ndim else 0

    def cut(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim == 0 or len(tensor) != size:
            return tensor
        return tensor[torch.arange(item_count, device=tensor.device) % size]

    cut_inputs: Inputs = map_tensors(cut, inputs)
    return cut_inputs


@contextmanager
def explained_export(job: Job, doing: str) -> Iterator[None]:
    """Turns what a run-time's tools raise into one sentence, and drops what they print."""
    try:
        with quiet_libraries(), without_output(), torch.no_grad():
            yield
    except ProfilerError:
        raise
    # Their errors are of many kinds: no operator, no memory, no such shape.
    except Exception as error:
        heed_interruption(error)
        reason = one_line(_first_cause(error))[:200]
        raise ExportError(
            f"{job.runtime} cannot {doing} {type(job.model).__name__}: {reason}",
            hint="try another --runtime, or see the traceback with --debug",
        ) from error


def _first_cause(error: BaseException) -> BaseException:
    """Where it began: the errors around it tell of the steps of a tool, in colours."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def size_of(file: Path) -> int:
    """Bytes of a deployed model: the file, and what lies beside it under the same stem."""
    return sum(part.stat().st_size for part in files_of(file))


def files_of(file: Path) -> tuple[Path, ...]:
    """The files of a deployed model, the one that is named first."""
    beside = sorted(part for part in file.parent.glob(f"{file.stem}.*") if part != file)
    return (file, *(part for part in beside if part.suffix in (".bin", ".data")))
