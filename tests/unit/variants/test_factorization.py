from __future__ import annotations

import pytest
import torch

from profiler.counting import count
from profiler.errors import TransformError
from profiler.values.applied_transform import score_of_variant
from profiler.variants import build, transform
from profiler.workload.transformed import transforms_of

from .nets import answer, images, net

STUDY = {
    "resnet18": (11_173_962, 555_422_720, 3.979003, 1.989501, 0.994751),
    "resnet18+groups=2": (5_681_226, 281_744_384, 2.020735, 1.010367, 0.505184),
    "resnet18+groups=4": (2_934_858, 144_905_216, 1.041600, 0.520800, 0.260400),
    "resnet18+groups=8": (1_561_674, 76_485_632, 0.552033, 0.276017, 0.138008),
    "resnet18+depthwise": (1_439_626, 73_049_088, 0.517966, 0.258983, 0.129491),
}


@pytest.mark.parametrize("reference", STUDY)
def test_counts_and_scores_are_those_of_the_study(reference: str) -> None:
    parameter_count, mac_count, *scores = STUDY[reference]
    with torch.device("meta"):
        target = build(reference, num_classes=10)
        costs = count(target.model.eval(), torch.empty(1, 3, 32, 32))
    assert (costs.parameter_count, costs.mac_count) == (parameter_count, mac_count)
    applied = transforms_of(target.model)
    for bits, score in zip((32, 16, 8), scores, strict=True):
        found = score_of_variant(
            applied, parameter_count=parameter_count, mac_count=mac_count, default_bits=bits
        )
        assert float(found) == pytest.approx(score, abs=5e-7)


def test_a_dense_layer_that_was_grouped_all_along_answers_the_same() -> None:
    model, x = net(), images()
    with torch.no_grad():
        for block in model.blocks:
            for conv in (block.conv1, block.conv2):
                mask = torch.block_diag(
                    *[torch.ones(conv.out_channels // 4, conv.in_channels // 4)] * 4
                )
                conv.weight *= mask[:, :, None, None]
    variant = transform(model, "groups=4")
    torch.testing.assert_close(answer(variant, x), answer(model, x), atol=1e-5, rtol=1e-5)
    assert "keeps 100%" in transforms_of(variant)[0].notes[0]


def test_a_dense_layer_that_is_separable_answers_the_same() -> None:
    model, x = net(), images()
    with torch.no_grad():
        for block in model.blocks:
            for conv in (block.conv1, block.conv2):
                across = torch.randn(conv.out_channels, conv.in_channels, 1, 1)
                conv.weight.copy_(across * torch.randn(1, conv.in_channels, 3, 3) / 10)
    variant = transform(model, "depthwise")
    torch.testing.assert_close(answer(variant, x), answer(model, x), atol=1e-4, rtol=1e-4)


def test_what_does_not_divide_names_the_layer_and_what_would() -> None:
    with pytest.raises(TransformError, match=r"16 -> 32 channels of layer 'blocks.0.conv1'") as no:
        transform(net(), "groups=3")
    assert no.value.hint == "groups=2"


def test_stem_and_shortcuts_stay_dense() -> None:
    variant = transform(net(), "groups=4")
    assert variant.stem.groups == variant.blocks[0].shortcut.groups == 1
    (left,) = transforms_of(variant)[0].left_alone
    assert left.layer == "stem"


def test_a_model_without_dense_kernels_is_told_which_layer_there_is() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 8, 3, groups=8))
    with pytest.raises(TransformError, match="'1' is grouped already"):
        transform(model, "depthwise")
