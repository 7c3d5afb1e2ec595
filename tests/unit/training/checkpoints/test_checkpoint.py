"""What is written comes back: tensors bit by bit, numbers, and the objects of a run."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from profiler.errors import CheckpointError, TrainingError, UsageError
from profiler.workload.target import resolve
from profiler.workload.weights import load_weights
from tests.unit.training.checkpoints.samples import CLASSES, info, network, small_state, trained
from training.checkpoints.checkpoint import (
    State,
    capture,
    check_recipe,
    load_checkpoint,
    load_info,
    load_model,
    restore,
    save_checkpoint,
    save_weights,
)
from training.recipe import Recipe
from training.run_folder import BEST, LAST


def same(tree, other):
    """Whether two trees have the same types, keys, numbers and bits."""
    if isinstance(tree, torch.Tensor):
        return (
            isinstance(other, torch.Tensor)
            and tree.dtype == other.dtype
            and tree.stride() == other.stride()
            and torch.equal(tree, other)
        )
    if isinstance(tree, Mapping):
        return list(tree) == list(other) and all(same(tree[key], other[key]) for key in tree)
    if isinstance(tree, list | tuple):
        return type(tree) is type(other) and all(map(same, tree, other)) and len(tree) == len(other)
    return type(tree) is type(other) and tree == other


def there_and_back(state, path):
    save_checkpoint(path / LAST, state)
    return load_checkpoint(path / LAST)


def test_a_state_comes_back_equal(tmp_path):
    state = small_state()
    stored = there_and_back(state, tmp_path)
    assert stored.info == state.info
    assert stored.info.curve[0].energy_j == state.info.curve[0].energy_j
    for part in ("model", "ema", "optimizer", "scaler", "rng"):
        assert same(getattr(state, part), getattr(stored, part)), part


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(3),
        torch.tensor(0.1, dtype=torch.float64),
        torch.randn(3, 5).bfloat16(),
        torch.randn(3, 5).half(),
        torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last),
        torch.randn(4, 3, 2, 2, 2).to(memory_format=torch.channels_last_3d),
        torch.empty(0, 4),
        torch.tensor([True, False]),
        torch.tensor([255], dtype=torch.uint8),
    ],
    ids=lambda tensor: f"{str(tensor.dtype)[6:]}-{tensor.dim()}d",
)
def test_every_kind_of_tensor_survives(tmp_path, tensor):
    state = State(info=info(), model={"weight": tensor}, optimizer={0: {"moment": tensor}})
    stored = there_and_back(state, tmp_path)
    assert same(stored.model["weight"], tensor)
    assert same(stored.optimizer, {0: {"moment": tensor}})


def test_what_is_no_tensor_survives_with_its_types(tmp_path):
    tree = {
        0: {"momentum_buffer": None, "step": 3.0, "betas": (0.9, 0.999), "flags": [True, 1]},
        "0": torch.ones(2),
        1: {},
    }
    assert same(
        there_and_back(State(info=info(), model={}, optimizer=tree), tmp_path).optimizer, tree
    )


def test_keys_that_differ_in_type_alone_keep_their_tensors(tmp_path):
    tree = {0: torch.zeros(2), "0": torch.ones(2)}
    stored = there_and_back(State(info=info(), model={}, optimizer=tree), tmp_path).optimizer
    assert same(stored, tree)


def test_what_cannot_be_stored_is_named():
    with pytest.raises(TypeError, match=r"cannot hold the set at optimizer\.0\.odd"):
        save_checkpoint(None, State(info=info(), model={}, optimizer={0: {"odd": {1}}}))


class Tied(nn.Module):
    """Two layers of one weight, and views of one buffer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(7, 7)
        self.second = nn.Linear(7, 7)
        self.second.weight = self.first.weight
        whole = torch.randn(6, 7)
        self.register_buffer("upper", whole[:3])
        self.register_buffer("lower", whole[3:])
        self.register_buffer("turned", torch.randn(3, 7).t())
        self.register_buffer("repeated", torch.randn(1).expand(7))


