"""The start of a run: in a new folder, or from its last checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from shlex import quote

from profiler.errors import StoreError, UsageError
from profiler.files import write_whole_file
from profiler.inputs.sources import has_split
from profiler.values.codec import FormError, encode, parse
from training.checkpoints.checkpoint import check_recipe, load_checkpoint
from training.checkpoints.state import State
from training.data.data_identity import check_same_data
from training.data.splits import Splits
from training.progress.view import SILENT, View
from training.progress.words import epochs
from training.recipe import Recipe, make_recipe, prolonged
from training.result import STOPPED_BY_EPOCHS, read_result
from training.run_folder import BEST, LAST, RECIPE, may_begin_anew, set_aside

from .loss import Criterion, teacher_sha256


def check_target(recipe: Recipe, target_accuracy: float | None) -> None:
    """Refuse a target that only the test split could judge.

    Raises:
        UsageError: it is no share, or there is no validation split.
    """
    if target_accuracy is None:
        return
    if not 0 < target_accuracy <= 1:
        raise UsageError(
            f"a target accuracy of {target_accuracy:g} is not possible",
            hint="give a share such as --target-accuracy 0.9",
        )
    if recipe.validation_share == 0 and not has_split(recipe.data, "validation"):
        raise UsageError(
            f"there is no validation split, so that nothing but the test split could tell when an "
            f"accuracy of {target_accuracy:g} is reached, and to stop by it is to tune on it",
            hint="hold images out with --validation-share 0.1",
        )


def begin(
    recipe: Recipe, folder: Path, *, resume: bool, host_count: int = 1, view: View = SILENT
) -> State | None:
    """Claim a new folder for a run, or load what an earlier segment left in it.

    A run that was killed before its first checkpoint begins anew, in the same ledger. One without
    a finished epoch that is not to be resumed makes room: its files, with the joules it has spent,
    go into a subfolder.

    Args:
        recipe: what is to be computed.
        folder: of the run.
        resume: whether to go on with what is in it; a run that is finished goes on where the recipe
            is its own, `prolonged`.
        host_count: hosts that keep a ledger; with several, each may have a folder of its own, and
            nothing is moved.
        view: is told what was moved.

    Returns:
        Where to go on; None for the beginning.

    Raises:
        UsageError: the folder holds a run and it is not to be resumed, holds none though it is, or
            the recipe is not the one it began with.
        StoreError: the folder cannot be written.
        CheckpointError: the checkpoint is damaged.
    """
    path = folder / RECIPE
    if not resume:
        if host_count == 1 and may_begin_anew(folder):
            view.note(f"an attempt without a finished epoch is kept in {set_aside(folder)}")
        if path.exists():
            raise UsageError(
                f"'{folder}' holds a run already",
                hint=f"python -m training train --resume {quote(str(folder))}, or another --out",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"'{folder}' cannot be made ({error.strerror})", hint="give another --out"
            ) from error
        write_recipe(folder, recipe)
        return None
    if (folder / LAST).exists():
        return _gone_on(folder, recipe, view)
    check_recipe(stored_recipe(folder), recipe)
    return None


def _gone_on(folder: Path, recipe: Recipe, view: View) -> State:
    """The state of the folder's last checkpoint, from which the recipe goes on."""
    state = load_checkpoint(folder / LAST)
    stored, is_over = state.info.recipe, state.info.is_finished and _is_concluded(folder)
    if is_over and recipe.epochs > stored.epochs:
        check_recipe(prolonged(stored, recipe.epochs), recipe)
        view.note(
            f"finished after {epochs(stored.epochs)}; {recipe.epochs - stored.epochs} more "
            "follow from its last weights, with a schedule of their own"
        )
        return replace(state, info=replace(state.info, recipe=recipe))
    check_recipe(stored, recipe)
    if is_over:
        raise UsageError(
            f"the run in '{folder}' is finished: {state.info.epochs_done} of "
            f"{recipe.epochs} epochs",
            hint=f"give it more with --epochs, or see "
            f"`python -m training evaluate --checkpoint {folder / BEST}`",
        )
    return state


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write what is computed, in the place of what was written before."""
    write_whole_file(folder / RECIPE, json.dumps(encode(recipe), indent=1) + "\n")


def stored_recipe(folder: Path) -> Recipe:
    """The recipe that a folder's run began with.

    Raises:
        UsageError: it holds none.
    """
    path = folder / RECIPE
    try:
        values = parse(path.read_bytes())
    except (OSError, FormError) as error:
        raise UsageError(
            f"there is no run in '{folder}' to go on with", hint="name the folder of a run"
        ) from error
    return make_recipe(values, origin=f"'{path}'")


def _is_concluded(folder: Path) -> bool:
    """Whether a folder's run came to its end, and was tested."""
    try:
        result = read_result(folder)
    except StoreError:  # going on writes a damaged one anew
        return False
    return result is not None and result.stopped_by == STOPPED_BY_EPOCHS


def check_data(state: State | None, recipe: Recipe, splits: Splits) -> None:
    """Let a run go on only with the data that it began with, wherever they lie now.

    Raises:
        UsageError: they have changed; or they moved, and the checkpoint does not say what they
            were.
    """
    if state is not None:
        check_same_data(
            state.info.class_names, state.info.data, splits.class_names, splits.identity,
            spec=recipe.data, is_moved=recipe.data != state.info.recipe.data,
        )  # fmt: skip


def check_teacher(state: State | None, recipe: Recipe, criterion: Criterion) -> None:
    """The same of the teacher."""
    if state is None:
        return
    stored = state.info.teacher_sha256
    if stored is None and recipe.teacher == state.info.recipe.teacher:
        return
    if stored != teacher_sha256(criterion):
        raise UsageError(
            f"'{recipe.teacher}' does not hold the weights of the teacher that the run began with",
            hint="give that one with --teacher, or train into a new folder",
        )
