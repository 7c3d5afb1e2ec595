"""The inputs of one call, as the flags of `measure`, `layers` and `stats` describe them."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from profiler.errors import InputDataError, UsageError

from .decoding import decoding_inputs
from .options import shape

if TYPE_CHECKING:
    from profiler.inputs import Given
    from profiler.workload.target import Target

NO_DATA = "synthetic"


def add_inputs(parser: argparse.ArgumentParser, *, has_data: bool = True) -> None:
    """--input, --input-shape and, where values matter, --data."""
    parser.add_argument(
        "--input",
        action="append",
        metavar="SPEC",
        help="one argument of the call, instead of images: a shape with a type such as "
        "'ids:1x128:int64<30000' (B for the batch size), NAME=... for a keyword, a file (.npz, "
        ".npy, .pt, .safetensors, .json), or module:callable that returns the inputs; may be given "
        "several times",
    )
    parser.add_argument(
        "--input-shape",
        type=shape,
        metavar="CxHxW",
        help="shape of one image (default: the model's, else the data's own)",
    )
    if has_data:
        parser.add_argument(
            "--data",
            metavar="SOURCE",
            help="real inputs: digits (the default), cifar10, cifar100, parquet:PATH, folder:PATH, "
            "text:FILE (for hf: models), or synthetic for noise",
        )


def batch_sizes(arguments: argparse.Namespace, default: Sequence[int]) -> Sequence[int]:
    """The batch sizes to run one after the other; one where `--input` states the whole shape.

    Raises:
        UsageError: `--batch-size` beside inputs that have no batch axis to set, or `--input` beside
            another flag that chooses the inputs.
    """
    from profiler.inputs import has_batch_axis

    given = arguments.batch_size
    if getattr(arguments, "cache_length", None) is not None:
        return given or (1,)
    if not arguments.input:
        return given or default
    for flag in ("data", "input_shape"):
        if getattr(arguments, flag, None) is not None:
            name = flag.replace("_", "-")
            raise UsageError(
                f"--input and --{name} both choose the inputs", hint="leave out one of the two"
            )
    if has_batch_axis(arguments.input):
        return given or default
    if given is not None:
        sizes = " ".join(map(str, given))
        raise UsageError(
            f"--batch-size {sizes} cannot be set: --input {arguments.input[0]} has no batch axis",
            hint="write B where the batch size belongs, such as --input 'Bx128:int64<30000'",
        )
    return (1,)


def batch_size_of(arguments: argparse.Namespace) -> int:
    """The same for a verb that makes one call: 1 by default."""
    given = None if arguments.batch_size is None else [arguments.batch_size]
    alike = argparse.Namespace(**{**vars(arguments), "batch_size": given})
    return batch_sizes(alike, (1,))[0]


def load_call(arguments: argparse.Namespace, target: Target, batch_size: int) -> Given:
    """Inputs of one call: those of `--input`, else what the model states, else images.

    Raises:
        InputDataError: they cannot be read, do not fit the model, or do not fit into memory.
    """
    from profiler.workload.prepared import is_out_of_memory

    try:
        return _load(arguments, target, batch_size)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        item = arguments.input_shape or target.input_shape or ()
        shape = "x".join(map(str, (batch_size, *item)))
        what = " and ".join(arguments.input or [f"images of shape {shape}"])
        raise InputDataError(
            f"{what} do not fit into memory",
            hint="make --batch-size smaller",
        ) from error


def _load(arguments: argparse.Namespace, target: Target, batch_size: int) -> Given:
    from profiler.inputs import Given, given_inputs, load_inputs, text_inputs

    data = getattr(arguments, "data", NO_DATA)
    seed = getattr(arguments, "seed", 0)
    if getattr(arguments, "cache_length", None) is not None:
        return decoding_inputs(target, batch_size, seed)
    accepted = list(inspect.signature(target.model.forward).parameters)
    if (data or "").startswith("text:"):
        return text_inputs(
            data.removeprefix("text:"),
            tokenizer=target.tokenizer,
            batch_size=batch_size,
            seed=seed,
            accepted=accepted,
        )
    specs = arguments.input or _stated(arguments, target, data)
    if specs:
        return given_inputs(specs, batch_size=batch_size, seed=seed, accepted=accepted)
    batch = load_inputs(
        data or "digits",
        batch_size=batch_size,
        input_shape=arguments.input_shape or target.input_shape,
        seed=seed,
    )
    return Given(
        inputs=batch.images, description=batch.description, item_count=batch_size, item="image"
    )


def _stated(arguments: argparse.Namespace, target: Target, data: str | None) -> Sequence[str]:
    """What the model itself says that it takes, unless images are asked for."""
    is_free = data in (None, NO_DATA) and arguments.input_shape is None
    return target.input_specs if is_free else ()


def shapes_text(inputs: Any) -> str:
    """The shapes of all tensors of a call: "1x1 int64 and 24 of 1x8x32x64 float32"."""
    from profiler.values.shapes import shapes_in_words
    from profiler.workload.prepared import tensors_in

    return shapes_in_words(
        f"{'x'.join(map(str, tensor.shape)) or 'scalar'} {str(tensor.dtype).removeprefix('torch.')}"
        for tensor in tensors_in(inputs)
    )