def test_tied_sliced_and_turned_weights_survive(tmp_path):
    model, other = Tied(), Tied()
    save_weights(tmp_path / BEST, info(), model.state_dict())
    with torch.no_grad():
        other.repeated = other.repeated.clone()
    load_weights(other, tmp_path / BEST)
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name
    assert other.second.weight is other.first.weight


def test_best_holds_plain_weights_that_the_profiler_takes(tmp_path):
    state = small_state()
    save_weights(tmp_path / BEST, state.info, state.evaluated)
    assert set(load_file(tmp_path / BEST)) == set(network().state_dict())
    model = network()
    load_weights(model, tmp_path / BEST)
    assert torch.equal(model.state_dict()["classifier.weight"], state.ema["classifier.weight"])


def test_last_has_the_documented_names(tmp_path):
    there_and_back(small_state(), tmp_path)
    names = load_file(tmp_path / LAST)
    assert {name.partition(".")[0] for name in names} == {"model", "ema", "optimizer", "rng"}
    assert "optimizer.0.momentum_buffer" in names


def test_the_readable_json_is_the_header(tmp_path):
    there_and_back(small_state(), tmp_path)
    document = json.loads((tmp_path / "last.json").read_text())
    assert document["schema_version"] == 1
    assert document["info"]["class_names"] == list(CLASSES)
    assert document["info"]["curve"][0]["energy_j"]["basis"] == "measured"


def optimizers(model):
    yield torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    yield torch.optim.AdamW(model.parameters(), lr=0.01)
    yield torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, fused=True)
    yield torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)


