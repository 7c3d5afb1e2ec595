from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from profiler.variants.apply import apply_all, finished
from profiler.variants.int8_qat import RoundedModule
from profiler.variants.reference import TransformCall
from profiler.workload.quantized import QuantizedModule
from profiler.workload.transformed import transforms_of

from .nets import answer, decibels, images

# torchao warns of its own use of torch's internals.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_network_learns_with_the_rounding_and_then_has_integers() -> None:
    torch.manual_seed(0)
    # No norm: torchao looks for one behind a convolution by patterns that take it half a minute.
    layers = (nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(1568, 10))
    call = TransformCall(name="int8-qat")
    rounded = apply_all(
        nn.Sequential(*layers), [call], is_trained=True, for_training=True,
        load_batches=lambda: [images()],
    )  # fmt: skip
    assert isinstance(rounded, RoundedModule)
    before = copy.deepcopy(rounded.state_dict())
    optimizer = torch.optim.SGD(rounded.parameters(), lr=0.01)
    rounded.train()
    for seed in range(3):
        optimizer.zero_grad()
        rounded(images(seed)).square().mean().backward()
        optimizer.step()
    rounded.eval()
    after = rounded.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert any(name.endswith("weight") for name in changed)
    assert torch.equal(answer(rounded, images()), answer(rounded, images()))  # drops nothing now

    wanted = answer(rounded, images())
    quantized = finished(rounded, device="cpu")
    assert isinstance(quantized, QuantizedModule)
    assert decibels(wanted, answer(quantized, images())) > 25
    (applied,) = transforms_of(quantized)
    assert (applied.weight_bits, applied.left_alone) == (8, ())
