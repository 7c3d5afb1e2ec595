"""How long counting takes beside torch's own FlopCounterMode: `python -m tests.bench.count`.

Both run in one process on the meta device, where nothing is computed and only their own cost is
left, and on the CPU; the fastest of several rounds, alternating, is compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from profiler.counting import count

MODELS = ("resnet152", "vit_b_16", "swin_t")
LIMIT = 1.3


def flop_counter(model: torch.nn.Module, x: torch.Tensor) -> None:
    with FlopCounterMode(display=False):
        model(x)


def seconds(run: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    run()
    return time.perf_counter() - start_s


def compare(name: str, device: str, round_count: int) -> float:
    """Prints one row, and gives our time divided by FlopCounterMode's."""
    with torch.device(device):
        model = getattr(torchvision.models, name)().eval()
        x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        count(model, x)
        flop_counter(model, x)
        ours, theirs = [], []
        for _ in range(round_count):
            ours.append(seconds(lambda: count(model, x)))
            theirs.append(seconds(lambda: flop_counter(model, x)))
    ratio = min(ours) / min(theirs)
    print(
        f"{name:10} {device:5} count {1e3 * min(ours):8.1f} ms"
        f"  FlopCounterMode {1e3 * min(theirs):8.1f} ms  {ratio:5.2f}x"
    )
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ratios = [compare(name, device, rounds) for device in ("meta", "cpu") for name in MODELS]
    print(f"worst {max(ratios):.2f}x, limit {LIMIT}x")
    return 0 if max(ratios) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
