"""A training that is killed again and again: `python -m tests.bench.train_kill`.

One run on the digits goes on after each of 20 SIGKILLs: every other one comes at a random moment
after the ledger was opened, the rest at one after the first epoch of the new process. Each time its
files are read as the next process will read them, and the joules in its ledger are put beside the
true ones: a virtual package of exactly 100 W. At the end its weights are compared, bit by bit, with
those of a run that nobody killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import ProfilerError
from profiler.ledger import LedgerSummary, read_ledger
from tests.virtual.power import constant
from tests.virtual.sysfs import SysfsTree, add_domain, counter_uj
from training.checkpoints.checkpoint import load_checkpoint, load_info
from training.recipe import Recipe
from training.run_folder import BEST, LAST

POWER_W = 100.0
MOST_MISSING_S = 2.0
LEDGER = "ledger.jsonl"
START_TIMEOUT_S = 120.0
STEP_S = 0.005


@dataclass(frozen=True)
class Kill:
    """What one SIGKILL left behind.

    after_s: from the segment's start to the signal. epochs_done: in the checkpoint, None without.
    missing_s, missing_j: what is in no line and in no journal. problem: None where all is well.
    """

    after_s: float
    epochs_done: int | None
    missing_s: float
    missing_j: float
    problem: str | None = None


def small_recipe(epochs: int) -> Recipe:
    """Digits, with every kind of state that a checkpoint must carry."""
    return Recipe(
        data="digits",
        epochs=epochs,
        batch_size=64,
        image_size=8,
        learning_rate=0.1,
        crop_padding=1,
        flip=False,
        ema_decay=0.99,
        validation_share=0.5,
        deterministic=True,
    )


def train_here(folder: Path, epochs: int, *, resume: bool = False) -> None:
    """Train in this process, its power exactly `POWER_W`."""
    from profiler.machine.carbon import carbon_factors
    from profiler.meters import open_meter
    from profiler.meters.rapl import RaplMeter
    from training.run.loop import train

    with tempfile.TemporaryDirectory() as name:
        tree = SysfsTree(Path(name), time.monotonic)
        script = constant(POWER_W).at(time.monotonic())
        add_domain(tree, "intel-rapl:0", "package-0", counter_uj(script))
        meter = RaplMeter(tree.root, reader=tree)
        channels, _ = open_meter(meter)
        train(
            small_recipe(epochs),
            folder,
            device="cpu",
            threads=1,
            resume=resume,
            carbon=carbon_factors(),
            meters=[(meter, channels)],
        )


def start(folder: Path, epochs: int) -> subprocess.Popen[bytes]:
    """Another process that begins or goes on, and whose ledger is open when this returns."""
    before = len(list(segment_starts_s(folder)))
    words = ["--child", str(folder), "--epochs", str(epochs)]
    words += ["--resume"] if (folder / "recipe.json").is_file() else []
    child = subprocess.Popen([sys.executable, "-m", "tests.bench.train_kill", *words])
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while len(list(segment_starts_s(folder))) == before and child.poll() is None:
        if time.monotonic() > deadline_s:
            child.kill()
            raise TimeoutError(f"no ledger after {START_TIMEOUT_S:g} s")
        time.sleep(STEP_S)
    return child


def segment_starts_s(folder: Path) -> Iterator[float]:
    """When each segment began, by the ledger's whole lines."""
    path = folder / LEDGER
    text = path.read_text() if path.is_file() else ""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n") and "segment" in (record := json.loads(line)):
            yield record["segment"]["started_s"]


