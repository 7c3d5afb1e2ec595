"""The start of a run: in a new folder, or from its last checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

from profiler.errors import StoreError, UsageError
from profiler.files import write_whole_file
from profiler.values.codec import FormError, encode, parse
from training.checkpoints.checkpoint import check_recipe, load_checkpoint
from training.checkpoints.state import State
from training.progress.view import SILENT, View
from training.recipe import Recipe, make_recipe
from training.result import STOPPED_BY_EPOCHS, read_result
from training.run_folder import BEST, LAST, RECIPE, may_begin_anew, set_aside


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
    if recipe.validation_share == 0:
        raise UsageError(
            f"validation_share is 0, so that nothing but the test split could tell when an "
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
        resume: whether to go on with what is in it.
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
                f"'{folder}' holds a run already", hint=f"--resume {folder}, or another --out"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"'{folder}' cannot be made ({error.strerror})", hint="give another --out"
            ) from error
        write_whole_file(path, json.dumps(encode(recipe), indent=1) + "\n")
        return None
    if (folder / LAST).exists():
        state = load_checkpoint(folder / LAST)
        check_recipe(state.info.recipe, recipe)
        if state.info.is_finished and _is_concluded(folder):
            raise UsageError(
                f"the run in '{folder}' is finished: {state.info.epochs_done} of "
                f"{recipe.epochs} epochs",
                hint=f"python -m training evaluate --checkpoint {folder / BEST}, or train into "
                "another --out",
            )
        return state
    check_recipe(stored_recipe(folder), recipe)
    return None


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
