import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from profiler.errors import CheckpointError
from profiler.workload.weights import fit_weights, load_weights, read_weights


def network(classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, classes))


class RunsCode:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trained():
    torch.manual_seed(1)
    return network().state_dict()


def assert_loaded(model, weights):
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in weights.items())


def test_safetensors_and_state_dicts_are_loaded(tmp_path, trained):
    save_file(trained, tmp_path / "a.safetensors")
    torch.save(trained, tmp_path / "b.pt")
    for name in ("a.safetensors", "b.pt"):
        model = network()
        load_weights(model, tmp_path / name)
        assert_loaded(model, trained)


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_state_dict_is_found_in_its_container(tmp_path, trained, key):
    torch.save({"epoch": 3, key: trained}, tmp_path / "c.pt")
    model = network()
    load_weights(model, tmp_path / "c.pt")
    assert_loaded(model, trained)


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
)
def test_the_prefix_of_a_wrapper_is_dropped(tmp_path, trained, prefix):
    torch.save({prefix + name: tensor for name, tensor in trained.items()}, tmp_path / "d.pt")
    model = network()
    load_weights(model, tmp_path / "d.pt")
    assert_loaded(model, trained)


def test_files_from_before_the_step_counter_are_loaded(tmp_path, trained):
    older = {name: t for name, t in trained.items() if not name.endswith("num_batches_tracked")}
    torch.save(older, tmp_path / "e.pt")
    model = network()
    load_weights(model, tmp_path / "e.pt")
    assert_loaded(model, older)


def test_a_half_precision_file_fills_a_full_precision_model(tmp_path, trained):
    halves = {name: t.half() if t.is_floating_point() else t for name, t in trained.items()}
    torch.save(halves, tmp_path / "f.pt")
    model = network()
    load_weights(model, tmp_path / "f.pt")
    assert model[0].weight.dtype is torch.float32
    assert torch.allclose(model[0].weight, trained["0.weight"], atol=1e-3)


def test_a_pickle_that_wants_to_run_code_is_refused_and_not_run(tmp_path):
    torch.save({"state_dict": RunsCode(str(tmp_path / "made"))}, tmp_path / "evil.pt")
    with pytest.raises(
        CheckpointError, match=r"wants to run (posix|os)\.mkdir when loaded"
    ) as caught:
        load_weights(network(), tmp_path / "evil.pt")
    assert "safetensors" in caught.value.hint
    assert not (tmp_path / "made").exists()


def test_a_whole_pickled_model_is_refused(tmp_path):
    torch.save(network(), tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match=r"wants to run torch\.nn") as caught:
        load_weights(network(), tmp_path / "whole.pt")
    assert "state_dict()" in caught.value.hint


def spoiled(trained, name, tensor):
    return {**trained, name: tensor}


def without(trained, *names):
    return {name: tensor for name, tensor in trained.items() if name not in names}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda w: spoiled(w, "3.weight", torch.zeros(5, 2)),
            "'3.weight' in .* has shape 5x2, the model's has 3x2",
        ),
        (lambda w: spoiled(w, "0.weight", torch.zeros(2, 1, 3, 3)), "2x1x3x3, the model's"),
        (lambda w: without(w, "0.weight", "0.bias"), "it lacks 0.weight, 0.bias"),
        (lambda w: spoiled(w, "9.weight", torch.zeros(1)), "it has the unknown 9.weight"),
        (
            lambda w: {f"head.{n}": torch.zeros(1) for n in range(9)},
            "1.weight and 5 more and has the unknown head.0, head.1, head.2 and 6 more",
        ),
        (lambda w: spoiled(w, "3.bias", torch.tensor([0.0, float("nan"), 0.0])), "'3.bias' .* NaN"),
        (lambda w: spoiled(w, "3.bias", torch.full((3,), float("inf"))), "'3.bias' .* infinite"),
        (
            lambda w: spoiled(w, "3.bias", torch.zeros(3, dtype=torch.int8)),
            "is torch.int8, the model's is torch.float32",
        ),
        (lambda w: [1, 2], "holds no state dict but a list"),
        (lambda w: {"epoch": 3}, "holds no state dict but a dict"),
        (lambda w: {}, "holds no state dict but a dict"),
        (lambda w: torch.zeros(3), "holds no state dict but a Tensor"),
    ],
)
def test_weights_that_do_not_fit_are_named_and_change_nothing(tmp_path, trained, spoil, message):
    torch.save(spoil(trained), tmp_path / "bad.pt")
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_weights(model, tmp_path / "bad.pt")
    assert_loaded(model, before)


def test_a_wrong_number_of_classes_tells_the_flag(tmp_path):
    torch.save(network(5).state_dict(), tmp_path / "five.pt")
    with pytest.raises(CheckpointError) as caught:
        load_weights(network(3), tmp_path / "five.pt")
    assert "--classes 5" in caught.value.hint


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no weights here, only words", "can be read"),
        (b"\x80\x04", "can be read"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_told_in_one_sentence(tmp_path, suffix, content, message):
    file = tmp_path / f"junk{suffix}"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_weights(network(), file)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_cut_short_is_an_error(tmp_path, trained, suffix):
    whole = tmp_path / f"whole{suffix}"
    save_file(trained, whole) if suffix == ".safetensors" else torch.save(trained, whole)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="can be read"):
        load_weights(network(), cut)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "gone.pt", tmp_path):
        with pytest.raises(CheckpointError, match="there is no checkpoint"):
            load_weights(network(), path)


def test_the_head_for_other_classes_stays_as_it_is_and_is_named(tmp_path, trained):
    path = tmp_path / "three.safetensors"
    save_file(trained, path)
    model = network(classes=5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit = fit_weights(model, read_weights(path), path, class_count=5)
    assert set(fit.fresh) == {"3.bias", "3.weight"}
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name] if name in fit.fresh else trained[name]), name


def test_what_differs_in_more_than_the_classes_is_refused_whole(tmp_path, trained):
    path = tmp_path / "three.safetensors"
    save_file({**trained, "0.weight": torch.zeros(4, 1, 1, 1)}, path)
    model = network(classes=5)
    with pytest.raises(CheckpointError, match="has shape"):
        fit_weights(model, read_weights(path), path, class_count=5)
    with pytest.raises(CheckpointError, match="has shape"):
        fit_weights(model, dict(trained), path)
