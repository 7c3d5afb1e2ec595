"""What a run's data are, wherever they lie: classes, counts and a digest. Imports no torch."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.errors import UsageError
from profiler.values.plain_text import clean

if TYPE_CHECKING:
    from torch import Tensor

    from profiler.inputs.base import ImageSet

MOST_HASHED = 60_000
"""Images whose content is hashed; of a larger split so many, spread evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitIdentity:
    """One split as it is stored.

    Args:
        counts: images of each class, by label.
        sha256: of every label and of the images' stored bytes, in their order.
    """

    counts: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataIdentity:
    """The splits of a source; None for one that it does not have."""

    train: SplitIdentity
    validation: SplitIdentity | None = None
    test: SplitIdentity | None = None


def identify(source: ImageSet, labels: Tensor, class_names: Sequence[str]) -> SplitIdentity:
    """What a split is.

    Args:
        source: of the images.
        labels: int64 (N,), each the place of a name.
        class_names: by label.

    Raises:
        InputDataError: an image cannot be read.
    """
    known = labels.tolist()
    digest = hashlib.sha256(" ".join(map(str, known)).encode())
    step = max(len(known) // MOST_HASHED, 1)
    for index in range(0, len(known), step):
        content = source.content(index)
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    counts = Counter(known)
    return SplitIdentity(
        counts=tuple(counts[label] for label in range(len(class_names))), sha256=digest.hexdigest()
    )


def check_same_data(
    class_names: Sequence[str],
    stored: DataIdentity | None,
    names_now: Sequence[str],
    now: DataIdentity | None,
    *,
    spec: str,
    is_moved: bool,
) -> None:
    """Let a run go on only with the data that it began with.

    Args:
        class_names: by label, when the run began.
        stored: what its data were; None where its checkpoint does not say.
        names_now: by label.
        now: what they are.
        spec: where they lie now.
        is_moved: whether they lay elsewhere when the run began.

    Raises:
        UsageError: naming the first thing that differs; or they moved, and nothing tells whether
            they are the same.
    """
    changed = _names(class_names, names_now)
    if stored is None and is_moved:
        changed = "it lay elsewhere, and the checkpoint does not say what was in it"
    if changed is None and stored is not None and now is not None:
        changed = next(
            (
                f"its {split} split: {told}"
                for split in ("train", "validation", "test")
                if (told := _difference(getattr(stored, split), getattr(now, split), class_names))
            ),
            None,
        )
    if changed is not None:
        raise UsageError(
            f"'{spec}' is no longer what the run began with: {clean(changed)}",
            hint="bring the data back as they were, or train into a new folder",
        )


def _names(then: Sequence[str], now: Sequence[str]) -> str | None:
    if len(then) != len(now):
        return f"it had {len(then)} classes and has {len(now)}"
    pairs = enumerate(zip(then, now, strict=True))
    return next(
        (f"class {label} was '{a}' and is '{b}'" for label, (a, b) in pairs if a != b), None
    )


def _difference(
    then: SplitIdentity | None, now: SplitIdentity | None, names: Sequence[str]
) -> str | None:
    if then == now:
        return None
    if then is None or now is None:
        return "there was none" if then is None else "there is none any more"
    for name, before, after in zip(names, then.counts, now.counts, strict=True):
        if before != after:
            return f"class '{name}' had {before} images and has {after}"
    return "as many images of each class, but other ones or in another order"
