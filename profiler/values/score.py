"""The efficiency score: storage and compute against a reference of half a ResNet-18.

    score = (1 - (p_s + p_u)) x q_w / 32 x w / 5.6e6  +  (1 - p_s) x max(q_w, q_a) / 32 x f / 2.8e8

from the study "ResNet18 Optimization Journey with Cifar10". Lower is better; dense ResNet-18 with
10 classes scores 3.979003 in fp32. `w` and `f` are those of the *unpruned* network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from profiler.errors import UsageError

from .estimate import Estimate, counted

REFERENCE_PARAMETERS = 5.6e6
REFERENCE_MACS = 2.8e8
REFERENCE_BITS = 32
MOST_BITS = 64
BITS = {"fp32": 32, "fp16": 16, "bf16": 16, "int8": 8}
"""Of a weight and of an activation, by the precision of a call."""


class Score(float):
    """A score: a float that remembers what it was made of.

    Attributes:
        storage_term: the part that weights take.
        compute_term: the part that multiply-accumulates take.
        inputs: the arguments it was computed from, by name.
        notes: what to know before comparing it, one sentence each.
    """

    __slots__ = ("compute_term", "inputs", "notes", "storage_term")

    storage_term: float
    compute_term: float
    inputs: Mapping[str, float]
    notes: tuple[str, ...]

    def __new__(
        cls,
        *,
        storage_term: float,
        compute_term: float,
        inputs: Mapping[str, float],
        notes: tuple[str, ...],
    ) -> Score:
        score = super().__new__(cls, storage_term + compute_term)
        score.storage_term = storage_term
        score.compute_term = compute_term
        score.inputs = inputs
        score.notes = notes
        return score

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, object]]:
        """What copying and pickling call `__new__` with."""
        return (), {name: getattr(self, name) for name in self.__slots__}

    def estimate(self) -> Estimate:
        """The score as a report shows it: exact, since it is made of counts."""
        return counted(float(self), "", "efficiency score of the counted parameters and MACs")


def efficiency_score(
    *,
    parameter_count: float,
    mac_count: float,
    p_s: float = 0,
    p_u: float = 0,
    q_w: float = 32,
    q_a: float = 32,
    already_removed: bool = False,
) -> Score:
    """Score a network; lower is better.

    Args:
        parameter_count: weights of the network before pruning.
        mac_count: multiply-accumulates of one image before pruning.
        p_s: share of channels removed by structured pruning.
        p_u: share of weights set to zero by unstructured pruning.
        q_w: bits of a weight.
        q_a: bits of an activation.
        already_removed: whether the pruned channels are physically gone from the network that was
            counted. Its counts are smaller already, so that a `p_s` would take the same saving
            twice and is refused.

    Raises:
        UsageError: a value is out of its range, or the saving would be counted twice.
    """
    inputs = {
        "parameter_count": _at_least_zero("parameter_count", parameter_count),
        "mac_count": _at_least_zero("mac_count", mac_count),
        "p_s": _share("p_s", p_s),
        "p_u": _share("p_u", p_u),
        "q_w": _bits("q_w", q_w),
        "q_a": _bits("q_a", q_a),
    }
    if p_s + p_u > 1:
        raise UsageError(f"p_s + p_u is a share of the weights, not {p_s + p_u:g}")
    if already_removed and p_s > 0:
        raise UsageError(
            f"p_s = {p_s:g} would count channels twice that are already gone from the network",
            hint="leave p_s at 0, or give the counts of the unpruned network",
        )
    storage = (1 - (p_s + p_u)) * q_w / REFERENCE_BITS * parameter_count / REFERENCE_PARAMETERS
    compute = (1 - p_s) * max(q_w, q_a) / REFERENCE_BITS * mac_count / REFERENCE_MACS
    return Score(storage_term=storage, compute_term=compute, inputs=inputs, notes=_notes(p_s, p_u))


def _notes(p_s: float, p_u: float) -> tuple[str, ...]:
    notes = []
    if p_s > 0:
        notes.append(
            f"p_s = {p_s:g} is right only if the counts are those of the unpruned network: where "
            "the channels are physically gone, p_s is 0"
        )
    if p_u > 0:
        notes.append(
            f"p_u = {p_u:g} lowers the storage term only: zeroed weights are still multiplied"
        )
    return tuple(notes)


def _at_least_zero(name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{name} is a count, not {value}")
    return value


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"{name} is a share from 0 to 1, not {value}")
    return value


def _bits(name: str, value: float) -> float:
    if not 0 < value <= MOST_BITS:
        raise UsageError(f"{name} is a number of bits from 1 to {MOST_BITS}, not {value}")
    return value
