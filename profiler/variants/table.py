"""The table of transforms: what each one is, needs and changes. Imports no torch."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from profiler.errors import UsageError

from .reference import FORM, TransformCall, VariantReference


class Stage(IntEnum):
    """Transforms of a variant come in this order; one of an earlier stage would undo a later's."""

    STRUCTURE = 0
    ZEROS = 1
    PRECISION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueForm:
    """What may stand after the "=" of a transform.

    Args:
        shown: how the help writes it.
        read: the text to a number; ValueError where it is none.
        wanted: what is possible, for the error.
        example: one that is.
    """

    shown: str
    read: Callable[[str], float]
    wanted: str
    example: str


def _share(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and 0 < value < 1):
        raise ValueError(text)
    return value


def _group_count(text: str) -> float:
    value = int(text)
    if value < 2:
        raise ValueError(text)
    return value


SHARE = ValueForm(shown="R", read=_share, wanted="a share between 0 and 1", example="0.5")
GROUPS = ValueForm(
    shown="2|4|8", read=_group_count, wanted="a whole number of at least 2", example="8"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One way to make a model smaller or faster.

    Args:
        home: the module of this room with `apply(model, value, material)`.
        summary: one line.
        stage: where it may stand among others.
        value: what it takes; None for nothing.
        needs: what it needs before it, or before its answers are of use, for a person to read.
        needs_weights: whether it decides by the weights, so that training cannot begin with it
            on fresh ones.
        needs_inputs: whether it must run the model on some inputs.
        weight_bits: of a weight after it; None where it leaves them.
        activation_bits: of an activation after it; None where it leaves them.
        trains: whether what it gives can be trained.
        kernels: where it runs on kernels of its own.
        packages: what must be installed, by the names that are imported.
    """

    home: str
    summary: str
    stage: Stage
    kernels: str
    needs: str = "nothing; fine-tuning for accuracy"
    value: ValueForm | None = None
    needs_weights: bool = False
    needs_inputs: bool = False
    weight_bits: int | None = None
    activation_bits: int | None = None
    trains: bool = True
    packages: tuple[str, ...] = ()


TRANSFORMS: dict[str, Transform] = {
    "groups": Transform(
        home="groups",
        summary="every dense convolution with a kernel above 1x1 in so many groups, stem left",
        stage=Stage.STRUCTURE,
        value=GROUPS,
        kernels="everywhere: grouped convolutions, fewer MACs",
    ),
    "depthwise": Transform(
        home="depthwise",
        summary="the same convolutions as depthwise kernel and 1x1 convolution, stem left",
        stage=Stage.STRUCTURE,
        kernels="everywhere: depthwise and 1x1 convolutions, fewer MACs",
    ),
    "prune": Transform(
        home="prune",
        summary="this share of every layer's channels removed, by magnitude, rounded to 8",
        stage=Stage.STRUCTURE,
        value=SHARE,
        needs="trained weights; fine-tuning afterwards",
        needs_weights=True,
        needs_inputs=True,
        kernels="everywhere: smaller dense layers",
        packages=("torch_pruning",),
    ),
    "sparsify": Transform(
        home="sparsify",
        summary="this share of all weights set to zero, the smallest of the whole network",
        stage=Stage.ZEROS,
        value=SHARE,
        needs="trained weights; fine-tuning afterwards",
        needs_weights=True,
        kernels="nowhere: zeros are multiplied like any number",
    ),
    "fp16": Transform(
        home="precision",
        summary="weights and activations in 16-bit floating point",
        stage=Stage.PRECISION,
        needs="nothing",
        weight_bits=16,
        activation_bits=16,
        trains=False,
        kernels="GPUs; CPUs with avx512_fp16, elsewhere slower than fp32",
    ),
    "bf16": Transform(
        home="precision",
        summary="weights and activations in bfloat16",
        stage=Stage.PRECISION,
        needs="nothing",
        weight_bits=16,
        activation_bits=16,
        trains=False,
        kernels="GPUs; CPUs with amx_bf16, elsewhere about as fast as fp32 or slower",
    ),
    "int8": Transform(
        home="int8",
        summary="8-bit weights and activations, calibrated after training, compiled",
        stage=Stage.PRECISION,
        needs="trained weights, and images to calibrate on",
        needs_inputs=True,
        weight_bits=8,
        activation_bits=8,
        trains=False,
        kernels="x86 CPUs, best with VNNI; not available on CUDA",
        packages=("torchao",),
    ),
    "int8-qat": Transform(
        home="int8_qat",
        summary="the same, with the rounding seen in training",
        stage=Stage.PRECISION,
        needs="trained weights, and training after it",
        needs_weights=True,
        needs_inputs=True,
        weight_bits=8,
        activation_bits=8,
        kernels="x86 CPUs, best with VNNI; not available on CUDA",
        packages=("torchao",),
    ),
}


def check(reference: VariantReference) -> None:
    """Refuse transforms that do not exist, values out of range, and an order that makes no sense.

    Raises:
        UsageError: naming the transform.
    """
    for call in reference.transforms:
        value_of(call)
    for before, after in zip(reference.transforms, reference.transforms[1:], strict=False):
        _check_order(before, after)


def find(call: TransformCall) -> Transform:
    """The table's entry.

    Raises:
        UsageError: there is none; it names the nearest.
    """
    found = TRANSFORMS.get(call.name)
    if found is None:
        close = difflib.get_close_matches(call.name, TRANSFORMS, n=3, cutoff=0.5)
        nearest = f"; nearest: {', '.join(close)}" if close else ""
        raise UsageError(
            f"there is no transform '{call.name}'{nearest}",
            hint=f"the transforms are {', '.join(map(usage_of, TRANSFORMS))}",
        )
    return found


def value_of(call: TransformCall) -> float | None:
    """The number that a call gives its transform.

    Raises:
        UsageError: it is out of range, missing, or not taken.
    """
    form = find(call).value
    if form is None:
        if call.value is not None:
            raise UsageError(
                f"'{call}' gives {call.name} the value {call.value}, but it takes none", hint=FORM
            )
        return None
    try:
        if call.value is None:
            raise ValueError
        return form.read(call.value)
    except ValueError as error:
        given = "no value" if call.value is None else f"'{call.value}'"
        raise UsageError(
            f"{call.name} takes {form.wanted}, not {given}", hint=f"{call.name}={form.example}"
        ) from error


def usage_of(name: str) -> str:
    """How a reference writes a transform: "groups=2|4|8"."""
    form = TRANSFORMS[name].value
    return name if form is None else f"{name}={form.shown}"


def _check_order(before: TransformCall, after: TransformCall) -> None:
    first, second = find(before).stage, find(after).stage
    if second < first:
        wanted = f"+{after}+{before}"
        reason = (
            "zeros belong to the final weights"
            if first is Stage.ZEROS
            else f"{before.name} is the precision of the finished network"
        )
        raise UsageError(f"{after} cannot follow {before}: {reason}", hint=f"write {wanted}")
    if first is second is Stage.PRECISION:
        raise UsageError(
            f"{after} cannot follow {before}: a network has one precision",
            hint=f"leave out {before} or {after}",
        )
