"""What holds for every transform, and for every pair of them."""

from __future__ import annotations

from itertools import product

import pytest
import torch

import profiler
from profiler.errors import ProfilerError
from profiler.values.applied_transform import bits_of
from profiler.variants import TRANSFORMS, transform
from profiler.workload.transformed import transforms_of

from .nets import CLASSES, answer, images, net

# torchao warns of its own use of torch's internals.
pytestmark = pytest.mark.filterwarnings("ignore")

CALLS = {
    name: name if item.value is None else f"{name}={item.value.example.replace('8', '2')}"
    for name, item in TRANSFORMS.items()
}
QUICK = [name for name in TRANSFORMS if name != "int8-qat"]
"""Preparing for training with rounding takes torchao ten seconds, whatever the network."""
REFUSED = {
    ("depthwise", "depthwise"): "finds no dense convolution",
    ("depthwise", "groups"): "finds no dense convolution",
    ("groups", "depthwise"): "finds no dense convolution",
    ("groups", "groups"): "finds no dense convolution",
}


@pytest.mark.parametrize("name", QUICK)
def test_a_transform_says_what_it_did_and_leaves_the_given_model_alone(name: str) -> None:
    model, x = net(), images()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    variant = transform(model, CALLS[name], data=x)
    (applied,) = transforms_of(variant)
    stated = TRANSFORMS[name]
    assert applied.name == CALLS[name]
    assert (applied.weight_bits, applied.activation_bits) == (
        stated.weight_bits, stated.activation_bits,
    )  # fmt: skip
    assert answer(variant, x).shape == (len(x), CLASSES)
    assert transforms_of(model) == ()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert (applied.p_s > 0) == (name == "prune")
    assert (applied.p_u > 0) == (name == "sparsify")


@pytest.mark.parametrize(("first", "second"), list(product(QUICK, QUICK)))
def test_any_two_transforms_are_right_or_refused_with_a_reason(first: str, second: str) -> None:
    model, x = net(), images()
    stages = [TRANSFORMS[name].stage for name in (first, second)]
    reason = REFUSED.get((first, second))
    if stages[0] > stages[1] or stages == [2, 2]:
        reason = "cannot follow"
    if reason is not None:
        with pytest.raises(ProfilerError, match=reason) as refused:
            transform(model, f"{CALLS[first]}+{CALLS[second]}", data=x)
        assert refused.value.hint
        return
    variant = transform(model, f"{CALLS[first]}+{CALLS[second]}", data=x)
    applied = transforms_of(variant)
    assert [item.name for item in applied] == [CALLS[first], CALLS[second]]
    assert bits_of(applied)[0] == TRANSFORMS[second].weight_bits or 32
    found = answer(variant, x)
    assert found.shape == (len(x), CLASSES)
    assert bool(torch.isfinite(found).all())


def test_the_library_lists_them() -> None:
    assert profiler.variants.TRANSFORMS is TRANSFORMS
    assert profiler.transform is transform


def test_what_must_run_the_model_asks_for_inputs() -> None:
    with pytest.raises(ProfilerError, match=r"prune=0\.5 must run the model") as refused:
        transform(net(), "prune=0.5")
    assert "data=" in (refused.value.hint or "")


def test_an_absent_package_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch_pruning", None)
    with pytest.raises(ProfilerError, match=r"prune=0\.5 needs torch_pruning") as refused:
        transform(net(), "prune=0.5", data=images())
    assert refused.value.hint == 'pip install "wattprof[compress]"'


def test_the_layer_that_does_not_run_is_named() -> None:
    with pytest.raises(ProfilerError, match="layer 'stem' raised RuntimeError"):
        transform(net(), "prune=0.5", data=torch.zeros(2, 5, 16, 16))
