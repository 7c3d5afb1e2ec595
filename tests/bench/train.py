"""Training against its goals: `python -m tests.bench.train --data parquet:FOLDER`.

Speed: the lightweight network on CIFAR-10, by this project's loop and by a plain one (a DataLoader
with torchvision's transforms item by item, fp32, channels first, batch 128), in turns in the same
process. The plain loop may have its data decoded in its own process or by two workers: the faster
of the two counts. Medians of rounds; other load on the machine counts for both.

Digits: the recipe in fresh processes on one thread, import and decoding included, five seeds.

`--full` adds the accuracy of `full`, scaled to 30 epochs, over three seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from profiler.inputs.base import Normalization
from profiler.ledger import Tally
from profiler.machine.carbon import carbon_factors
from profiler.machine.device import find_device
from profiler.machine.environment import cpu_name
from profiler.workload.target import resolve
from training.data.splits import Pixels
from training.distribution import ALONE
from training.progress.view import SILENT
from training.recipe import Recipe, load_recipe
from training.run.epoch_sums import Sums
from training.run.interruption import Interruption
from training.run.loop import train, train_epoch
from training.run.open_ledger import NoLedger
from training.run.torch_settings import settings
from training.run.training_run import Run, set_up

PLAIN_BATCH = 128
IMAGES = 10_240
"""Of one stretch of a round: a few seconds on two cores."""
SKIPPED_BATCHES = 8
"""What workers may have ready when a stretch begins is not timed."""
SPEED_GOAL = 3.0
DIGITS_GOAL, DIGITS_GOAL_S = 0.99, 20.0
FULL_GOAL, FULL_EPOCHS, FULL_SEEDS = 0.82, 30, (0, 1, 2)


class Items(Dataset[tuple[Tensor, int]]):
    """What torchvision's CIFAR10 does: an array in memory, a PIL image and transforms an item."""

    def __init__(self, pixels: Pixels, normalization: Normalization) -> None:
        self._arrays = pixels.images.permute(0, 2, 3, 1).contiguous().numpy()
        self._labels = pixels.labels.tolist()
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(normalization.mean, normalization.std),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._arrays[index])), self._labels[index]


@dataclass
class Plain:
    """The loop of the study: zero_grad, forward, backward, step, loss and accuracy by item()."""

    model: nn.Module
    batches: Iterator[tuple[Tensor, Tensor]]
    optimizer: torch.optim.Optimizer

    def images_per_s(self) -> float:
        for _ in range(SKIPPED_BATCHES):
            self._step(*next(self.batches))
        begun_s = time.perf_counter()
        for _ in range(IMAGES // PLAIN_BATCH):
            self._step(*next(self.batches))
        return IMAGES / (time.perf_counter() - begun_s)

    def _step(self, images: Tensor, labels: Tensor) -> None:
        self.optimizer.zero_grad()
        outputs = self.model(images)
        loss = nn.functional.cross_entropy(outputs, labels)
        loss.backward()
        self.optimizer.step()
        loss.item()
        outputs.max(1)[1].eq(labels).sum().item()


def plain_loop(run: Run, workers: int) -> Plain:
    items = Items(run.splits.train, run.splits.normalization)
    loader = DataLoader(
        items, batch_size=PLAIN_BATCH, shuffle=True, drop_last=True, num_workers=workers
    )

    def forever() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    model = resolve("lightweight", num_classes=10).model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    return Plain(model, forever(), optimizer)


def our_loop(run: Run) -> Callable[[], float]:
    """One epoch of a part of the data, by the loop that trains."""
    stop, epochs = Interruption(), iter(range(1, run.recipe.epochs + 1))

    def images_per_s() -> float:
        begun_s, tally = time.perf_counter(), Tally()
        train_epoch(run, next(epochs), 0, Sums(), stop, tally)
        return tally.item_count / (time.perf_counter() - begun_s)

    return images_per_s


def speed(data: str, threads: int, rounds: int) -> None:
    """Print the rates of all loops, and the ratio of ours to the best rival."""
    recipe = replace(load_recipe("full"), data=data)
    with settings(recipe, threads), tempfile.TemporaryDirectory() as folder:
        run, _ = set_up(
            recipe, Path(folder), device=find_device("cpu"), group=ALONE, ledger=NoLedger(),
            view=SILENT, carbon=carbon_factors(), state=None,
        )  # fmt: skip
        rivals = {f"plain, {n} workers": plain_loop(run, n).images_per_s for n in (0, 2)}
        part = run.splits.train.subset(torch.arange(IMAGES))
        short = replace(run, splits=replace(run.splits, train=part))
        ours = f"{recipe.dtype}, channels last, batch {recipe.batch_size}"
        loops = {**rivals, ours: our_loop(short)}
        rates: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(rounds):
            for name, images_per_s in loops.items():
                rates[name].append(images_per_s())
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, found in rates.items():
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"  {name:34}{medians[name]:>8,.0f} images/s   ({spread})")
    best = max(rivals, key=lambda name: medians[name])
    pairs = zip(rates[ours], rates[best], strict=True)
    ratio = statistics.median(mine / rival for mine, rival in pairs)
    print(
        f"  median ratio to {best}: {ratio:.2f}, goal {SPEED_GOAL:g}{verdict(ratio >= SPEED_GOAL)}"
    )


