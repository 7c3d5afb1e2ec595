"""Every type that is stored or exchanged, and random values of them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from profiler.integrations.segment import SegmentEnergy
from profiler.ledger.lines import Note, SegmentEnd, SegmentStart, Settlement
from profiler.values.estimate import Basis, Estimate
from profiler.values.hardware import HardwareBest
from profiler.values.layer_report import LayerReport
from profiler.values.profile import Profile
from profiler.values.trace import CounterTrace, PowerTrace, Window
from reports.claims.study import Study
from training.checkpoints.header import Info
from training.distribution.sensor_readers import Place, Reach
from training.experiments.plan import ExperimentPlan
from training.experiments.seeds import FinishedRun, ModelResult
from training.recipe import Recipe, load_recipe, recipe_names
from training.result import TrainingResult

STORED: tuple[type, ...] = (
    Profile, CounterTrace, PowerTrace, Window, LayerReport, HardwareBest, SegmentStart, Settlement,
    Note, SegmentEnd, SegmentEnergy, TrainingResult, Recipe, Info, ExperimentPlan, FinishedRun,
    ModelResult, Place, Reach, Study,
)  # fmt: skip

NUMBERS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
PLAIN = st.none() | st.booleans() | st.integers() | TEXTS


@st.composite
def estimates(draw: st.DrawFn, *, positive: bool = False, unit: str | None = None) -> Estimate:
    """With and without an interval."""
    number = st.floats(1e-2, 1e2) if positive else st.floats(-1e9, 1e9)
    low, point, high = sorted(draw(st.tuples(number, number, number)))
    has_interval = draw(st.booleans())
    basis = draw(st.sampled_from(Basis))
    return Estimate(
        point=point,
        low=low if has_interval else None,
        high=high if has_interval else None,
        unit=draw(TEXTS) if unit is None else unit,
        confidence=draw(st.sampled_from([0.5, 0.95, 1.0])) if has_interval else None,
        basis=basis,
        source=draw(TEXTS),
        systematic=draw(st.none() | st.floats(0, 0.2)),
        estimated_share=draw(st.floats(0, 1)),
    )


def values_of(kind: Any, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Random values of a type, as deep as its fields go; `given` are those of a dataclass by name.

    A dataclass that refuses some values must be given.
    """
    known = {
        Any: PLAIN, types.NoneType: st.none(), bool: st.booleans(), int: st.integers(),
        float: NUMBERS, str: TEXTS, Estimate: estimates(),
        Recipe: st.builds(load_recipe, st.sampled_from(recipe_names())),
    }  # fmt: skip
    if kind in known:
        return known[kind]
    if getattr(kind, "__name__", None) in given:
        return given[kind.__name__]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values_of(one, **given) for one in inner))
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(values_of(inner[0], **given), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values_of(one, **given) for one in inner))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(*(values_of(one, **given) for one in inner), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    return st.builds(
        kind, **{item.name: values_of(hints[item.name], **given) for item in fields(kind)}
    )
