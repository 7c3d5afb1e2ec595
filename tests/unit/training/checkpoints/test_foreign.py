"""Checkpoints of other programs: Lightning, timm, torch.save, safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from profiler.errors import CheckpointError, UsageError
from profiler.machine.carbon import carbon_factors
from profiler.workload.target import resolve
from tests.unit.training.pictures import NETWORK, tiny_recipe, write_pictures
from training.checkpoints.foreign import load_foreign
from training.evaluation.checkpoint_evaluation import evaluate_checkpoint
from training.evaluation.prediction import predict
from training.run import loop

Weights = dict[str, torch.Tensor]


@pytest.fixture
def reference(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NETWORK, encoding="utf-8")
    return f"{tmp_path / 'net.py'}:net"


@pytest.fixture
def weights(reference: str) -> Weights:
    torch.manual_seed(0)
    return dict(resolve(reference).model.state_dict())


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


FORMS: dict[str, Any] = {
    "plain": lambda w: w,
    "cifar": lambda w: {"net": prefixed(w, "module."), "acc": 93.1, "epoch": 7},
    "compiled": lambda w: {"state_dict": prefixed(w, "_orig_mod.")},
    "lightning": lambda w: {
        "state_dict": {**prefixed(w, "model."), "criterion.weight": torch.ones(2)},
        "hyper_parameters": {"lr": 0.1}, "epoch": 3,
    },
    "lightning-ema": lambda w: {
        "state_dict": {
            **prefixed({name: tensor * 0 for name, tensor in w.items()}, "ema_model."),
            **prefixed(w, "net."),
        }
    },
    "averaged-alone": lambda w: {"state_dict_ema": prefixed(w, "module.module."), "epoch": 1},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_other_programs_are_found(
    tmp_path: Path, reference: str, weights: Weights, form: str
) -> None:
    path = tmp_path / f"{form}.ckpt"
    torch.save(FORMS[form](weights), path)
    network, info, (finding,) = load_foreign(path, "cpu", model=reference, image_size=8)
    loaded = network.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())
    assert info.class_names == ("class 0", "class 1")
    assert ("unused: criterion.weight" in finding.observed) == (form == "lightning")
    assert ("prefix 'model.'" in finding.observed) == (form == "lightning")


def test_they_are_evaluated_and_predict_with_what_the_flags_say(
    tmp_path: Path, reference: str, weights: Weights
) -> None:
    path = tmp_path / "other.safetensors"
    save_file(prefixed(weights, "backbone."), path)
    spec = write_pictures(tmp_path / "pictures", {"train": 4, "test": 6})
    found = evaluate_checkpoint(path, data=spec, model=reference, device="cpu", cost_seconds=0)
    assert (found.image_count, [one.name for one in found.per_class]) == (12, ["class0", "class1"])
    assert any("prefix 'backbone.'" in finding.observed for finding in found.findings)
    picture = next((tmp_path / "pictures").rglob("*.png"))
    (seen,) = predict(path, [picture], model=reference, image_size=8, device="cpu")
    assert {guess.name for guess in seen.guesses} == {"class 0", "class 1"}

    with pytest.raises(CheckpointError, match="does not say what model it is of") as refused:
        evaluate_checkpoint(path, data=spec, device="cpu", cost_seconds=0)
    assert refused.value.hint == "name it: --model REF"
    with pytest.raises(CheckpointError, match="does not say what it was trained on"):
        evaluate_checkpoint(path, model=reference, device="cpu", cost_seconds=0)
    with pytest.raises(UsageError, match="how large the images") as refused_size:
        predict(path, [picture], model=reference, device="cpu")
    assert "--image-size" in (refused_size.value.hint or "")


def test_code_in_one_is_refused_with_a_hint(tmp_path: Path, reference: str) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("ran",)

    torch.save({"state_dict": Harmful()}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError) as refused:
        load_foreign(tmp_path / "bad.pth", "cpu", model=reference, image_size=8)
    assert "state_dict() alone" in (refused.value.hint or "")


def test_another_programs_weights_can_teach(tmp_path: Path, weights: Weights) -> None:
    path = tmp_path / "teacher.pth"
    torch.save({"net": prefixed(weights, "module.")}, path)
    recipe = tiny_recipe(tmp_path, epochs=1, teacher=str(path))
    taught = {**vars_of(recipe), "teacher_model": recipe.model}
    outcome = loop.train(
        type(recipe)(**taught), tmp_path / "run", device="cpu", carbon=carbon_factors(), meters=[],
        threads=1,
    )  # fmt: skip
    assert outcome.epochs_done == 1
    with pytest.raises(CheckpointError) as refused:
        loop.train(
            recipe, tmp_path / "other", device="cpu", carbon=carbon_factors(), meters=[], threads=1
        )
    assert refused.value.hint == "name it: --teacher-model REF"


def vars_of(recipe: Any) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in recipe.__slots__}
