"""Every distinct piece of work alone, again and again, so that its watts can be seen.

A layer is replayed on copies of itself and of the inputs that it was given inside the model, one
copy after the other, so many that together they do not fit into the caches.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiler.counting.tensors import byte_count
from profiler.interruption import heed_interruption
from profiler.machine.device import Device
from profiler.values.layer_report import LeftOut
from profiler.workload.prepared import map_tensors, tensors_in

from .signature import CallKey, sizes_of
from .survey import Arguments, Call, Survey, intercepted

CACHE_FOLD = 2
DEFAULT_CACHE_BYTES = 32 << 20
MOST_COPIES = 32
MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One piece of work, ready to be repeated.

    Args:
        name: of its windows in the recording; unique.
        ordinals: calls of the survey that are this work.
        run: works through all copies once; does not wait for the device.
    """

    name: str
    ordinals: tuple[int, ...]
    run: Callable[[], None]


def make_replays(survey: Survey, device: Device) -> tuple[tuple[Replay, ...], tuple[LeftOut, ...]]:
    """Replays of all calls that call no other module, and what cannot be replayed, by name."""
    groups: dict[CallKey, list[int]] = {}
    refused: dict[int, str] = {}
    for ordinal, call in enumerate(survey.calls):
        if call.child_count:
            continue
        if call.opaque or call.key is None:
            refused[ordinal] = (
                f"takes an object of type {', '.join(call.opaque)}, whose state a replay may change"
            )
        else:
            groups.setdefault(call.key, []).append(ordinal)
    captured = _capture(survey, {ordinals[0] for ordinals in groups.values()})
    replays: list[Replay] = []
    most_bytes = MEMORY_BYTES // max(1, len(groups))
    for ordinals in groups.values():
        call = survey.calls[ordinals[0]]
        module = survey.modules[call.position]
        name = f"{type(module).__name__} #{len(replays)}"
        try:
            run = _rotating(module, call, captured[ordinals[0]], device, most_bytes)
        except Exception as error:  # a module of the user's may raise anything when called alone
            heed_interruption(error)
            text = " ".join(str(error).split())[:200]
            reason = f"cannot be called alone ({type(error).__name__}: {text})"
            refused.update(dict.fromkeys(ordinals, reason))
        else:
            replays.append(Replay(name=name, ordinals=tuple(ordinals), run=run))
    return tuple(replays), _by_name(survey, refused)


def _by_name(survey: Survey, refused: dict[int, str]) -> tuple[LeftOut, ...]:
    reasons = {survey.calls[ordinal].position: reason for ordinal, reason in refused.items()}
    return tuple(
        LeftOut(
            path=survey.paths[position],
            kind=type(survey.modules[position]).__name__,
            what="energy",
            reason=reason,
        )
        for position, reason in sorted(reasons.items())
    )


def _capture(survey: Survey, wanted: set[int]) -> dict[int, Arguments]:
    """Run the model once more, and keep what the wanted calls are given."""
    captured: dict[int, Arguments] = {}
    count = 0

    def wrap(position: int, original: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            ordinal, count = count, count + 1
            if ordinal in wanted and survey.calls[ordinal].position == position:
                captured[ordinal] = map_tensors(_twin, (args, kwargs))
            return original(*args, **kwargs)

        return watched

    with intercepted(survey.watched, wrap):
        survey.run()
    return captured


def _twin(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with the same strides, where these do not overlap."""
    if tensor.layout is not torch.strided or tensor.is_nested:
        return tensor.clone()
    if any(s == 0 and size > 1 for size, s in zip(tensor.shape, tensor.stride(), strict=True)):
        return tensor.clone()
    twin = torch.empty_strided(
        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device
    )
    return twin.copy_(tensor)


def _rotating(
    module: nn.Module, call: Call, arguments: Arguments, device: Device, most_bytes: int
) -> Callable[[], None]:
    """One pass over enough copies of a module and its inputs to leave the caches."""
    tensors = [*module.parameters(), *module.buffers(), *tensors_in(arguments)]
    own_bytes = max(1, sum(map(byte_count, tensors)))
    wanted = math.ceil(CACHE_FOLD * _cache_bytes(device) / own_bytes)
    count = max(1, min(MOST_COPIES, wanted, most_bytes // own_bytes))
    copies = [(copy.deepcopy(module), map_tensors(_twin, arguments)) for _ in range(count)]

    def run() -> None:
        for twin, (args, kwargs) in copies:
            twin(*args, **kwargs)

    _check_stateless(copies[0], call)
    run()
    return _as_graph(run, device) if device.is_gpu else run


def _check_stateless(twin: tuple[nn.Module, Arguments], call: Call) -> None:
    """Two calls give what the model was given, or the layer remembers."""
    module, (args, kwargs) = twin
    for _ in range(2):
        shapes = tuple(map(sizes_of, tensors_in(module(*args, **kwargs))))
        if shapes != call.output_shapes:
            raise RuntimeError(
                f"its output has the shape {shapes}, not {call.output_shapes} as in the model: "
                "it keeps state between calls"
            )


def _as_graph(run: Callable[[], None], device: Device) -> Callable[[], None]:
    """The same launches as one CUDA graph, so that the host does not slow them down."""
    try:
        side = torch.cuda.Stream(device.name)
        side.wait_stream(torch.cuda.current_stream(device.name))
        with torch.cuda.stream(side):
            run()
        torch.cuda.current_stream(device.name).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
    except RuntimeError:  # it waits for the device, or allocates on the host: launched as it is
        device.synchronize()
        return run
    return partial(_replay, graph, run)


def _replay(graph: torch.cuda.CUDAGraph, run: Callable[[], None]) -> None:
    """Launch a captured `run` again; it is held for its tensors, whose addresses are captured."""
    graph.replay()


def _cache_bytes(device: Device) -> int:
    """Size of the last cache before memory."""
    if device.is_gpu:
        return int(torch.cuda.get_device_properties(device.name).L2_cache_size)
    sizes = [DEFAULT_CACHE_BYTES]
    for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = path.read_text(encoding="ascii", errors="replace").strip()
        if text.endswith("K") and text[:-1].isdigit():
            sizes.append(int(text[:-1]) << 10)
    return max(sizes[1:] or sizes)


def names_of(replays: Sequence[Replay]) -> dict[int, str]:
    """Name of the replay that stands for each call, by ordinal."""
    return {ordinal: replay.name for replay in replays for ordinal in replay.ordinals}
