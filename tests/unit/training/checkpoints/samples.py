"""A small run and its files, for the tests of checkpoints."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiler.inputs.base import Normalization
from profiler.values.estimate import Basis, Estimate
from training.checkpoints.checkpoint import Info, State, capture
from training.recipe import Recipe
from training.result import CurvePoint

CLASSES = tuple(f"class {number}" for number in range(7))
ENERGY = Estimate(
    point=10.0,
    low=9.0,
    high=11.0,
    unit="J",
    confidence=0.95,
    basis=Basis.MEASURED,
    source="a test",
)


def info(**changes: Any) -> Info:
    """An Info of a run that stands after its first epoch."""
    values: dict[str, Any] = {
        "recipe": Recipe(model="lightweight", epochs=3, ema_decay=0.9),
        "class_names": CLASSES,
        "input_shape": (3, 16, 16),
        "normalization": Normalization(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)),
        "epochs_done": 1,
        "step": 12,
        "best_accuracy": 0.75,
        "best_epoch": 1,
        "curve": (
            CurvePoint(
                epoch=1,
                loss=1.5,
                train_accuracy=0.5,
                validation_accuracy=0.75,
                learning_rate=0.1,
                energy_j=ENERGY,
                duration_s=2.0,
            ),
        ),
        "notes": {"loss_sum": 3.25, "seen": [1, 2, None]},
    }
    return Info(**values | changes)


def network(class_count: int = len(CLASSES)) -> nn.Module:
    """The zoo's smallest network, with fresh weights."""
    from profiler.workload.target import resolve

    return resolve("lightweight", num_classes=class_count).model


def trained(
    model: nn.Module, optimizer: torch.optim.Optimizer, *, size: int = 16, steps: int = 2
) -> None:
    """Take steps on random images, so that moments and statistics are there."""
    for _ in range(steps):
        loss = model(torch.randn(4, 3, size, size)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def small_state(**changes: Any) -> State:
    """A state after two steps of SGD with momentum."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    trained(model, optimizer)
    averaged = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return capture(info(**changes), model=model, optimizer=optimizer, ema=averaged)


def edit_header(path: Path, edit: Any) -> None:
    """Rewrite a safetensors file with another JSON header, its tensors untouched.

    Args:
        path: the file.
        edit: given the JSON of the key "wattprof" as an object, returns what to store there: an
            object, or text as it is, or None for no such key.
    """
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    edited = edit(json.loads(header["__metadata__"]["wattprof"]))
    if edited is None:
        header["__metadata__"] = {"format": "pt"}
    else:
        header["__metadata__"]["wattprof"] = (
            edited if isinstance(edited, str) else json.dumps(edited)
        )
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content[8 + length :])
