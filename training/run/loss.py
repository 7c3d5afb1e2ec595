"""The loss of a step: from labels alone, or from labels and a teacher.

    alpha T^2 KL(teacher || student) + (1 - alpha) CE, both distributions softened by T

(Hinton, Vinyals and Dean, arXiv 1503.02531, section 2). Smoothed labels are in CE alone: the
teacher's distribution is already soft.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from profiler.errors import UsageError
from profiler.inputs.base import Normalization
from profiler.ledger import LedgerSummary, Phase
from profiler.values.findings import Finding
from training.data.classes import check_same_classes
from training.evaluation.forward import forward
from training.recipe import Recipe

Criterion = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(images as the student saw them, its logits, labels) to the mean loss of the batch."""


def make_criterion(
    recipe: Recipe,
    device: torch.device | str,
    class_count: int,
    *,
    class_names: Sequence[str] | None = None,
    normalization: Normalization | None = None,
) -> Criterion:
    """The loss that a recipe asks for.

    Args:
        recipe: `teacher`, `temperature`, `distillation_weight`, `label_smoothing` and `dtype`.
        device: where the teacher runs.
        class_count: of the student.
        class_names: of the student's data, to be those of the teacher.
        normalization: of the images that the student sees; those of a teacher that was trained
            with another are converted.

    Raises:
        UsageError: the teacher was trained for other classes.
        CheckpointError: it cannot be loaded.
    """
    if recipe.teacher is None:
        return LabelLoss(recipe.label_smoothing)
    from training.checkpoints.checkpoint import load_model

    model, info = load_model(Path(recipe.teacher), torch.device(device))
    who, hint = f"the teacher '{recipe.teacher}'", "name a teacher of the same classes"
    if info.class_count != class_count:
        raise UsageError(
            f"{who} knows {info.class_count} classes, the student is to learn {class_count}",
            hint=hint,
        )
    check_same_classes(info.class_names, class_names, who=who, whom="the student's data", hint=hint)
    if recipe.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return Distillation(
        model,
        recipe,
        input_shape=info.input_shape,
        renormalize=_between(normalization, info.normalization, device),
    )


class LabelLoss:
    """Cross entropy with smoothed labels, in fp32."""

    def __init__(self, label_smoothing: float) -> None:
        self._label_smoothing = label_smoothing

    def __call__(self, images: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits.float(), labels, label_smoothing=self._label_smoothing)


class Distillation:
    """The mean of the teacher's and the labels' losses, weighed by `distillation_weight`.

    The teacher runs in eval mode, without gradients, in the student's precision. Its forward pass
    is part of the step that calls it, and so are its joules; `teacher_s` says how long it took.
    """

    def __init__(
        self,
        teacher: nn.Module,
        recipe: Recipe,
        *,
        input_shape: tuple[int, int, int] | None = None,
        renormalize: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._teacher = teacher.eval().requires_grad_(False)
        self._recipe = recipe
        self._input_shape = input_shape
        self._renormalize = renormalize
        self._stopwatch = Stopwatch()
        self._label_loss = LabelLoss(recipe.label_smoothing)

    def __call__(self, images: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        alpha, temperature = self._recipe.distillation_weight, self._recipe.temperature
        with self._stopwatch.timing(images.device):
            teacher_logits = self._taught(images)
        loss = distillation_loss(logits, teacher_logits, temperature)
        return alpha * loss + (1 - alpha) * self._label_loss(images, logits, labels)

    @property
    def teacher_s(self) -> float:
        """Seconds of the device in the teacher's forward passes so far; waits for them."""
        return self._stopwatch.elapsed_s

    def _taught(self, images: Tensor) -> Tensor:
        shape = tuple(images.shape[1:])
        if self._input_shape is not None and shape != self._input_shape:
            seen, wanted = (f"{height}x{width}" for _, height, width in (shape, self._input_shape))
            raise UsageError(
                f"the teacher was trained on images of {wanted}, the student is shown {seen}",
                hint=f"give --image-size {self._input_shape[1]}",
            )
        with torch.no_grad():
            shown = images if self._renormalize is None else self._renormalize(images)
            return forward(self._teacher, shown, self._recipe.dtype)


def distillation_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of the softened distributions, mean over the batch, in nats.

    T^2 keeps the size of its gradients whatever the temperature (arXiv 1503.02531, section 2).

    Args:
        logits: of the student, (N, C).
        teacher_logits: of the teacher, (N, C).
        temperature: that softens both.
    """
    student = log_softmax(logits.float() / temperature, dim=1)
    teacher = log_softmax(teacher_logits.float() / temperature, dim=1)
    divergence = kl_div(student, teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def teacher_finding(criterion: Criterion, ledger: LedgerSummary) -> Finding | None:
    """What the teacher took of the last segment's training phase; None without a teacher.

    Its joules are estimated from its share of the time: the teacher's forward pass may draw another
    power than the student's step.

    Args:
        criterion: of the last segment.
        ledger: of the whole run.
    """
    if not isinstance(criterion, Distillation) or not ledger.entries:
        return None
    last = max(entry.segment for entry in ledger.entries)
    train = [
        entry
        for entry in ledger.entries
        if entry.phase == Phase.TRAIN and (entry.segment, entry.host) == (last, 0)
    ]
    train_s, teacher_s = sum(entry.duration_s for entry in train), criterion.teacher_s
    if not 0 < teacher_s < train_s:
        return None
    joules = [entry.energy_j.point for entry in train if entry.energy_j is not None]
    share = teacher_s / train_s
    about = f", and by that share about {share * sum(joules):.3g} J of its joules" if joules else ""
    return Finding(
        kind="teacher-share",
        observed=f"the teacher took {share:.0%} of the seconds of training{about}: both are inside "
        "what the ledger has under train",
        remedy="",
    )


class Stopwatch:
    """Seconds that a device spends in something that is done again and again.

    On a GPU by events in its stream, which cost the host some microseconds and no wait.
    """

    def __init__(self) -> None:
        self._done_s = 0.0
        self._pending: deque[tuple[torch.cuda.Event, torch.cuda.Event]] = deque()

    @contextmanager
    def timing(self, device: torch.device) -> Iterator[None]:
        """Add the time of what is enclosed."""
        if device.type != "cuda":
            start_s = time.perf_counter()
            yield
            self._done_s += time.perf_counter() - start_s
            return
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        yield
        end.record()
        self._pending.append((start, end))
        while self._pending and self._pending[0][1].query():
            self._settle()

    @property
    def elapsed_s(self) -> float:
        """Seconds so far; waits for the device."""
        while self._pending:
            self._settle()
        return self._done_s

    def _settle(self) -> None:
        start, end = self._pending.popleft()
        end.synchronize()
        self._done_s += start.elapsed_time(end) / 1000


def _between(
    seen: Normalization | None, wanted: Normalization | None, device: torch.device | str
) -> Callable[[Tensor], Tensor] | None:
    """What turns images normalised for the student into those of the teacher; None for nothing."""
    if seen is None or wanted is None or seen == wanted:
        return None
    mean, std, new_mean, new_std = (
        torch.tensor(values, device=device).view(3, 1, 1)
        for values in (seen.mean, seen.std, wanted.mean, wanted.std)
    )
    return lambda images: (images * std + mean - new_mean) / new_std
