"""The dispatch mode that sees every operator and writes down what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from profiler.interruption import heed_interruption

from .attribution import Attribution
from .control_flow import eager_body
from .operators.plans import CountingPlan, Kind, halved, is_registered, plan_for
from .tensors import has_values, tensors_in
from .traffic import Traffic, TrafficTally, Weights, mutated_in


class OperatorCounter(TorchDispatchMode):
    """Adds up MACs and bytes per module while a model runs.

    Args:
        attribution: says which module runs now.
        weights: knows which storages hold parameters and buffers.
    """

    supports_higher_order_operators = True

    def __init__(self, attribution: Attribution, weights: Weights) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.forward_tallies: dict[int, TrafficTally] = {}
        self.backward_tallies: dict[int, TrafficTally] = {}
        self.op_mac_counts: Counter[str] = Counter()
        self.fourier_operation_count = 0
        self.op_call_count = 0
        self.covered_call_count = 0
        self.is_ruled = False
        self.ruled_modules: set[int] = set()
        self._attribution = attribution
        self._weights = weights
        self._traffic = Traffic(weights)
        self._handing_over: Any = None
        self._has_values = False
        self._product_count: int | None = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs one operator and accounts for it."""
        kwargs = kwargs or {}
        if not isinstance(func, torch._ops.OpOverload):
            return self._higher_order(func, args, kwargs)
        plan = plan_for(func)
        if types and any(_is_foreign(kind) for kind in types):
            return self._subclass(func, plan, args, kwargs)
        if plan.kind is Kind.METADATA:
            return NotImplemented
        if plan.kind is Kind.COMPOSITE:
            with self:
                return func.decompose(*args, **kwargs)
        if plan.mutated:
            self._weights.save_before_write(mutated_in(plan, args, kwargs))
        out = func(*args, **kwargs)
        self._account(plan, args, kwargs, out)
        return out

    @contextmanager
    def one_product_of_three(self) -> Iterator[None]:
        """Meanwhile every three products stand for one."""
        self._product_count = 0
        try:
            yield
        finally:
            self._product_count = None

    def tally(self) -> TrafficTally:
        """The tally of the module and direction that is running."""
        attribution = self._attribution
        tallies = self.backward_tallies if attribution.backward else self.forward_tallies
        owner = attribution.owner()
        found = tallies.get(owner)
        if found is None:
            found = tallies[owner] = TrafficTally()
        return found

    def _account(self, plan: CountingPlan, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        if self._has_values and not any(map(has_values, tensors_in((args, out)))):
            return  # a subclass finds out the shapes of its result before it computes it
        self.op_call_count += 1
        if plan.kind is Kind.VIEW:
            self.covered_call_count += 1
            return
        tally = self.tally()
        self._traffic.add(tally, plan, args, kwargs, out)
        if plan.kind is Kind.FREE or self.is_ruled:  # a rule of the caller's counts it
            self.covered_call_count += 1
        elif plan.kind is Kind.FOURIER and plan.formula is not None:
            self.covered_call_count += 1
            if not self._attribution.backward:
                self.fourier_operation_count += plan.formula.mac_count(args, out)
        elif plan.formula is None or not self._multiply(tally, plan, args, kwargs, out):
            tally.uncounted[plan.name] = None

    def _multiply(
        self, tally: TrafficTally, plan: CountingPlan, args: Any, kwargs: dict[str, Any], out: Any
    ) -> bool:
        name, formula = plan.name, plan.formula
        assert formula is not None
        try:
            keywords = kwargs if formula.with_keywords else {}
            mac_count = int(formula.mac_count(args, out, **keywords))
        except Exception as error:
            heed_interruption(error)
            # A formula that does not fit these arguments (a nested tensor, an overload nobody
            # thought of) must neither stop the model nor leave a silent zero: it is listed.
            return False
        self.covered_call_count += 1
        if self._product_count is not None:
            self._product_count += 1
            mac_count = mac_count if self._product_count % 3 == 1 else 0
        tally.mac_count += mac_count
        if not self._attribution.backward:
            self.op_mac_counts[name] += mac_count
            keys = self._weights.keys_of(formula, args)
            tally.weighted[keys] += mac_count
        return True

    def _subclass(self, func: Any, plan: CountingPlan, args: Any, kwargs: dict[str, Any]) -> Any:
        """Lets a tensor subclass unwrap itself, and counts the operators it then calls."""
        if self._handing_over is func or plan.kind is Kind.METADATA:
            self._handing_over = None
            return NotImplemented
        seen, outer = self.op_call_count, self._has_values
        self._has_values = outer or any(map(has_values, tensors_in((args, kwargs))))
        with self:
            self._handing_over = func
            try:
                out = func(*args, **kwargs)
            finally:
                self._handing_over = None
                self._has_values = outer
        if self.op_call_count == seen and plan.kind is not Kind.COMPOSITE:
            self._account(plan, args, kwargs, out)
        return out

    def _higher_order(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Counts what a control-flow operator runs; flex attention by its formula."""
        name = f"higher_order.{getattr(func, '__name__', func)}"
        if is_registered(func):
            out = func(*args, **kwargs)
            self._account(CountingPlan(name, Kind.COUNTED, halved(func)), args, kwargs, out)
            return out
        body = eager_body(func, args, kwargs)
        if body is not None:
            with self:
                return body()
        out = func(*args, **kwargs)
        self._account(CountingPlan(name, Kind.UNKNOWN), args, kwargs, out)
        return out


def _is_foreign(kind: type) -> bool:
    """A tensor subclass that runs operators of its own instead of the one it is given."""
    return not kind.__module__.startswith(("torch._subclasses", "torch._functorch", "torch.nn"))
