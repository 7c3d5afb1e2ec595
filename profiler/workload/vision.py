"""What the models of torchvision take, as the library states it for its own weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

VIDEO_FRAMES = 16
"""Length of the clips that torchvision's video classifiers were trained on."""
FLOW_SIZE = (520, 960)
"""Height and width that torchvision's optical flow weights state their accuracy for."""


def stated_shape(model: nn.Module, name: str) -> tuple[int, ...] | None:
    """(channels, height, width) of one image, with the frames before the height for a video.

    A model that was built for one size says it itself: its weights may have been made for another.
    """
    own = getattr(model, "image_size", None)
    if isinstance(own, int):
        return (3, own, own)
    resize: Any = getattr(model, "transform", None)  # the detection models' own
    if hasattr(resize, "min_size"):
        fixed = getattr(resize, "fixed_size", None)
        width, height = fixed or (resize.min_size[-1],) * 2
        return (3, height, width)
    transforms = _default_transforms(name)
    keywords = getattr(transforms, "keywords", {})
    size = keywords.get("crop_size") or keywords.get("resize_size")
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    kind = getattr(getattr(transforms, "func", None), "__name__", "")
    return (3, VIDEO_FRAMES, height, width) if kind == "VideoClassification" else (3, height, width)


def stated_specs(name: str) -> tuple[str, ...]:
    """The inputs of a model that takes more than one, as `--input` writes them."""
    if not name.startswith("raft_"):
        return ()
    height, width = FLOW_SIZE
    return (f"image1=Bx3x{height}x{width}", f"image2=Bx3x{height}x{width}")


def _default_transforms(name: str) -> object:
    from torchvision import models

    default = getattr(models.get_model_weights(name), "DEFAULT", None)
    return getattr(default, "transforms", None)
