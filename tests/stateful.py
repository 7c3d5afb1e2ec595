"""Models that change something when they are called, and what a call of each multiplies."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn


class Hooked(nn.Module):
    """Installs a hook at its first call, which widens the output of its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.is_ready = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.is_ready:
            self.layer.register_forward_hook(lambda module, args, out: torch.cat([out, out], -1))
            self.is_ready = True
            return self.layer(x)[..., :8]
        return self.layer(x)[..., :8]


class Growing(nn.Module):
    """Keeps the keys of all calls, as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.k = torch.ones(10, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.k = torch.cat([self.k, x])
        return x @ self.k.T


class Streaming(nn.Module):
    """A convolution that remembers the end of what it was given, in place, in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3)
        self.register_buffer("past", torch.zeros(1, 4, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        whole = torch.cat([self.past, x], -1)
        self.past.copy_(whole[..., -2:])
        return self.conv(whole)


class Cache:
    """What some libraries hand a model: keys that every call appends to."""

    __slots__ = ("keys", "steps")

    def __init__(self) -> None:
        self.keys = torch.ones(10, 8)
        self.steps: list[int] = []


class Decoder(nn.Module):
    """Appends to a cache among its inputs."""

    def forward(self, x: torch.Tensor, cache: Cache) -> torch.Tensor:
        cache.keys = torch.cat([cache.keys, x])
        cache.steps.append(len(cache.steps))
        return x @ cache.keys.T


class Writer(nn.Module):
    """Writes into the dict of a batch, and takes an item out of its list."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        while batch["rows"]:
            batch["out"] = self.layer(batch["rows"].pop())
        batch["x"] *= 2
        return batch["out"]


class Everything(nn.Module):
    """Changes attributes of every kind."""

    shared: list[int] = []  # noqa: RUF012 - on the class on purpose

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.order: OrderedDict[str, int] = OrderedDict(a=1, b=2)
        self.nested = {"deep": [{"deeper": (torch.zeros(2), [1, 2])}]}
        self.recent = deque([1, 2], maxlen=2)
        self.plain = torch.zeros(3)
        self.array = np.zeros(3)
        self.numpy_generator = np.random.default_rng(0)
        self.torch_generator = torch.Generator()
        self.counts = _counter()

    def forward(self, x: torch.Tensor, seen: list[int] = []) -> torch.Tensor:  # noqa: B006
        self.shared.append(1)
        seen.append(1)
        self.counts()
        self.order.move_to_end("a")
        self.order["c"] = 3
        self.nested["deep"][0]["deeper"][0].add_(1)
        self.nested["deep"][0]["deeper"][1].append(3)
        self.recent.append(3)
        self.plain += 1
        self.array[0] += 1
        noise = torch.rand(1, generator=self.torch_generator) + torch.rand(1)
        noise = noise + self.numpy_generator.random() + np.random.rand() + random.random()
        self.layer.weight.data = self.layer.weight.data * 0.5
        self.layer.bias.data.mul_(0.5)
        x.requires_grad_()
        x.data.add_(noise)
        self.__class__ = Changed
        return self.layer(x)


class Changed(Everything):
    """What `Everything` turns into."""


def _counter() -> Callable[[], int]:
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return count

    return step


class Generating(nn.Module):
    """Its work is done when the result is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        for _ in range(3):
            yield self.layer(x)


class Pair(NamedTuple):
    """A named tuple as the one input of a model."""

    left: torch.Tensor
    right: torch.Tensor


class Force(nn.Module):
    """Differentiates its energy by the positions, as force fields do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.requires_grad_()
        return torch.autograd.grad(self.layer(x).square().sum(), x)[0]


def batch() -> dict[str, Any]:
    """What `Writer` is given."""
    return {"x": torch.ones(2, 8), "rows": [torch.ones(3, 8), torch.ones(4, 8)]}


STATEFUL: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any], int]] = {
    "hooks at the first call": (Hooked, lambda: torch.ones(2, 8), 128),
    "a growing attribute": (Growing, lambda: torch.ones(1, 8), 88),
    "a streaming convolution": (Streaming, lambda: torch.ones(1, 4, 6), 288),
    "a growing cache": (Decoder, lambda: (torch.ones(1, 8), Cache()), 88),
    "a batch that is written to": (Writer, lambda: (batch(),), 448),
    "attributes of every kind": (Everything, lambda: torch.ones(2, 8), 128),
}
"""By what it changes: the model, its inputs, and the MACs of a call from the first state."""


def contents(thing: Any) -> Any:
    """Everything that a model, its inputs and the process's random generators hold, as copies."""
    if isinstance(thing, torch.Tensor):
        return (thing.dtype, thing.requires_grad, thing.detach().clone().tolist())
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    if isinstance(thing, np.random.Generator):
        return repr(thing.bit_generator.state)
    if isinstance(thing, torch.Generator):
        return thing.get_state().tolist()
    if isinstance(thing, dict):
        return [(key, contents(value)) for key, value in thing.items()]
    if isinstance(thing, (list, tuple, deque)):
        return [contents(item) for item in thing]
    if isinstance(thing, nn.Module):
        return [type(thing), contents(vars(thing)), type(thing).forward.__defaults__]
    if isinstance(thing, Cache):
        return [contents(thing.keys), list(thing.steps)]
    cells = getattr(thing, "__closure__", None) or ()
    return [repr(thing), [repr(cell.cell_contents) for cell in cells]]


def everything(model: nn.Module, inputs: Any) -> Any:
    """The state of a model, its inputs and the process."""
    return contents(
        [model, list(getattr(model, "shared", [])), inputs, torch.get_rng_state(),
         random.getstate(), np.random.get_state()]
    )  # fmt: skip
