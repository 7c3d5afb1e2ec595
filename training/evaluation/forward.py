"""A forward pass as evaluation, prediction and a teacher make it: no gradients, no augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from profiler.errors import MeasurementError, UsageError
from profiler.inputs.base import Normalization
from profiler.workload.prepared import DTYPES
from profiler.workload.transformed import precision_of
from training.distribution import ALONE, Group

if TYPE_CHECKING:
    from training.data.splits import Pixels

BATCH_SIZE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """How a model is run over a split.

    Args:
        normalization: applied to the pixels.
        batch_size: images of a call; it changes nothing but speed and memory.
        dtype: of the forward pass, under autocast.
        channels_last: memory format of the images.
        group: ranks that share the work.
        after_batch: called when the calls of a batch have been made.
    """

    normalization: Normalization
    batch_size: int = BATCH_SIZE
    dtype: str = "fp32"
    channels_last: bool = False
    group: Group = ALONE
    after_batch: Callable[[], None] | None = None

    def answers(self, model: nn.Module, pixels: Pixels) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits in fp32, and labels, batch by batch: this rank's part in the split's order.

        To be used inside `evaluating`.
        """
        part = self.group.shard(len(pixels))
        numbers = torch.arange(part.start, part.stop, device=pixels.labels.device)
        batches = numbers.split(self.batch_size) if len(numbers) else ()
        for chosen, images in zip(batches, pixels.fetch(batches), strict=True):
            yield self.logits(model, images), pixels.labels[chosen]
            if self.after_batch is not None:
                self.after_batch()

    def logits(self, model: nn.Module, pixels: Tensor) -> Tensor:
        """Logits of uint8 images (N, 3, H, W), in fp32."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        images = normalized(pixels, self.normalization).contiguous(memory_format=layout)
        return forward(model, images, self.dtype)


def forward(model: nn.Module, images: Tensor, dtype: str) -> Tensor:
    """Logits in fp32, the model run under autocast to `dtype`."""
    with torch.autocast(images.device.type, DTYPES[dtype], enabled=dtype != "fp32"):
        logits: Tensor = model(images)
    return logits.float()


def arithmetic(model: nn.Module, asked: str | None, trained: str) -> str:
    """The precision of a forward pass under autocast, which one that a transform set excludes.

    Args:
        model: what is run.
        asked: by the user; None for nothing.
        trained: what the model was trained in.

    Raises:
        UsageError: another one is asked for than a transform has set.
    """
    setting = precision_of(model)
    if setting is None:
        return asked or trained
    if asked is not None:
        raise UsageError(
            f"the precision of this model is set by {setting.name}, and cannot be {asked}",
            hint="leave out --dtype",
        )
    return "fp32"


def normalized(pixels: Tensor, normalization: Normalization) -> Tensor:
    """uint8 (N, 3, H, W) on any device to fp32 of about zero mean and unit deviation."""
    # (pixel / 255 - mean) / std as one multiply-add; planes as large as an image, because torch's
    # CPU kernels are several times slower where an axis of 3 is broadcast.
    mean, std = (
        torch.tensor(values, device=pixels.device).view(3, 1, 1).expand(pixels.shape[1:])
        for values in (normalization.mean, normalization.std)
    )
    return torch.addcmul((-mean / std).contiguous(), pixels.float(), (1 / (255 * std)).contiguous())


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode, without gradients; every module's mode is restored afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        # Not inference mode: tensors made in it could not be used by the training that goes on.
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def check_answers(total: int, broken: int) -> None:
    """Refuse an evaluation on nothing, and one of outputs that are no numbers.

    Args:
        total: images.
        broken: outputs that are NaN or infinite.

    Raises:
        MeasurementError: there are no images, or there is such an output.
    """
    if total == 0:
        raise MeasurementError("there are no images to evaluate on", hint="name another split")
    if broken:
        raise MeasurementError(
            f"{broken:,} of the model's outputs on {total:,} images are NaN or infinite",
            hint="the training diverged: lower --learning-rate, or train in --dtype fp32",
        )
