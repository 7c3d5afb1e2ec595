"""What the ledger costs a training: `python -m tests.bench.train_ledger --data parquet:FOLDER`.

Stretches of training with the ledger and without it take turns in one process, in random order
within a pair: sampling threads, journal, phase edges, notes and live numbers are inside. Settling
is too seldom to fall into a stretch: what one costs is timed apart, and added as the share that it
has of the time between two.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from profiler.ledger import Ledger, Phase
from profiler.ledger.settler import SELDOM
from profiler.machine.carbon import carbon_factors
from profiler.machine.device import find_device
from profiler.machine.environment import cpu_name
from profiler.values.statistics import mean_interval
from training.distribution import ALONE
from training.progress.view import SILENT
from training.recipe import load_recipe
from training.run.epoch_sums import Sums
from training.run.interruption import Interruption
from training.run.loop import train_epoch
from training.run.open_ledger import NoLedger
from training.run.torch_settings import settings
from training.run.training_run import Run, set_up

GOAL = 0.005
IMAGES = 2_560
EPOCHS = 3
"""Of a stretch: some seconds on two cores."""
PHASES_SETTLED = 40
"""About ten epochs of four phases, two minutes of training."""


def open_ledger(folder: Path) -> Ledger:
    return Ledger(folder, recipe={}, epochs=EPOCHS, carbon=carbon_factors())


def stretch(run: Run, epochs: Callable[[], int], *, with_ledger: bool) -> float:
    """Images per second of some epochs, each noted and looked at as the training does."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(Path(folder)).start() if with_ledger else NoLedger()
        begun_s, images = time.perf_counter(), 0
        for _ in range(EPOCHS):
            epoch = epochs()
            with ledger.phase(Phase.TRAIN, epoch) as tally:
                train_epoch(run, epoch, 0, Sums(), Interruption(), tally)
            images += tally.item_count
            ledger.note_epoch(epoch, loss=1.0)
            ledger.settle()
            _ = ledger.joules_so_far, ledger.power_w
        spent_s = time.perf_counter() - begun_s
        ledger.stop()
    return images / spent_s


def settling_share() -> float:
    """CPU seconds of settling `PHASES_SETTLED` phases, over the least time between two."""
    with tempfile.TemporaryDirectory() as folder, open_ledger(Path(folder)) as ledger:
        for attempt in range(2):  # the first one loads the estimator
            for number in range(PHASES_SETTLED):
                with ledger.phase(Phase.TRAIN, number + PHASES_SETTLED * attempt):
                    time.sleep(0.3)
            time.sleep(1.0)
            begun_s = time.thread_time()
            ledger.settle(force=True)
            spent_s = time.thread_time() - begun_s
    return min(spent_s / SELDOM.pause_s, SELDOM.share)


def cpu_share(seconds: float) -> float:
    """Share of one core that its threads take while the caller sleeps."""
    with tempfile.TemporaryDirectory() as folder, open_ledger(Path(folder)):
        time.sleep(1.0)
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        time.sleep(seconds)
        cpu_s = time.process_time() - begun_cpu_s
        return cpu_s / (time.perf_counter() - begun_s)


def verdict(low: float, high: float) -> str:
    if high <= GOAL:
        return "met"
    return "MISSED" if low > GOAL else "not decided: quieten the machine, or give more --rounds"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    recipe = replace(load_recipe("full"), data=options.data, epochs=10**6)
    chance, pairs = random.Random(0), []
    with settings(recipe, options.threads), tempfile.TemporaryDirectory() as folder:
        run, _ = set_up(
            recipe, Path(folder), device=find_device("cpu"), group=ALONE, ledger=NoLedger(),
            view=SILENT, carbon=carbon_factors(), state=None,
        )  # fmt: skip
        part = run.splits.train.subset(torch.arange(min(IMAGES, len(run.splits.train))))
        run, numbers = replace(run, splits=replace(run.splits, train=part)), iter(range(1, 10**6))
        stretch(run, lambda: next(numbers), with_ledger=True)
        for _ in range(options.rounds):
            order = chance.sample([True, False], 2)
            rates = {w: stretch(run, lambda: next(numbers), with_ledger=w) for w in order}
            pairs.append(math.log(rates[False] / rates[True]))
    lost = mean_interval(pairs)
    settled = settling_share()
    print(f"{cpu_name()}, {options.threads} threads, torch {torch.__version__}")
    print(f"  without settling  {100 * lost.point:6.2f} %  [{100 * lost.low:.2f}, "
          f"{100 * lost.high:.2f}] of images/s, {options.rounds} pairs")  # fmt: skip
    print(f"  settling          {100 * settled:6.2f} %  every {SELDOM.pause_s:g} s")
    print(f"  its threads       {100 * cpu_share(20.0):6.2f} %  of one core")
    low, high = lost.low + settled, lost.high + settled
    print(
        f"cost of the ledger  {100 * (lost.point + settled):6.2f} %  goal {100 * GOAL:g} %, "
        f"{verdict(low, high)}"
    )
    return 1 if low > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
