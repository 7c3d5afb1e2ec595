"""`compile`: torch.compile, with inductor. It leaves no file."""

from __future__ import annotations

from pathlib import Path

import torch

from profiler.values.applied_transform import LeftAlone, quantized_from
from profiler.workload.prepared import map_tensors
from profiler.workload.quantized import quantized_parts
from profiler.workload.transformed import transforms_of

from .job import Executable, Job, Layers, explained_export


def export(job: Job, folder: Path) -> None:
    """Nothing: what is compiled lives in this process."""


def load(job: Job, file: None) -> Executable:
    """The compiled model; it is called once, so that it is compiled when this returns.

    Where dynamo breaks the graph, Python runs between its pieces: each break is said.

    Raises:
        ExportError: it cannot be compiled.
    """
    from torch._dynamo.utils import counters

    if quantized_parts(job.model):  # it has compiled itself when it was first called
        done = quantized_from(transforms_of(job.model))
        layers = Layers(as_asked_count=None, fell_back=() if done is None else done.left_alone)
        return Executable(
            call=job.model, version=torch.__version__, layers=layers, is_loaded_anew=False
        )
    call = torch.compile(job.model)
    arguments, keywords = map_tensors(torch.clone, job.inputs)
    before = dict(counters["graph_break"])
    with explained_export(job, "compile"):
        call(*arguments, **keywords)
    breaks = [
        LeftAlone(layer="between two compiled pieces", reason=reason.splitlines()[0][:120])
        for reason, count in counters["graph_break"].items()
        if count > before.get(reason, 0)
    ]
    layers = Layers(as_asked_count=None, fell_back=tuple(breaks))
    return Executable(call=call, version=torch.__version__, layers=layers)
