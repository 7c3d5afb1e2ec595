"""Whole models, whose exact counts are known, on the meta device."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch
import torchvision
from torch import nn

from profiler.counting import count, count_on_meta

KNOWN = {
    "resnet18": (1_814_073_344, 11_689_512),
    "resnet50": (4_089_184_256, 25_557_032),
    "resnet152": (11_513_626_624, 60_192_808),
    "vit_b_16": (17_563_828_224, 86_567_656),
    "swin_t": (4_490_566_656, 28_288_354),
    "convnext_tiny": (4_455_531_264, 28_589_128),
}


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", KNOWN)
def test_torchvision_models_are_exact_in_every_gradient_mode(name: str, mode: type) -> None:
    with torch.device("meta"):
        model = getattr(torchvision.models, name)().eval()
        x = torch.empty(1, 3, 224, 224)
    with mode():
        costs = count(model, x)
    assert (costs.mac_count, costs.parameter_count) == KNOWN[name]
    assert costs.uncounted_ops == ()
    assert costs.covered_share == 1


def lightweight() -> nn.Module:
    def block(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(3, 16, 2), *block(16, 32, 2), nn.MaxPool2d(2, 1), *block(32, 64, 1),
        *block(64, 128, 1), *block(128, 128, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(128, 100),
    )  # fmt: skip


def test_the_lightweight_network_counts_its_max_pool() -> None:
    model = lightweight().eval()
    for costs in (
        count(model, torch.randn(1, 3, 32, 32)),
        count_on_meta(model, torch.randn(1, 3, 32, 32)),
    ):
        assert (costs.mac_count, costs.parameter_count) == (12_159_488, 258_292)


def test_macs_grow_with_the_batch_and_parameters_do_not() -> None:
    one, many = (count(lightweight(), torch.randn(n, 3, 32, 32)) for n in (1, 7))
    assert many.mac_count == 7 * one.mac_count
    assert many.weight_read_bytes == one.weight_read_bytes


def test_the_model_that_is_counted_on_meta_is_not_run_and_not_changed() -> None:
    model = lightweight()
    ran: list[int] = []
    model[0].register_forward_hook(lambda *_: ran.append(model[0].weight.device.type))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_on_meta(model, torch.randn(2, 3, 32, 32))
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert model[0].weight.device.type == "cpu"
    assert set(ran) <= {"cpu"}


SEVEN_BILLION = """
    import resource, time
    import torch
    from torch import nn
    from profiler.counting import count

    class Block(nn.Module):
        def __init__(self, width, heads, inner):
            super().__init__()
            self.heads = heads
            self.qkv, self.out = nn.Linear(width, 3 * width, False), nn.Linear(width, width, False)
            self.gate, self.up = nn.Linear(width, inner, False), nn.Linear(width, inner, False)
            self.down = nn.Linear(inner, width, False)
            self.norms = nn.ModuleList([nn.RMSNorm(width), nn.RMSNorm(width)])

        def forward(self, x):
            b, t, c = x.shape
            qkv = self.qkv(self.norms[0](x)).view(b, t, 3, self.heads, -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
            z = self.norms[1](x)
            return x + self.down(nn.functional.silu(self.gate(z)) * self.up(z))

    with torch.device("meta"):
        blocks = [Block(4096, 32, 11008) for _ in range(32)]
        model = nn.Sequential(nn.Embedding(32000, 4096), *blocks, nn.Linear(4096, 32000, False))
        ids = torch.empty(1, 2048, dtype=torch.long)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad():
        costs = count(model, ids)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(costs.mac_count, costs.parameter_count, costs.uncounted_ops, round(grown))
"""


def test_a_transformer_of_seven_billion_parameters_takes_little_memory() -> None:
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SEVEN_BILLION)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    mac_count, parameter_count, uncounted, grown = run.stdout.split()
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 4096 * 32000
    assert int(mac_count) == 2048 * weights + 32 * 2 * 2048**2 * 4096
    assert int(parameter_count) == weights + 4096 * 32000 + 32 * 2 * 4096
    assert uncounted == "()"
    assert int(grown) < 200


def test_fvcore_agrees_on_a_convolutional_network() -> None:
    opinion = count(
        lightweight().eval(), torch.randn(1, 3, 32, 32), second_opinion=True
    ).second_opinion
    assert opinion is not None
    assert (opinion.verdict, opinion.mac_count, opinion.differing_ops) == ("agree", 12_159_488, ())
    assert opinion.source.startswith("fvcore")


def test_fvcore_disagrees_by_name_where_it_misses_an_operator() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.layer(x)
            return nn.functional.scaled_dot_product_attention(x, x, x)

    model = Attention()
    opinion = count(model, torch.randn(1, 2, 5, 8), second_opinion=True).second_opinion
    assert opinion is not None
    assert opinion.verdict == "disagree"
    assert opinion.differing_ops == (("matrix product", 640 + 800, 640),)
    assert opinion.unsupported_ops == ("aten::scaled_dot_product_attention",)
    assert not model._forward_hooks


def test_fvcore_takes_no_keywords_and_says_so() -> None:
    opinion = count(
        nn.Linear(8, 4), {"input": torch.randn(3, 8)}, second_opinion=True
    ).second_opinion
    assert opinion is not None
    assert opinion.verdict == "unavailable"
    assert opinion.reason == "it takes no keyword arguments"
