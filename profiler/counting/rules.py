"""Rules of the caller's: the MACs of a kind of module by a formula, or that it is left out.

For work that torch's dispatcher does not see (a custom kernel, NumPy), and for conventions other
than one formula an operator. The outermost module that has a rule speaks for everything inside it.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

from profiler.errors import MeasurementError, UsageError
from profiler.interruption import heed_interruption

from .call import sentence
from .traffic import TrafficTally

Rule = Callable[[Any, tuple[Any, ...], Any], int]
Rules = Mapping[type[torch.nn.Module], Rule | None]
"""By class of module, its subclasses included: `rule(module, args, output)` gives the MACs of one
call, `args` being its arguments in the order of `forward`; None leaves the module's MACs out."""


class Ruled(Protocol):
    """What counts operators, and is told when they are not to be."""

    is_ruled: bool
    ruled_modules: set[int]

    def tally(self) -> TrafficTally:
        """That of the module which is running."""


class RuleBook:
    """Applies rules while a model runs, and remembers which of them it applied.

    Raises:
        UsageError: a key is no class of modules, or a rule is neither a function nor None.
    """

    def __init__(self, rules: Rules | None) -> None:
        self._rules = dict(rules or {})
        for kind, rule in self._rules.items():
            if not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
                raise UsageError(
                    f"rules are for classes of modules, and {kind!r} is none",
                    hint="write rules={MyModule: lambda module, args, output: macs}",
                )
            if rule is not None and not callable(rule):
                raise UsageError(
                    f"the rule for {kind.__name__} is {rule!r}, not a function of (module, args, "
                    "output)",
                    hint="give a function, or None to leave the module out",
                )
        self._outermost: torch.nn.Module | None = None
        self._depth = 0
        self._applied: dict[str, None] = {}

    @property
    def applied(self) -> tuple[str, ...]:
        """Rules that were used, as text."""
        return tuple(self._applied)

    @contextmanager
    def followed(self, ruled: Ruled, is_backward: Callable[[], bool]) -> Iterator[None]:
        """Watches all module calls of this process until it ends.

        Args:
            ruled: the operator counter.
            is_backward: whether the backward pass runs, to which rules do not apply.
        """
        if not self._rules:
            yield
            return

        def enter(module: torch.nn.Module, args: Any) -> None:
            if self._outermost is None and not is_backward() and self._kind(module) is not None:
                self._outermost, ruled.is_ruled = module, True
            if module is self._outermost:
                self._depth += 1  # a module may call itself
            if ruled.is_ruled:
                ruled.ruled_modules.add(id(module))

        def apply(
            module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
        ) -> None:
            if module is self._outermost and self._depth == 1:
                ruled.is_ruled = False
                self._apply(module, args, kwargs, output, ruled)

        def leave(module: torch.nn.Module, args: Any, output: Any) -> None:
            if module is self._outermost:
                self._depth -= 1
                if not self._depth:
                    self._outermost, ruled.is_ruled = None, False

        # Two hooks, because torch hands no keywords to one that is called after an exception.
        handles = (
            register_module_forward_pre_hook(enter),
            register_module_forward_hook(apply, with_kwargs=True),
            register_module_forward_hook(leave, always_call=True),
        )
        try:
            yield
        finally:
            self._outermost, self._depth, ruled.is_ruled = None, 0, False
            for handle in handles:
                handle.remove()

    def _kind(self, module: torch.nn.Module) -> type[torch.nn.Module] | None:
        """The nearest class of the module's that has a rule."""
        return next((kind for kind in type(module).__mro__ if kind in self._rules), None)

    def _apply(
        self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, ruled: Ruled
    ) -> None:
        kind = self._kind(module)
        assert kind is not None
        rule = self._rules[kind]
        if rule is None:
            self._applied[f"{kind.__name__} is left out"] = None
            return
        try:
            mac_count = operator.index(rule(module, _in_order(module, args, kwargs), output))
        except Exception as error:  # the rule is the caller's, and may raise anything
            heed_interruption(error)
            raise MeasurementError(
                f"the rule for {kind.__name__} raised {sentence(error)}",
                hint="it is given (module, args, output) and returns whole MACs of one call",
            ) from error
        if mac_count < 0:
            raise MeasurementError(
                f"the rule for {kind.__name__} gave {mac_count} MACs",
                hint="return 0 or more; None in place of a rule leaves a module out",
            )
        tally = ruled.tally()
        tally.mac_count += mac_count
        tally.weighted[()] += mac_count
        self._applied[f"{kind.__name__} by a rule of the caller's"] = None


def _in_order(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments as `forward` declares them, however they were passed."""
    bound = inspect.signature(module.forward).bind(*args, **kwargs)
    return (*bound.args, *bound.kwargs.values())
