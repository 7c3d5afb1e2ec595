"""Models quantized by torchao and by its export flow (pt2e) count like the dense model."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from profiler import count

# torchao warns of its own use of torch's internals, and of flows that it will replace.
pytestmark = pytest.mark.filterwarnings("ignore")

quantization = pytest.importorskip("torchao.quantization")


class Small(nn.Module):
    """A grouped convolution, a norm that is folded, a residual addition and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.mix = nn.Conv2d(8, 8, 1)
        self.slim = nn.Conv2d(8, 16, 3, stride=2, groups=2)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = x + torch.relu(self.mix(x))
        return self.head(self.slim(x).mean((2, 3)))


SMALL_MACS = 2 * (256 * 8 * 27 + 256 * 8 * 8 + 49 * 16 * 4 * 9 + 160)
SMALL_PARAMETERS = 8 * 27 + 8 + 64 + 8 + 16 * 4 * 9 + 16 + 160 + 10


@pytest.mark.parametrize(
    "name",
    [
        "Int8WeightOnlyConfig",
        "Int8DynamicActivationInt8WeightConfig",
        "Int8DynamicActivationIntxWeightConfig",
        "IntxWeightOnlyConfig",
    ],
)
def test_linear_layers_quantized_in_place_keep_their_macs(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32)).eval()
    dense = count(copy.deepcopy(model), torch.zeros(8, 64))
    quantization.quantize_(model, getattr(quantization, name)())
    costs = count(model, torch.randn(8, 64))
    assert costs.mac_count == dense.mac_count == 8 * (64 * 128 + 128 * 32)
    assert costs.parameter_count == dense.parameter_count
    assert costs.uncounted_ops == ()


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    """One model at each stage of the export flow, calibrated on noise."""
    pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e")
    backend = pytest.importorskip("torchao.quantization.pt2e.quantizer.x86_inductor_quantizer")
    lowering = pytest.importorskip("torchao.quantization.pt2e.lowering")
    torch.manual_seed(0)
    images = (torch.randn(2, 3, 16, 16),)
    quantizer = backend.X86InductorQuantizer()
    quantizer.set_global(backend.get_default_x86_inductor_quantization_config())
    exported = torch.export.export(Small().eval(), images).module()
    prepared = pt2e.prepare_pt2e(exported, quantizer)
    prepared(*images)
    converted = pt2e.convert_pt2e(copy.deepcopy(prepared))
    lowered = lowering.lower_pt2e_quantized_to_x86(copy.deepcopy(converted), images)
    return {"prepared": prepared, "converted": converted, "lowered": lowered}


@pytest.mark.parametrize("stage", ["prepared", "converted", "lowered"])
def test_every_stage_of_the_export_flow_counts_the_same(stages: dict[str, Any], stage: str) -> None:
    costs = count(stages[stage], torch.randn(2, 3, 16, 16))
    assert (costs.mac_count, costs.uncounted_ops) == (SMALL_MACS, ())
    assert costs.parameter_count == SMALL_PARAMETERS


def test_weights_frozen_to_int8_are_counted_once_and_by_their_bytes(stages: dict[str, Any]) -> None:
    images = torch.randn(2, 3, 16, 16)
    dense_bytes = 4 * SMALL_PARAMETERS
    for stage in ("converted", "lowered"):
        costs = count(stages[stage], images)
        biases = 8 + 8 + 16 + 10
        assert costs.parameter_bytes == (SMALL_PARAMETERS - biases) + 4 * biases
        assert costs.size_bytes < dense_bytes / 2