def kill(
    child: subprocess.Popen[bytes], folder: Path, *, after_s: float, in_training: bool = False
) -> Kill | None:
    """Kill a process and read what it left; None where it had finished before.

    Args:
        child: from `start`.
        folder: of its run.
        after_s: how long to wait.
        in_training: wait for its first epoch before that.
    """
    known = checkpoint_epochs(folder)
    while in_training and child.poll() is None and checkpoint_epochs(folder) in (None, 0, known):
        time.sleep(STEP_S)
    time.sleep(after_s)
    killed_s = time.monotonic()
    child.send_signal(signal.SIGKILL)
    if child.wait() != -signal.SIGKILL:
        return None
    lived_s = killed_s - list(segment_starts_s(folder))[-1]
    try:
        ledger = read_ledger(folder)
        found = checkpoint_epochs(folder)
        if (folder / BEST).is_file():
            load_info(folder / BEST)
    except ProfilerError as error:
        return Kill(lived_s, None, lived_s, lived_s * POWER_W, error.message)
    segment = ledger.segments[-1]
    energy_j = 0.0 if segment.energy_j is None else segment.energy_j.point
    missing_s, missing_j = lived_s - segment.duration_s, lived_s * POWER_W - energy_j
    problem = _problem(ledger, known, found, missing_s, missing_j)
    return Kill(lived_s, found, missing_s, missing_j, problem)


def checkpoint_epochs(folder: Path) -> int | None:
    """Finished epochs in the last checkpoint; None where there is none.

    Raises:
        CheckpointError: there is one that cannot be loaded.
    """
    path = folder / LAST
    return load_checkpoint(path).info.epochs_done if path.is_file() else None


def _problem(
    ledger: LedgerSummary, known: int | None, found: int | None, missing_s: float, missing_j: float
) -> str | None:
    segment = ledger.segments[-1]
    if segment.ended != "killed":
        return f"the ledger calls the segment {segment.ended}"
    if (found or 0) < (known or 0):
        return f"the checkpoint went back from epoch {known} to {found}"
    if len(ledger.epochs) > (found or 0) + 1:
        return f"{len(ledger.epochs)} epochs are in the ledger, {found} in the checkpoint"
    if missing_s > MOST_MISSING_S or missing_j > MOST_MISSING_S * POWER_W:
        return f"{missing_s:.2f} s, {missing_j:.0f} J are missing"
    if missing_s < -0.05 or missing_j < -0.05 * POWER_W:
        return f"{-missing_j:.0f} J were never drawn"
    return None


def main() -> int:
    """Kill, print a line each time, and compare the end with an unbroken run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest-s", type=float, default=3.0, help="latest moment of a kill")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.child is not None:
        train_here(arguments.child, arguments.epochs, resume=arguments.resume)
        return 0
    with tempfile.TemporaryDirectory() as name:
        return _play(arguments, Path(name))


def _play(arguments: argparse.Namespace, root: Path) -> int:
    chance = random.Random(arguments.seed)
    folder = root / "killed"
    kills: list[Kill] = []
    print(f"{'kill':>4}{'after':>9}{'epochs done':>13}{'missing':>11}{'missing':>11}")
    while len(kills) < arguments.kills:
        child = start(folder, arguments.epochs)
        after_s, in_training = chance.uniform(0, arguments.longest_s), len(kills) % 2 == 1
        seen = kill(child, folder, after_s=after_s, in_training=in_training)
        if seen is None:
            print("the run finished before it was killed enough: give more --epochs")
            return 1
        kills.append(seen)
        print(
            f"{len(kills):>4}{seen.after_s:>7.2f} s{seen.epochs_done or 0:>13}"
            f"{seen.missing_s:>9.3f} s{seen.missing_j:>9.1f} J  {seen.problem or ''}"
        )
    good = sum(seen.problem is None for seen in kills)
    unbroken = root / "unbroken"
    for finished in (folder, unbroken):
        if start(finished, arguments.epochs).wait() != 0:
            return 1
    same = same_weights(folder, unbroken)
    print(
        f"\n{good} of {len(kills)} kills left whole files and at most {MOST_MISSING_S:g} s missing"
    )
    print(f"weights of the killed and the unbroken run are {'equal' if same else 'DIFFERENT'}")
    return 0 if same and good == len(kills) else 1


def same_weights(folder: Path, other: Path) -> bool:
    """Whether two runs ended with the same bits."""
    import torch

    one, two = load_checkpoint(folder / LAST), load_checkpoint(other / LAST)
    return all(
        torch.equal(tensor, theirs[name])
        for mine, theirs in ((one.model, two.model), (one.ema or {}, two.ema or {}))
        for name, tensor in mine.items()
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
