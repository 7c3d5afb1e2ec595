"""fvcore as the independent second count: convolutions and matrix products, never averaged."""

from __future__ import annotations

import copy
import logging
import warnings
from collections import Counter
from importlib.metadata import version
from typing import Any

import torch

from profiler.interruption import heed_interruption

from .call import as_call, sentence
from .costs import Costs, SecondOpinion
from .preservation import unchanged

_FAMILIES = {
    "conv": "convolution",
    "matmul": "matrix product",
    "linear": "matrix product",
    "addmm": "matrix product",
    "bmm": "matrix product",
    "einsum": "matrix product",
    "mm": "matrix product",
}


def ask_fvcore(model: torch.nn.Module, inputs: Any, costs: Costs) -> SecondOpinion:
    """Lets fvcore count a copy of the model, and compares family by family."""
    source = f"fvcore {version('fvcore')}"
    args, kwargs = as_call(inputs)
    if kwargs:
        return _unavailable(source, "it takes no keyword arguments")
    try:
        with warnings.catch_warnings(), torch.no_grad(), unchanged(model, args):
            warnings.simplefilter("ignore")
            from fvcore.nn import FlopCountAnalysis

            analysis = FlopCountAnalysis(copy.deepcopy(model), args)
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            analysis.tracer_warnings("none")
            theirs = _by_family(analysis.by_operator())
            unsupported = tuple(sorted(analysis.unsupported_ops()))
    except Exception as error:
        # It traces the model, and tracing fails in as many ways as there are models.
        heed_interruption(error)
        logging.getLogger(__name__).debug("fvcore failed", exc_info=True)
        return _unavailable(source, sentence(error))
    ours = _ours(costs)
    differing = tuple(
        (family, ours[family], theirs[family])
        for family in sorted({*ours, *theirs})
        if ours[family] != theirs[family]
    )
    return SecondOpinion(
        verdict="disagree" if differing else "agree",
        source=source,
        mac_count=sum(theirs.values()),
        differing_ops=differing,
        unsupported_ops=unsupported,
    )


def _unavailable(source: str, reason: str) -> SecondOpinion:
    return SecondOpinion(verdict="unavailable", source=source, reason=reason)


def _by_family(operators: Any) -> Counter[str]:
    totals: Counter[str] = Counter()
    for name, mac_count in operators.items():
        if name in _FAMILIES:
            totals[_FAMILIES[name]] += int(mac_count)
    return totals


def _ours(costs: Costs) -> Counter[str]:
    totals: Counter[str] = Counter()
    for name, mac_count in costs.op_mac_counts:
        family = "convolution" if "conv" in name else "matrix product"
        totals[family] += mac_count
    return totals
