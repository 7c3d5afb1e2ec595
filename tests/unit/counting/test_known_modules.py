"""Every small module whose count is known is counted exactly, however it is run."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from profiler.counting import count, count_on_meta
from tests.unit.counting.zoo import CASES, Case

# torch itself warns of kernels that it has only as a fallback: even padding, projected LSTM, CSR.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

MODES = {"grad": nullcontext, "no_grad": torch.no_grad, "inference": torch.inference_mode}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_count_is_exact_in_every_gradient_mode(case: Case, mode: str) -> None:
    model = case.model().eval()
    with MODES[mode]():
        costs = count(model, case.inputs())
    assert costs.mac_count == case.mac_count
    assert costs.uncounted_ops == case.uncounted
    assert sum(layer.mac_count for layer in costs.layers) == case.mac_count


@pytest.mark.parametrize("case", [c for c in CASES if c.meta], ids=lambda case: case.name)
def test_count_on_meta_is_the_same(case: Case) -> None:
    costs = count_on_meta(case.model().eval(), case.inputs())
    assert costs.mac_count == case.mac_count
    assert costs.uncounted_ops == case.uncounted
