"""What a transform did to a model, as a report and a score need it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .score import REFERENCE_BITS, Score, efficiency_score


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    """A layer that a transform could not change, and why; `layer` is its path in the model."""

    layer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedTransform:
    """One transform of a variant, after it was applied.

    Args:
        name: as the reference writes it ("prune=0.5").
        weight_bits: of a weight from here on; None where the transform leaves it.
        activation_bits: of an activation from here on; None where the transform leaves it.
        p_s: share of the channels that it removed from the network. They are gone from the counts.
        p_u: share of all parameters that it made zero.
        parameter_count_before: of the network that lost channels or was quantized, before it was;
            None for other transforms.
        mac_count_before: of one item, in that network.
        left_alone: what it could not change.
        notes: what to know before a number of the variant is read, one sentence each.
    """

    name: str
    weight_bits: int | None = None
    activation_bits: int | None = None
    p_s: float = 0.0
    p_u: float = 0.0
    parameter_count_before: int | None = None
    mac_count_before: int | None = None
    left_alone: tuple[LeftAlone, ...] = ()
    notes: tuple[str, ...] = ()


def bits_of(
    transforms: Sequence[AppliedTransform], default: int = REFERENCE_BITS
) -> tuple[int, int]:
    """(bits of a weight, bits of an activation) after all transforms."""
    weight_bits = activation_bits = default
    for item in transforms:
        weight_bits = item.weight_bits or weight_bits
        activation_bits = item.activation_bits or activation_bits
    return weight_bits, activation_bits


def quantized_from(transforms: Sequence[AppliedTransform]) -> AppliedTransform | None:
    """The transform that quantized the network; its counts before are those of the score.

    Folding norms into convolutions, as quantizing does, changes parameters by a few in a thousand
    and no MACs: the network is still the one that was quantized.
    """
    found = [item for item in transforms if item.weight_bits and item.parameter_count_before]
    return found[-1] if found else None


def zero_share(transforms: Sequence[AppliedTransform]) -> float:
    """p_u after all transforms."""
    return max((item.p_u for item in transforms), default=0.0)


def score_of_variant(
    transforms: Sequence[AppliedTransform],
    *,
    parameter_count: int,
    mac_count: int,
    default_bits: int = REFERENCE_BITS,
) -> Score:
    """The score by the counts of the network as it is: channels that are gone have p_s = 0.

    Args:
        transforms: of the variant, in their order.
        parameter_count: of the network after all transforms.
        mac_count: of one item in it.
        default_bits: of a network whose transforms set no precision.
    """
    weight_bits, activation_bits = bits_of(transforms, default_bits)
    return efficiency_score(
        parameter_count=parameter_count,
        mac_count=mac_count,
        p_u=zero_share(transforms),
        q_w=weight_bits,
        q_a=activation_bits,
        already_removed=True,
    )


def score_by_ratio(
    transforms: Sequence[AppliedTransform], *, default_bits: int = REFERENCE_BITS
) -> Score | None:
    """The score by the counts before channels were removed, with p_s: how the formula is meant.

    It stands beside `score_of_variant`, and the two are never mixed: either the counts are smaller,
    or p_s takes the saving. None where no channels were removed, or they could not be counted.
    """
    removing = [item for item in transforms if item.p_s]
    first = removing[0] if removing else None
    if first is None or first.parameter_count_before is None or first.mac_count_before is None:
        return None
    kept = math.prod(1 - item.p_s for item in removing)
    weight_bits, activation_bits = bits_of(transforms, default_bits)
    return efficiency_score(
        parameter_count=first.parameter_count_before,
        mac_count=first.mac_count_before,
        p_s=1 - kept,
        # Of the weights that are left, p_u are zero: the formula's share is one of all.
        p_u=zero_share(transforms) * kept,
        q_w=weight_bits,
        q_a=activation_bits,
    )
