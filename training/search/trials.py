"""Trial: one point of a space, and what is known of it. Imports no torch."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from profiler.errors import StoreError
from profiler.files import write_whole_file
from profiler.values.codec import FormError, decode, encode, parse
from profiler.values.estimate import Estimate
from profiler.values.plain_text import clean

from .objectives import ACCURACY

TRIAL = "trial.json"
CLAIM = "claim"
TURN = "storage.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One point of a space.

    Args:
        number: in the order in which they were proposed, 0 for the first.
        reference: of its model.
        choices: what was chosen for it, by the name of each decision.
        costs: every value that takes no training, by the name of the objective.
        accuracies: on the validation split after each round of training; the first is the shortest.
        epochs: trained in all rounds together.
        error: why there is no accuracy, in one sentence; None where there is one, or will be.
        is_left_out: whether that is only because a cost breaks a constraint.
    """

    number: int
    reference: str
    choices: Mapping[str, int | str] = field(default_factory=dict)
    costs: Mapping[str, Estimate] = field(default_factory=dict)
    accuracies: tuple[Estimate, ...] = ()
    epochs: int = 0
    error: str | None = None
    is_left_out: bool = False

    @property
    def rounds(self) -> int:
        """Rounds of training that are done."""
        return len(self.accuracies)

    @property
    def values(self) -> dict[str, Estimate]:
        """Every value so far; the accuracy is that of the longest training."""
        return {**({ACCURACY: self.accuracies[-1]} if self.accuracies else {}), **self.costs}

    def first_value(self, name: str) -> float | None:
        """A value when all trials had had the same training: after the first round, or none."""
        if name == ACCURACY:
            return self.accuracies[0].point if self.accuracies else None
        return self.costs[name].point if name in self.costs else None


def trial_folder(folder: Path, number: int) -> Path:
    """Where the files of a trial go."""
    return folder / f"trial-{number:04d}"


def write_trial(folder: Path, trial: Trial) -> None:
    """Write what is known of a trial, in the place of what was known before."""
    place = trial_folder(folder, trial.number)
    place.mkdir(parents=True, exist_ok=True)
    write_whole_file(place / TRIAL, json.dumps(encode(trial), indent=1, allow_nan=False) + "\n")


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process alone may work in a folder, until it leaves or dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / CLAIM).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """Let one process at a time do what is inside; the others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_trial(path: Path) -> Trial:
    """A trial from its file.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return decode(parse(path.read_bytes()), Trial)
    except (FormError, OSError) as error:
        raise StoreError(
            f"'{clean(str(path))}' cannot be read: {clean(str(error))}",
            hint="delete that file: another network is then tried in its place",
        ) from error


def read_trials(folder: Path) -> list[Trial]:
    """Every trial of a search, by number."""
    return [read_trial(path) for path in sorted(folder.glob(f"trial-*/{TRIAL}"))]
