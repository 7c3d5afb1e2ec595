"""A data set that takes a moment: bright and dark pictures of 8x8, and a network for them."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image

from training.recipe import Recipe

SIDE = 8
NETWORK = """
from torch import nn

def net(num_classes=2):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes),
    )
"""


def write_pictures(folder: Path, counts: dict[str, int], classes: int = 2, side: int = SIDE) -> str:
    """Write a class folder each of noise around another grey; the spec that names them."""
    chance = random.Random(0)
    for split, count in counts.items():
        for label in range(classes):
            place = folder / split / f"class{label}"
            place.mkdir(parents=True)
            for number in range(count):
                grey = 255 * (label + 1) // (classes + 1)
                pixels = bytes(
                    max(0, min(255, grey + chance.randint(-20, 20))) for _ in range(3 * side * side)
                )
                Image.frombytes("RGB", (side, side), pixels).save(place / f"{number:03}.png")
    return f"folder:{folder}"


def tiny_recipe(folder: Path, **changes: object) -> Recipe:
    """A recipe for pictures that are written into the folder: 10 steps an epoch."""
    spec = write_pictures(folder / "pictures", {"train": 20, "test": 8})
    (folder / "net.py").write_text(NETWORK, encoding="utf-8")
    values: dict[str, object] = {
        "model": f"{folder / 'net.py'}:net", "data": spec, "epochs": 3, "batch_size": 4,
        "learning_rate": 0.1, "crop_padding": 1, "dtype": "fp32",
    }  # fmt: skip
    return Recipe(**{**values, **changes})  # type: ignore[arg-type]  # checked by the recipe itself
