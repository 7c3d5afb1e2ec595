"""Running a training from a command line: its view, other ranks, and signals."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeVar, cast

from profiler.cli.options import chosen_codecarbon
from profiler.errors import (
    CheckpointError,
    DeviceError,
    InputDataError,
    ProfilerError,
    TargetError,
    UsageError,
)
from profiler.values.plain_text import clean
from training.progress import choose_view
from training.progress.logs import with_logs
from training.run_folder import FIRST_JOURNAL, LAST, LEDGER, RECIPE, is_run

from .output_folders import remove_unbegun

if TYPE_CHECKING:
    from profiler.values.profile import CarbonFactors
    from training.distribution import Group
    from training.recipe import Recipe
    from training.result import TrainingResult

ENDING = (signal.SIGTERM, signal.SIGUSR1)
AUTO = "auto"
ASKED_WRONGLY = (UsageError, InputDataError, TargetError, CheckpointError, DeviceError)
_NOT_IN_RECIPE = (
    "--target-accuracy",
    "--device",
    "--threads",
    "--country",
    "--intensity",
    "--pue",
    "--emissions",
)

T = TypeVar("T")


def agree(group: Group, decide: Callable[[], T]) -> T:
    """What the first rank decides, on every rank; its error is everybody's."""
    decided: T | None = None
    refused: ProfilerError | None = None
    if group.is_first:
        try:
            decided = decide()
        except ProfilerError as error:
            refused = error
    answer, refused = group.from_first((decided, refused))
    if refused is not None:
        raise refused
    return cast(T, answer)


def run_training(
    recipe: Recipe,
    folder: Path,
    arguments: argparse.Namespace,
    *,
    carbon: CarbonFactors,
    group: Group,
    resume: bool = False,
) -> TrainingResult:
    """Train a recipe in a folder, shown as the flags and the terminal ask for."""
    codecarbon = chosen_codecarbon(arguments)
    is_new = group.is_first and not is_run(folder)
    view = choose_view(quiet=arguments.quiet or not group.is_first)
    view = with_logs(view, dict.fromkeys(arguments.log) if group.is_first else ())
    try:
        view.stage("loading")
        from training.run.loop import train

        return train(
            recipe,
            folder,
            device=group.device or arguments.device,
            resume=resume,
            target_accuracy=arguments.target_accuracy,
            threads=arguments.threads,
            carbon=carbon,
            view=view,
            group=group,
            codecarbon=codecarbon,
        )
    except ASKED_WRONGLY:
        if is_new and not any(folder.glob("*.safetensors")):
            remove_unbegun(folder, RECIPE, LEDGER, FIRST_JOURNAL)
        raise
    finally:
        view.close()


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGUSR1 end the process as Ctrl-C does, with its ledger closed.

    The exit codes are 143 and 138.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _terminate) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def exit_code(stop: KeyboardInterrupt | SystemExit) -> int:
    """128 plus the number of the signal that ended a run; any other exit goes on."""
    if isinstance(stop, KeyboardInterrupt):
        return 128 + signal.SIGINT
    for number in ENDING:
        if stop.code == 128 + number:
            return 128 + number
    raise stop


def say_interrupted(arguments: argparse.Namespace, folder: Path, kept: str) -> None:
    """One line: what is kept, and the command line that goes on from there."""
    if not folder.exists():
        print("interrupted before anything was kept", file=sys.stderr)
        return
    verb = "experiment" if arguments.verb == "experiment" else "train"
    ranks = os.environ.get("LOCAL_WORLD_SIZE", "1")
    launcher = ["python"] if ranks == "1" else ["torchrun", "--nproc-per-node", ranks]
    words = [*launcher, "-m", "training", verb, "--resume", str(folder)]
    for flag in _NOT_IN_RECIPE:
        value = getattr(arguments, flag.strip("-").replace("-", "_"))
        if value is not None and value != AUTO:
            words += [flag, str(value)]
    for name in arguments.log:
        words += ["--log", name]
    if not arguments.codecarbon:
        words.append("--no-codecarbon")
    text = clean(f"interrupted; {kept}, go on with `{shlex.join(words)}`")
    print(text, file=sys.stderr)


def kept_checkpoint(folder: Path) -> str:
    """Words for what an interrupted run has left."""
    path = folder / LAST
    return f"{path} is kept" if path.is_file() else "there is no checkpoint yet"
