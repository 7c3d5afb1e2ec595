"""Channels that go, and weights that become zero."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from profiler.counting import compressed_bytes, count
from profiler.values.applied_transform import score_by_ratio, score_of_variant
from profiler.values.score import efficiency_score
from profiler.variants import build, transform
from profiler.workload.transformed import transforms_of

from .nets import FixedWidth, answer, images, net


def test_channels_are_gone_widths_are_round_and_the_head_stays() -> None:
    model, x = net(), images()
    variant = transform(model, "prune=0.5", data=x)
    (applied,) = transforms_of(variant)
    dense, slim = count(model, x[:1]), count(variant, x[:1])
    widths = [module.out_channels for module in variant.modules() if isinstance(module, nn.Conv2d)]
    assert widths == [8, 16, 16, 16, 16, 16, 16]
    assert variant.head.out_features == 10
    assert applied.p_s == pytest.approx(0.5)
    assert (applied.parameter_count_before, applied.mac_count_before) == (
        dense.parameter_count, dense.mac_count,
    )  # fmt: skip
    assert slim.mac_count < 0.3 * dense.mac_count


def test_the_score_takes_the_saving_once_either_way() -> None:
    model, x = net(), images()
    variant = transform(model, "prune=0.5+bf16", data=x)
    applied = transforms_of(variant)
    dense, slim = count(model, x[:1]), count(variant, x[:1])
    by_counts = score_of_variant(
        applied, parameter_count=slim.parameter_count, mac_count=slim.mac_count
    )
    assert float(by_counts) == float(
        efficiency_score(
            parameter_count=slim.parameter_count, mac_count=slim.mac_count, q_w=16, q_a=16
        )
    )
    by_ratio = score_by_ratio(applied)
    assert by_ratio is not None
    assert float(by_ratio) == float(
        efficiency_score(
            parameter_count=dense.parameter_count, mac_count=dense.mac_count,
            p_s=applied[0].p_s, q_w=16, q_a=16,
        )
    )  # fmt: skip


def test_a_width_that_the_code_states_is_left_and_told() -> None:
    variant = transform(FixedWidth(), "prune=0.5", data=images())
    reasons = {item.layer: item.reason for item in transforms_of(variant)[0].left_alone}
    assert "code" in reasons["first"]
    assert (variant.first.out_channels, variant.second.out_channels) == (32, 16)


def test_the_shapes_of_a_pruned_network_follow_from_its_name() -> None:
    torch.manual_seed(1)
    one = build("lightweight+prune=0.5", num_classes=10).model.state_dict()
    torch.manual_seed(2)
    other = build("lightweight+prune=0.5", num_classes=10).model.state_dict()
    assert {key: value.shape for key, value in one.items()} == {
        key: value.shape for key, value in other.items()
    }


def test_the_smallest_weights_of_the_whole_network_become_zero() -> None:
    model = net()
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    everything = torch.cat([weight.detach().abs().flatten() for weight in weights])
    variant = transform(model, "sparsify=0.9")
    kept = torch.cat([p.detach().flatten() for p in variant.parameters() if p.ndim >= 2])
    zero_count = int((kept == 0).sum())
    assert zero_count == round(0.9 * everything.numel())
    assert float(kept[kept != 0].abs().min()) >= float(everything.kthvalue(zero_count).values)
    total = sum(parameter.numel() for parameter in variant.parameters())
    nonzero = sum(int(parameter.count_nonzero()) for parameter in variant.parameters())
    assert transforms_of(variant)[0].p_u == pytest.approx(1 - nonzero / total)
    assert compressed_bytes(variant.parameters()) < compressed_bytes(model.parameters()) / 3


def test_zeros_stay_zero_in_training() -> None:
    given = build("lightweight", num_classes=10).model.state_dict()
    from profiler.variants import GivenWeights

    weights = GivenWeights(
        name="w", reference="lightweight", load=lambda model: model.load_state_dict(given) and None
    )
    model = build(
        "lightweight+sparsify=0.8", num_classes=10, weights=weights, for_training=True
    ).model.train()
    before = {name: p.detach() == 0 for name, p in model.named_parameters() if p.ndim >= 2}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 32, 32)).square().mean().backward()
        optimizer.step()
    for name, mask in before.items():
        assert torch.equal(model.get_parameter(name).detach() == 0, mask)
    assert bool(torch.isfinite(answer(model, torch.zeros(2, 3, 32, 32))).all())
