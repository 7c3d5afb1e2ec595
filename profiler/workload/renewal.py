"""Every call from the same state: what a model keeps changing is put back before each of them.

A first call may set things up (tables, hooks, shapes): what it leaves and a second call does not
touch stays, as it does where the model is used. What the second call changes again is put back to
what it was before the first, and so is anything among the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from profiler.counting.state import Change, Snapshot, random_generators
from profiler.errors import ProfilerError
from profiler.values.findings import Finding, inputs_renewed, state_not_renewed, state_renewed

from .copies import Arguments

MODEL, INPUTS, RANDOM = "", "inputs", "random state"


class Renewal:
    """Puts back what calls change.

    Args:
        model: the module that is called.
        inputs: what it is called with.
        original: the module that it was copied from, which has the weights that it started with.
    """

    def __init__(self, model: nn.Module, inputs: Arguments, original: nn.Module) -> None:
        self._model = model
        self._original = original
        self._roots = (
            (MODEL, model),
            (INPUTS, inputs[0]),
            (INPUTS, inputs[1]),
            (RANDOM, random_generators([*model.parameters()])),
        )
        self._start: Snapshot | None = Snapshot(*self._roots)
        self._first: list[Change] = []
        self._changes: list[Change] = []
        self._weights: dict[str, tuple[nn.Parameter, torch.Tensor]] = {}
        self._lost: tuple[str, ...] = ()

    def put_back_wholly(self) -> None:
        """Make everything but weights what it was before the first call."""
        if self._start is not None:
            self._start.put_back()

    def renew_wholly(self) -> None:
        """From now on put back before every call whatever calls have changed up to here."""
        assert self._start is not None
        self._changes = _each_once([*self._first, *self._start.changes()])

    def learn(self, call: Callable[[], None]) -> None:
        """Find out what calls change, by another two; one was made already.

        Where what the first call set up cannot do without what is put back, all is put back.
        """
        assert self._start is not None
        start, self._first = self._start, list(self._start.changes(loosely=True))
        roots = [change for change in self._first if change.root in (INPUTS, RANDOM)]
        for change in roots:
            change.undo()
        settled, sums = Snapshot(*self._roots), _sums(self._model)
        call()
        running = list(settled.changes(loosely=True))
        self._keep_weights([name for name, s in _sums(self._model).items() if s != sums.get(name)])
        known = [start.undo_of(change) for change in running if start.holds(change)]
        roots += [c for c in self._first if any(change.is_below(c) for change in running)]
        inner = [c for c in start.changes() if any(c.is_below(root) for root in (*known, *roots))]
        self._changes = _each_once([*known, *roots, *inner])
        if self._changes and not self._suffices(call):
            self.renew_wholly()
        self._start = None  # the copies of everything else are not needed any more

    def _suffices(self, call: Callable[[], None]) -> bool:
        """Whether another call succeeds when only that is put back, and changes nothing else."""
        self()
        before = Snapshot(*self._roots)
        try:
            call()
        except ProfilerError:
            return False
        changes = list(before.changes(loosely=True))
        return all(any(change.is_below(c) for c in self._changes) for change in changes)

    def _keep_weights(self, names: list[str]) -> None:
        """Copies of the weights that every call writes to, from the model they come from."""
        own = dict(self._model.named_parameters())
        given = {} if self._original is self._model else dict(self._original.named_parameters())
        for name in names:
            if name in given and given[name].shape == own[name].shape:
                self._weights[name] = own[name], given[name].detach().to(own[name])
        self._lost = tuple(name for name in names if name not in self._weights)

    def __call__(self) -> None:
        """Put back, without waiting for the device."""
        for change in self._changes:
            change.undo()
        if self._weights:
            with torch.inference_mode(False), torch.no_grad():
                for weight, values in self._weights.values():
                    weight.copy_(values)

    @property
    def changes_inputs(self) -> bool:
        """Whether calls change what they are given."""
        return any(change.root == INPUTS for change in self._changes)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is put back, and what cannot be."""
        paths = {
            root: tuple(c.path for c in self._changes if c.root == root) for root in (MODEL, INPUTS)
        }
        own = (*paths[MODEL], *self._weights)
        return (
            *((inputs_renewed(paths[INPUTS]),) if paths[INPUTS] else ()),
            *((state_renewed(own),) if own else ()),
            *((state_not_renewed(self._lost),) if self._lost else ()),
        )


def _each_once(changes: list[Change]) -> list[Change]:
    return list({change.place: change for change in changes}.values())


def _sums(model: nn.Module) -> dict[str, float]:
    """A number of each parameter that changes with its values: they are too large to be copied."""
    sums = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.is_floating_point() and not parameter.is_meta:
                total = float(parameter.detach().sum(dtype=torch.float64))
                sums[name] = 0.0 if math.isnan(total) else total
    return sums
