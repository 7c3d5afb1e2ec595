"""The first run: which modules are called, in which order, by which, and with what.

Modules are watched at the place where torch dispatches a call, by an entry in the instance's own
`__dict__` that shadows `_call_impl`. That costs a fraction of a hook, and a module whose `forward`
is called directly stays part of its caller, as it does for the counter.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from profiler.errors import MeasurementError, UsageError
from profiler.values.findings import inputs_renewed
from profiler.values.layer_report import LeftOut
from profiler.workload.prepared import PreparedModel, map_tensors, tensors_in

from .signature import CallKey, call_key

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Wrap = Callable[[int, Callable[..., Any]], Callable[..., Any]]


@dataclass(slots=True)
class Call:
    """One call of one module inside one call of the model.

    Args:
        position: of the module in `Survey.modules`.
        parent: ordinal of the call that made it; None for the model's own.
        key: what makes two calls the same work; None where that cannot be told.
        child_count: calls that it made itself.
        opaque: type names of arguments that hold state of an unknown kind.
        output_shapes: of the tensors that it returned.
    """

    position: int
    parent: int | None
    key: CallKey | None
    child_count: int = 0
    opaque: tuple[str, ...] = ()
    output_shapes: tuple[tuple[int, ...], ...] = ()


@dataclass(slots=True)
class Survey:
    """The structure of one call of the model. Position and ordinal 0 are the model itself.

    Args:
        model: the workbench's copy.
        paths: of the modules that can be watched.
        modules: these modules, each once.
        arguments: positional and keyword arguments of the model's own call.
        is_renewed: whether the model writes to them, so that each call needs a copy.
        calls: in the order in which they began.
        events: enter (ordinal) and leave (-1 - ordinal), in order.
        left_out: what has no row of its own, and why.
        elsewhere: positions of modules that are called in other threads.
        first_run_s: seconds of the run that was watched, first-time costs included.
    """

    model: nn.Module
    paths: list[str]
    modules: list[nn.Module]
    arguments: Arguments
    is_renewed: bool
    calls: list[Call] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    elsewhere: set[int] = field(default_factory=set)
    first_run_s: float = 0.0

    def fresh(self) -> Arguments:
        """Arguments for one call."""
        if not self.is_renewed:
            return self.arguments
        renewed: Arguments = map_tensors(torch.clone, self.arguments)
        return renewed

    def run(self, arguments: Arguments | None = None) -> None:
        """Call the model once, dropping what it returns."""
        args, kwargs = self.fresh() if arguments is None else arguments
        self.model(*args, **kwargs)

    @property
    def called(self) -> list[int]:
        """Positions of the modules that were called."""
        return sorted({call.position for call in self.calls})

    @property
    def watched(self) -> list[tuple[int, nn.Module]]:
        """Modules whose calls can be told apart, those that were not called included."""
        return [
            (position, module)
            for position, module in enumerate(self.modules)
            if position not in self.elsewhere
        ]


@contextmanager
def intercepted(modules: Sequence[tuple[int, nn.Module]], wrap: Wrap) -> Iterator[None]:
    """Put `wrap(position, original call)` in the way of calls; taken out again in any case."""
    shadowed: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for position, module in modules:
            compiled = module._compiled_call_impl is not None
            name = "_compiled_call_impl" if compiled else "_call_impl"
            own = module.__dict__
            shadowed.append((own, name, own.get(name, _ABSENT)))
            own[name] = wrap(position, getattr(module, name))
        yield
    finally:
        for own, name, before in reversed(shadowed):
            if before is _ABSENT:
                own.pop(name, None)
            else:
                own[name] = before


_ABSENT = object()


def survey(bench: PreparedModel, device: str) -> Survey:
    """Run the model once and write down its calls.

    Args:
        bench: the model and its inputs.
        device: where all its tensors should be.

    Raises:
        UsageError: the model runs compiled, as one piece.
        MeasurementError: the model is not called through torch, or the call raises.
    """
    if bench.is_compiled:
        raise UsageError(
            f"a model that runs compiled to {bench.dtype} is one piece without layers",
            hint="measure the layers of the network before it was quantized",
        )
    paths, modules, left_out = _visible(bench.model)
    notes = Survey(
        model=bench.model, paths=paths, modules=modules, arguments=bench.inputs,
        is_renewed=inputs_renewed() in bench.findings, left_out=left_out,
    )  # fmt: skip
    watch = _Watch(notes, device)
    with intercepted(list(enumerate(modules)), watch.wrap):
        start_s = time.monotonic()
        notes.run()
        notes.first_run_s = time.monotonic() - start_s
    if not notes.calls or notes.calls[0].position != 0:
        raise MeasurementError(
            f"{type(bench.model).__name__} is not called through torch.nn.Module",
            hint="name a module whose class does not replace __call__",
        )
    notes.left_out += watch.left_out()
    return notes


def _visible(model: nn.Module) -> tuple[list[str], list[nn.Module], list[LeftOut]]:
    """Modules down to those whose inside is compiled or scripted and cannot be watched."""
    paths: list[str] = []
    modules: list[nn.Module] = []
    hidden: list[LeftOut] = []
    seen: set[int] = set()

    def descend(path: str, module: nn.Module) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        paths.append(path)
        modules.append(module)
        reason = _why_hidden(module)
        for name, child in module.named_children():
            below = f"{path}.{name}" if path else name
            if reason is None:
                descend(below, child)
            else:
                hidden.append(_left(below, child, f"inside {path or 'the model'}, which {reason}"))

    descend("", model)
    return paths, modules, hidden


def _why_hidden(module: nn.Module) -> str | None:
    if isinstance(module, torch.jit.ScriptModule):
        return "is scripted and measured as one layer"
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    if dynamo is not None and isinstance(module, dynamo.OptimizedModule):
        return "is compiled and measured as one layer"
    if module._compiled_call_impl is not None:
        return "is compiled and measured as one layer"
    if isinstance(module, nn.DataParallel) and len(module.device_ids) > 1:
        return "runs its replicas in threads of their own"
    return None


def _left(path: str, module: nn.Module, reason: str) -> LeftOut:
    return LeftOut(path=path, kind=type(module).__name__, what="time", reason=reason)


class _Watch:
    """Writes calls down while the model runs."""

    def __init__(self, notes: Survey, device: str) -> None:
        self._notes = notes
        self._device = torch.device(device)
        self._stack: list[int] = []
        self._thread = threading.get_ident()
        self._elsewhere: dict[int, str] = {}

    def wrap(self, position: int, original: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != self._thread:
                self._elsewhere[position] = "called in another thread, timed with its caller"
                self._notes.elsewhere.add(position)
                return original(*args, **kwargs)
            ordinal = self._enter(position, args, kwargs)
            try:
                output = original(*args, **kwargs)
            finally:
                self._stack.pop()
                self._notes.events.append(-1 - ordinal)
            self._leave(ordinal, output)
            return output

        return watched

    def _enter(self, position: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        notes = self._notes
        ordinal = len(notes.calls)
        parent = self._stack[-1] if self._stack else None
        if parent is not None:
            notes.calls[parent].child_count += 1
        key, opaque = call_key(notes.modules[position], args, kwargs)
        notes.calls.append(Call(position=position, parent=parent, key=key, opaque=opaque))
        notes.events.append(ordinal)
        self._stack.append(ordinal)
        return ordinal

    def _leave(self, ordinal: int, output: Any) -> None:
        call = self._notes.calls[ordinal]
        tensors = tensors_in(output)
        call.output_shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        for tensor in tensors:
            if tensor.device != self._device:
                self._elsewhere.setdefault(
                    call.position, f"computes on {tensor.device}, not on {self._device}"
                )

    def left_out(self) -> list[LeftOut]:
        """Modules that run where they are not measured, or that nobody called."""
        notes = self._notes
        called = {call.position for call in notes.calls}
        reasons = dict(self._elsewhere)
        for position, module in enumerate(notes.modules):
            is_leaf = next(module.children(), None) is None
            if position not in called and is_leaf and position not in reasons:
                reasons[position] = "never called as a module in this call of the model"
        return [
            _left(notes.paths[position], notes.modules[position], reason)
            for position, reason in sorted(reasons.items())
        ]