def digits() -> None:
    """Print accuracy and seconds of five seeds."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = ["-m", "training", "train", "--recipe", "digits", "--device", "cpu", "--threads", "1"]
    for seed in range(5):
        with tempfile.TemporaryDirectory() as folder:
            begun_s = time.perf_counter()
            done = subprocess.run(
                [sys.executable, *words, "--seed", str(seed), "--out", f"{folder}/run", "--json"],
                env=environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
            spent_s = time.perf_counter() - begun_s
        (outcome,) = json.loads(done.stdout)["runs"]
        accuracy = outcome["test_accuracy"]["point"]
        is_met = accuracy >= DIGITS_GOAL and spent_s < DIGITS_GOAL_S
        print(f"  seed {seed}: {accuracy:.2%} in {spent_s:.1f} s{verdict(is_met)}")


def full(data: str, threads: int, out: Path) -> None:
    """Print the test accuracy of each seed and their mean."""
    accuracies = []
    for seed in FULL_SEEDS:
        recipe: Recipe = replace(load_recipe("full"), data=data, epochs=FULL_EPOCHS, seed=seed)
        begun_s = time.perf_counter()
        outcome = train(
            recipe, out / f"seed{seed}", device="cpu", threads=threads, carbon=carbon_factors()
        )
        assert outcome.test_accuracy is not None
        accuracies.append(outcome.test_accuracy.point)
        print(f"  seed {seed}: {accuracies[-1]:.2%} in {time.perf_counter() - begun_s:.0f} s")
    mean = statistics.mean(accuracies)
    print(f"  mean {mean:.2%}, goal {FULL_GOAL:.0%}{verdict(mean >= FULL_GOAL)}")


def verdict(is_met: bool) -> str:
    return "" if is_met else "   MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--full", action="store_true", help="add 3 seeds of 30 epochs")
    parser.add_argument("--out", type=Path, help="keep the folders of --full here")
    options = parser.parse_args()
    print(f"{cpu_name()}, {options.threads} threads, torch {torch.__version__}")
    print("lightweight, CIFAR-10: training rate")
    speed(options.data, options.threads, options.rounds)
    print(f"digits, one thread: goal {DIGITS_GOAL:.0%} in {DIGITS_GOAL_S:g} s")
    digits()
    if options.full:
        print(f"lightweight, CIFAR-10, {FULL_EPOCHS} epochs of full: top-1 on test")
        with tempfile.TemporaryDirectory() as folder:
            full(options.data, options.threads, options.out or Path(folder))


if __name__ == "__main__":
    main()