@pytest.mark.parametrize("kind", range(4), ids=["sgd", "adamw", "fused-sgd", "fused-adamw"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_restored_objects_go_on_bit_by_bit(tmp_path, kind, memory_format):
    def made(seed):
        torch.manual_seed(seed)
        model = network().to(memory_format=memory_format)
        return model, list(optimizers(model))[kind]

    model, optimizer = made(0)
    trained(model, optimizer)
    save_checkpoint(tmp_path / LAST, capture(info(), model=model, optimizer=optimizer))
    trained(model, optimizer, steps=3)

    again, other = made(5)
    state = load_checkpoint(tmp_path / LAST)
    restore(state, tmp_path / LAST, model=again, optimizer=other)
    trained(again, other, steps=3)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_moments_take_the_layout_of_their_parameters(tmp_path):
    """A fused optimizer pairs values by their place in memory."""
    state = there_and_back(small_state(), tmp_path)
    model = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    restore(state, tmp_path / LAST, model=model, optimizer=optimizer)
    for number, parameter in enumerate(model.parameters()):
        moment = optimizer.state[parameter]["momentum_buffer"]
        assert moment.stride() == parameter.stride()
        assert torch.equal(moment, state.optimizer[number]["momentum_buffer"])


def test_the_optimizer_keeps_its_own_hyperparameters(tmp_path):
    state = there_and_back(small_state(), tmp_path)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.1)
    restore(state, tmp_path / LAST, model=model, optimizer=optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["momentum"] == 0.1


def test_averaged_weights_and_scaler_are_restored(tmp_path):
    state = small_state()
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    scaler.scale(torch.ones(1))  # its state is made with its first use
    values = scaler.state_dict() | {"scale": 32.0, "_growth_tracker": 7}
    stored = there_and_back(replace(state, scaler=values), tmp_path)
    model, averaged = network(), network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    restore(stored, tmp_path, model=model, optimizer=optimizer, ema=averaged, scaler=scaler)
    assert scaler.get_scale() == 32.0
    for name, tensor in state.ema.items():
        assert torch.equal(averaged.state_dict()[name], tensor)


def test_wrappers_leave_no_mark_on_names(tmp_path):
    model = network()
    compiled = torch.compile(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    state = capture(info(), model=compiled, optimizer=optimizer)
    assert set(state.model) == set(model.state_dict())
    stored = there_and_back(state, tmp_path)
    restore(stored, tmp_path / LAST, model=torch.compile(network()), optimizer=optimizer)


def test_the_model_is_rebuilt_from_either_file(tmp_path):
    state = small_state()
    there_and_back(state, tmp_path)
    save_weights(tmp_path / BEST, state.info, state.evaluated)
    for name in (LAST, BEST):
        before = torch.get_rng_state()
        model, found = load_model(tmp_path / name)
        assert torch.equal(torch.get_rng_state(), before)
        assert found == state.info
        assert not model.training
        weight = model.state_dict()["classifier.weight"]
        assert torch.equal(weight, state.ema["classifier.weight"])
        assert model(torch.zeros(1, 3, 16, 16)).shape == (1, len(CLASSES))


@pytest.mark.parametrize("reference", ["torchvision:squeezenet1_1", "timm:lcnet_035"])
def test_models_of_libraries_are_rebuilt_without_being_named(tmp_path, reference):
    if reference.startswith("timm"):
        pytest.importorskip("timm")
    made = resolve(reference, num_classes=len(CLASSES)).model
    path = tmp_path / BEST
    save_weights(path, info(recipe=Recipe(model=reference, epochs=3)), made.state_dict())
    model, _ = load_model(path)
    for name, tensor in made.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)
    conv = next(item for item in model.modules() if isinstance(item, nn.Conv2d))
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_info_is_read_from_either_file(tmp_path):
    state = small_state()
    there_and_back(state, tmp_path)
    save_weights(tmp_path / BEST, state.info, state.evaluated)
    assert load_info(tmp_path / LAST) == load_info(tmp_path / BEST) == state.info


def test_weights_alone_are_not_gone_on_with(tmp_path):
    save_weights(tmp_path / BEST, info(), network().state_dict())
    with pytest.raises(CheckpointError, match="weights alone") as caught:
        load_checkpoint(tmp_path / BEST)
    assert LAST in caught.value.hint


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_diverged_weights_do_not_replace_good_ones(tmp_path, value):
    state = small_state()
    there_and_back(state, tmp_path)
    before = (tmp_path / LAST).read_bytes()
    state.model["classifier.bias"][0] = value
    with pytest.raises(TrainingError, match=r"model\.classifier\.bias"):
        save_checkpoint(tmp_path / LAST, state)
    assert (tmp_path / LAST).read_bytes() == before


def test_a_changed_recipe_is_told_field_by_field():
    check_recipe(Recipe(), Recipe())
    with pytest.raises(UsageError) as caught:
        check_recipe(Recipe(epochs=10), Recipe(epochs=20, ema_decay=0.99))
    assert "epochs was 10 and is now 20" in caught.value.message
    assert "ema_decay was None and is now 0.99" in caught.value.message
    assert "--epochs, --ema-decay" in caught.value.hint


def test_a_finished_run_says_so(tmp_path):
    assert there_and_back(small_state(epochs_done=3), tmp_path).info.is_finished
    assert not there_and_back(small_state(epochs_done=2), tmp_path).info.is_finished


@pytest.mark.parametrize("name", ["naïve", "श्\u200dर", "👩\u200d🔬", "a b", ""])
def test_class_names_of_any_script_survive(tmp_path, name):
    names = (name, *CLASSES[1:])
    assert there_and_back(small_state(class_names=names), tmp_path).info.class_names == names


@pytest.mark.parametrize("name", ["cat\n", "\x1b[31mred", "\u202ekcab"])
def test_names_that_could_not_be_read_back_are_refused_when_written(tmp_path, name):
    """Otherwise a run would train for hours, and then not be resumed."""
    with pytest.raises(UsageError, match="control characters") as caught:
        save_checkpoint(tmp_path / LAST, small_state(class_names=(name, *CLASSES[1:])))
    assert "rename" in caught.value.hint
    assert not (tmp_path / LAST).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ()},
        {"input_shape": (3, 0, 16)},
        {"input_shape": (3, 10**6, 16)},
        {"epochs_done": 4},
        {"epochs_done": -1},
        {"step": -1},
        {"best_accuracy": 1.5},
    ],
    ids=str,
)
def test_info_refuses_what_no_run_can_have(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        info(**changes)
