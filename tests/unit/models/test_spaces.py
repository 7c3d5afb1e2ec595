from __future__ import annotations

import random

import pytest
import torch

from models import SPACES, find_point, propose_point
from models.cli import main
from profiler.counting import count
from profiler.errors import TargetError
from profiler.variants import build, members_of, parse

EXAMPLE = "residual:stem=16:widths=32-64:depths=2-2:strides=2-2"
RESNET20 = "residual:stem=16:widths=16-32-64:depths=3-3-3:strides=1-2-2"


def counts(reference: str) -> tuple[int, int]:
    with torch.device("meta"):
        target = build(reference, num_classes=10)
        costs = count(target.model.eval(), torch.empty(1, *(target.input_shape or ())))
    assert costs.uncounted_ops == ()
    assert costs.parameter_count is not None
    return costs.parameter_count, costs.mac_count


def test_resnet20_has_the_papers_size_and_two_projections() -> None:
    # He et al., table 6: 0.27 M parameters, 40.55 M MACs with the layer table below.
    convolutions = 3 * 16 * 9 * 32**2 + 6 * 16 * 16 * 9 * 32**2
    convolutions += (16 * 32 + 5 * 32 * 32) * 9 * 16**2 + (32 * 64 + 5 * 64 * 64) * 9 * 8**2
    projections = 16 * 32 * 16**2 + 32 * 64 * 8**2
    parameters, macs = counts(RESNET20)
    assert macs == convolutions + projections + 640
    assert parameters == 269_722 + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64


@pytest.mark.parametrize(
    "fields", ["", ":groups=4", ":groups=1-8", ":squeeze=8", ":stem-stride=2:groups=2:squeeze=4"]
)
def test_a_point_learns_and_its_name_leads_back_to_it(fields: str) -> None:
    point = find_point(EXAMPLE + fields)
    network = point(num_classes=7)
    logits = network(torch.randn(2, *point.input_shape))
    assert logits.shape == (2, 7)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert find_point(str(point)) == point
    assert str(point) == EXAMPLE + fields


def test_the_order_of_fields_is_free_and_what_is_written_has_one() -> None:
    point = find_point("residual:strides=2-2:depths=2-2:groups=1:widths=32-64:stem=16")
    assert str(point) == EXAMPLE


def test_groups_cut_the_convolutions_of_their_stage_alone() -> None:
    dense, grouped = (counts(EXAMPLE + fields)[0] for fields in ("", ":groups=1-4"))
    assert dense - grouped == (32 * 64 + 3 * 64 * 64) * 9 * 3 // 4


def test_a_point_takes_transforms_and_is_a_member_of_ensembles() -> None:
    variant = parse(f"{EXAMPLE}+groups=8+int8")
    assert (variant.base, len(variant.transforms)) == (EXAMPLE, 2)
    members = members_of(f"ensemble({EXAMPLE}@a.safetensors,{RESNET20})")
    assert members is not None
    assert [member.reference for member in members] == [EXAMPLE, RESNET20]
    assert counts(f"{EXAMPLE}+groups=8")[1] < counts(EXAMPLE)[1]


def test_dense_layers_add_their_growth_and_transitions_halve() -> None:
    parameters, macs = counts("densenet:stem=16:growth=8:depths=2-1:bottleneck=2")
    first = [(3, 16, 9), (16, 16, 1), (16, 8, 9), (24, 16, 1), (16, 8, 9), (32, 16, 1)]
    second = [(16, 16, 1), (16, 8, 9)]
    sizes = [[i * o * kernel for i, o, kernel in block] for block in (first, second)]
    norms = 2 * sum(o for _, o, _ in first + second)
    assert parameters == sum(map(sum, sizes)) + norms + 24 * 10 + 10
    assert macs == sum(sizes[0]) * 32**2 + sum(sizes[1]) * 16**2 + 24 * 10


@pytest.mark.parametrize("name", SPACES)
def test_whatever_a_search_chooses_can_be_built(name: str) -> None:
    generator = random.Random(0)
    for _ in range(8):
        reference = propose_point(name, lambda _, options: generator.choice(options))
        with torch.device("meta"):
            logits = find_point(reference)(num_classes=10)(torch.empty(2, 3, 32, 32))
        assert logits.shape == (2, 10)


@pytest.mark.parametrize("name", SPACES)
def test_every_example_is_a_point(name: str) -> None:
    assert str(find_point(SPACES[name].example)) == SPACES[name].example


def test_the_list_shows_how_a_network_of_each_space_is_written(capsys) -> None:
    assert main(["list"]) == 0
    shown = "".join(capsys.readouterr().out.split())
    for name, space in SPACES.items():
        assert f"{name}:{space.description}".replace(" ", "") in shown
        assert space.usage in shown
        assert space.example in shown


@pytest.mark.parametrize(
    ("reference", "said", "hint"),
    [
        ("residul:stem=16", "no space 'residul'; nearest: residual", EXAMPLE),
        ("residual", "'residual' is a space, not a model", EXAMPLE),
        ("residual:", "'residual:' is a space, not a model", EXAMPLE),
        ("residual:stm=16", "no field 'stm'; nearest: stem", "stem, widths, depths"),
        ("residual:stem=16", "the field widths is missing", EXAMPLE),
        ("residual:stem=16:stem=8", "the field stem is written twice", EXAMPLE),
        ("residual:stem=16:widths", "'widths' is no field and its value", EXAMPLE),
        ("residual:stem=x", "stem is 'x', not whole numbers", EXAMPLE),
        ("residual:stem=123456", "each of up to 5 digits", EXAMPLE),
        ("residual:stem=8-8", "stem is '8-8', not one whole number", EXAMPLE),
        ("residual:stem=8:widths=32,64", "widths is '32,64'", EXAMPLE),
        ("residual:stem=8:widths=32-64:depths=2:strides=2-2", "2 stages have 1 depths", EXAMPLE),
        (f"{EXAMPLE}:groups=1-1-1", "2 stages have 3 groups", EXAMPLE),
        (f"{EXAMPLE}:groups=5", "5 groups do not divide 16 -> 32 channels", EXAMPLE),
        (f"{EXAMPLE}:squeeze=40", "32 channels cannot be squeezed to one in 40", EXAMPLE),
        ("residual:stem=8:widths=8:depths=0:strides=1", "at least 1", EXAMPLE),
        ("residual:stem=8:widths=8:depths=1:strides=9", "a stride is 1 to 4", EXAMPLE),
    ],
)
def test_what_is_no_point_is_told_what_is_wrong(reference: str, said: str, hint: str) -> None:
    with pytest.raises(TargetError) as refused:
        build(reference)
    assert said in str(refused.value)
    assert hint in (refused.value.hint or "")
