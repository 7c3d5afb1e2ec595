"""What to do with an operator when it is met: decided once per operator and process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

from .definitions import Formula
from .formulas import FORMULAS, FOURIER
from .no_macs import LOOKUPS, METADATA, OVERWRITING, STILL, UNWRITTEN, has_no_macs


class Kind(Enum):
    """How an operator is accounted for."""

    VIEW = "moves no data"
    FREE = "moves data, known to have no MACs"
    COUNTED = "has a formula"
    FOURIER = "a Fourier transform, counted in real operations"
    COMPOSITE = "is made of other operators, which are counted instead"
    METADATA = "asks about a tensor"
    UNKNOWN = "may multiply, and nobody wrote its formula"


@dataclass(frozen=True, slots=True)
class CountingPlan:
    """How one operator is accounted for.

    Args:
        name: operator without its overload, "aten.addmm".
        kind: what to do with it.
        formula: its MACs where the kind is COUNTED, its real operations where it is FOURIER.
        mutated: positions and names of the arguments that it writes to.
        reads: "all", "rest" (its first argument is only written) or "written" (a lookup reads no
            more of any argument than it writes).
        writes: False where the result is left uninitialized.
    """

    name: str
    kind: Kind
    formula: Formula | None = None
    mutated: tuple[int | str, ...] = ()
    reads: str = "all"
    writes: bool = True


# Older releases of torch have no tag for reductions; theirs are in the table of names.
_ELEMENTWISE = tuple(
    getattr(torch.Tag, name) for name in ("pointwise", "reduction") if hasattr(torch.Tag, name)
)
_PLANS: dict[Any, CountingPlan] = {}


def plan_for(func: Any) -> CountingPlan:
    """The plan of an `OpOverload`."""
    plan = _PLANS.get(func)
    if plan is None:
        plan = _decide(func)
        ours = plan.kind is not Kind.UNKNOWN and not is_registered(func)
        if plan.name in FORMULAS or (ours and plan.name.startswith("aten.")):
            _PLANS[func] = plan  # of all others a user may register a formula at any time
    return plan


def is_registered(func: Any) -> bool:
    """Whether torch's own registry, which users extend, has a formula for it."""
    from torch.utils.flop_counter import flop_registry

    return getattr(func, "_overloadpacket", func) in flop_registry


def halved(func: Any) -> Formula:
    """The formula in torch's registry as MACs."""
    from torch.utils.flop_counter import flop_registry

    flops: Callable[..., int] = flop_registry[getattr(func, "_overloadpacket", func)]

    def mac_count(args: Any, out: Any, **keywords: Any) -> int:
        return int(flops(*args, **keywords, out_val=out)) // 2

    return Formula(mac_count, with_keywords=True)


def _decide(func: Any) -> CountingPlan:
    name = str(func._overloadpacket)
    if name in METADATA:
        return CountingPlan(name, Kind.METADATA)
    mutated = _mutated(func)
    formula = FORMULAS.get(name) or FORMULAS.get(name.removesuffix("_"))
    if formula is None and is_registered(func):
        formula = halved(func)
    if formula is not None:
        return CountingPlan(name, Kind.COUNTED, formula, mutated)
    if name in FOURIER:
        return CountingPlan(name, Kind.FOURIER, FOURIER[name], mutated)
    if name in STILL or _is_view(func) or torch.Tag.inplace_view in func.tags:
        return CountingPlan(name, Kind.VIEW)
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    if key in func.py_kernels or torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key):
        return CountingPlan(name, Kind.COMPOSITE)
    known = any(tag in func.tags for tag in _ELEMENTWISE)
    kind = Kind.FREE if known or has_no_macs(name) else Kind.UNKNOWN
    reads = "written" if name in LOOKUPS else "rest" if name in OVERWRITING else "all"
    return CountingPlan(name, kind, None, mutated, reads, writes=name not in UNWRITTEN)


def _mutated(func: Any) -> tuple[int | str, ...]:
    marks: list[int | str] = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            marks.append(argument.name if argument.kwarg_only else position)
    return tuple(marks)


def _is_view(func: Any) -> bool:
    """All results alias an argument that is not written to."""
    infos = [result.alias_info for result in func._schema.returns]
    return bool(infos) and all(info is not None and not info.is_write for info in infos)
