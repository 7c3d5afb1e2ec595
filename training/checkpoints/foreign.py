"""Weights of other programs: what their files do not say is taken from flags and data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import CheckpointError, UsageError
from profiler.inputs.base import IMAGENET
from profiler.inputs.sources import open_source
from profiler.values.findings import Finding
from profiler.values.plain_text import clean, some_of
from profiler.workload.target import resolve
from profiler.workload.weights import Fit, fit_weights, read_weights
from training.recipe import Recipe

from .checkpoint_file import KEY
from .header import Info

if TYPE_CHECKING:
    import torch
    from torch import nn

    from profiler.inputs.base import ImageSet, Split


def is_foreign(path: Path) -> bool:
    """Whether a file that is there was not written by a training of this program."""
    if not path.is_file():
        return False  # whoever reads it says so
    if path.suffix != ".safetensors":
        return True
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt", device="cpu") as file:
            return KEY not in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False  # a damaged file is one of ours until told otherwise


def load_foreign(
    path: Path,
    device: torch.device | str,
    *,
    model: str | None,
    flag: str = "--model",
    data: str | None = None,
    split: Split | None = None,
    image_size: int | None = None,
    root: Path | None = None,
) -> tuple[nn.Module, Info, tuple[Finding, ...]]:
    """A network with the weights of a file that says nothing of itself, in evaluation mode.

    Args:
        path: of `torch.save` or safetensors; nothing in it is run.
        device: where the network goes.
        model: its reference.
        flag: that names it on the command line.
        data: whose classes, size and normalization are the network's; None where there are none.
        split: of the data.
        image_size: side of the images; None for that of the data or the model.
        root: folder of downloaded data; None for the cache.

    Returns:
        The network, what its inputs must look like, and how the names in the file were read.

    Raises:
        CheckpointError: it cannot be read, or does not fit the model.
        UsageError: something that the file does not say was not given.
    """
    if model is None:
        raise CheckpointError(
            f"'{path}' was not written by a training of this program, and does not say what model "
            "it is of",
            hint=f"name it: {flag} REF",
        )
    weights = read_weights(path)
    source = None if data is None else open_source(data, split=split, root=root)
    names = None if source is None else source.class_names
    class_count = len(names) if names else _row_count(weights, path)
    target = resolve(model, num_classes=class_count, may_set_own=True)
    fit = fit_weights(target.model, weights, path)
    height, width = _image_size(source, target.input_shape, image_size, model)
    recipe = Recipe(
        model=model,
        data=data or Recipe().data,
        dtype="fp32",
        channels_last=False,
        image_size=image_size,
    )
    info = Info(
        recipe=recipe,
        class_names=names or tuple(f"class {label}" for label in range(class_count)),
        input_shape=(3, height, width),
        normalization=IMAGENET if source is None else source.normalization,
    )
    network = target.model.to(device).eval()
    return network, info, (_as_read(path, fit, info, has_data=source is not None),)


def _image_size(
    source: ImageSet | None, of_model: tuple[int, ...] | None, asked: int | None, model: str
) -> tuple[int, int]:
    """(height, width): as asked for, or of the data, or of the model."""
    if asked is not None:
        return asked, asked
    shape = of_model if source is None else tuple(source.images([0])[0].shape)
    if shape is None or len(shape) != 3:
        raise UsageError(
            f"nothing says how large the images of '{model}' are", hint="--image-size 224"
        )
    return int(shape[1]), int(shape[2])


def _row_count(weights: dict[str, Any], path: Path) -> int:
    """Outputs of the last layer: rows of the last matrix."""
    matrices = [tensor for tensor in weights.values() if tensor.dim() in (2, 4)]
    if not matrices:
        raise CheckpointError(f"nothing in '{path}' says how many classes it knows")
    return len(matrices[-1])


def _as_read(path: Path, fit: Fit, info: Info, *, has_data: bool) -> Finding:
    told = [f"names in it lost the prefix '{clean(fit.prefix)}'"] if fit.prefix else []
    if fit.unused:
        told.append(f"unused: {clean(some_of(fit.unused))}")
    _, height, width = info.input_shape
    whose = "the data's" if has_data else "ImageNet's"
    told.append(f"images of {height}x{width}, {whose} normalization")
    return Finding(
        kind="foreign-checkpoint",
        observed=f"'{clean(path.name)}' says neither its classes nor how its images were prepared; "
        f"taken: {', '.join(told)}",
        remedy="compare with how it was trained before trusting its accuracy",
    )
