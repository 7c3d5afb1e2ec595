"""Ensembles, and where weights go in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from profiler.errors import CheckpointError, ProfilerError
from profiler.values.applied_transform import score_by_ratio
from profiler.variants import build, weights_of
from profiler.workload.transformed import transforms_of


def stored(folder: Path, reference: str, stated: str | None) -> Path:
    """Fresh weights of a variant in a file that states, or does not state, what they are."""
    path = folder / f"{reference}.safetensors".replace("=", "")
    model = build(reference, num_classes=10).model
    header = {"info": {"recipe": {"model": stated}, "input_shape": [3, 32, 32]}}
    save_file(model.state_dict(), path, {"wattprof": json.dumps(header)} if stated else None)
    return path


@pytest.mark.parametrize("is_stated", [True, False])
@pytest.mark.parametrize("trained", ["lightweight", "lightweight+groups=4"])
def test_weights_go_in_where_they_were_trained(
    tmp_path: Path, trained: str, is_stated: bool
) -> None:
    path = stored(tmp_path, trained, trained if is_stated else None)
    model = build("lightweight+groups=4", num_classes=10, weights=weights_of(path)).model
    began_dense = any("began from the dense" in note for note in transforms_of(model)[0].notes)
    assert began_dense == (trained == "lightweight")
    head = build(trained, num_classes=10, weights=weights_of(path)).model.classifier.weight
    assert torch.equal(model.classifier.weight, head)


NET = """
from torch import nn
class Net(nn.Linear):
    def __init__(self, num_classes=100):
        super().__init__(3, num_classes)
class Fixed(nn.Linear):
    def __init__(self):
        super().__init__(3, 10)
finished = nn.Linear(3, 10)
"""


@pytest.mark.parametrize("callable_name", ["Net", "Fixed", "finished"])
def test_a_checkpoint_says_how_many_classes_its_model_has(
    tmp_path: Path, callable_name: str
) -> None:
    (tmp_path / "net.py").write_text(NET)
    reference, path = f"{tmp_path}/net.py:{callable_name}", tmp_path / "best.safetensors"
    info = {"recipe": {"model": reference}, "input_shape": [3, 32, 32]}
    info["class_names"] = list("abcdefghij")
    weights = {"weight": torch.ones(10, 3), "bias": torch.zeros(10)}
    save_file(weights, path, {"wattprof": json.dumps({"info": info})})
    model = build(reference, weights=weights_of(path)).model
    assert torch.equal(model.weight, weights["weight"])
    # Nor is a network built for classes that only the header knows of.
    info["class_names"] = [str(label) for label in range(100_000)]
    save_file(weights, path, {"wattprof": json.dumps({"info": info})})
    assert weights_of(path).class_count is None


@pytest.mark.parametrize("asked", ["lightweight", "lightweight+sparsify=0.5", "lightweight+bf16"])
def test_a_variants_checkpoint_is_refused_under_another_name(tmp_path: Path, asked: str) -> None:
    path = stored(tmp_path, "lightweight+sparsify=0.9", "lightweight+sparsify=0.9")
    with pytest.raises(CheckpointError, match="holds weights of 'lightweight") as refused:
        build(asked, num_classes=10, weights=weights_of(path))
    assert "lightweight+sparsify=0.9" in (refused.value.hint or "")


def test_the_share_of_zeros_is_that_of_the_weights_that_were_loaded(tmp_path: Path) -> None:
    name = "lightweight+sparsify=0.9"
    path = stored(tmp_path, name, name)
    one, two = (
        build(name, num_classes=10, weights=weights_of(path)).model,
        build(name, num_classes=10, weights=weights_of(path)).model,
    )
    assert transforms_of(one)[0].p_u == transforms_of(two)[0].p_u > 0.85
    assert torch.equal(one.classifier.weight, two.classifier.weight)


def test_a_network_is_pruned_in_steps_each_from_the_trained_one_before(tmp_path: Path) -> None:
    path = stored(tmp_path, "lightweight+prune=0.3", "lightweight+prune=0.3")
    before = build("lightweight+prune=0.3", num_classes=10, weights=weights_of(path)).model
    after = build("lightweight+prune=0.3+prune=0.3", num_classes=10, weights=weights_of(path)).model
    assert torch.equal(after.classifier.bias, before.classifier.bias)
    assert after.classifier.in_features < before.classifier.in_features
    first, second = transforms_of(after)
    assert second.parameter_count_before == sum(p.numel() for p in before.parameters())
    by_ratio = score_by_ratio((first, second))
    assert by_ratio is not None
    assert by_ratio.inputs["p_s"] == pytest.approx(1 - (1 - first.p_s) * (1 - second.p_s))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("lightweight+prune=0.5", "needs trained weights before it"),
        ("lightweight+int8", "cannot be trained in int8"),
        ("ensemble(lightweight,lightweight)", "has the weights of its members"),
    ],
)
def test_what_cannot_be_trained_says_what_to_do(reference: str, message: str) -> None:
    with pytest.raises(ProfilerError, match=message) as refused:
        build(reference, num_classes=10, for_training=True)
    assert refused.value.hint


def test_an_ensemble_votes_by_the_mean_of_probabilities_and_charges_everybody(
    tmp_path: Path,
) -> None:
    first = stored(tmp_path, "lightweight", "lightweight")
    second = stored(tmp_path, "lightweight+groups=2", "lightweight+groups=2")
    reference = f"ensemble(lightweight@{first},lightweight+groups=2@{second})"
    ensemble = build(reference, num_classes=10).model.eval()
    members = [
        build(name, num_classes=10, weights=weights_of(path)).model.eval()
        for name, path in (("lightweight", first), ("lightweight+groups=2", second))
    ]
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        wanted = torch.stack([member(x).softmax(1) for member in members]).mean(0)
        torch.testing.assert_close(ensemble(x).softmax(1), wanted)
    sizes = [sum(p.numel() for p in model.parameters()) for model in (ensemble, *members)]
    assert sizes[0] == sizes[1] + sizes[2]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("ensemble(lightweight,lightweight+bf16)", "differ in precision"),
        ("ensemble(lightweight,torchvision:squeezenet1_1)", "different shapes"),
        ("ensemble(lightweight,resnet18)+groups=2", "changes the structure of each member"),
    ],
)
def test_members_that_do_not_fit_together_are_refused(reference: str, message: str) -> None:
    with pytest.raises(ProfilerError, match=message):
        build(reference, num_classes=10)
