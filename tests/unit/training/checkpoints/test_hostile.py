"""A file that was damaged, forged or made elsewhere ends in one sentence, and runs nothing."""

import pickle
import random
import struct
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from profiler.errors import CheckpointError, ProfilerError
from profiler.values.codec import encode
from profiler.workload.target import zoo
from tests.unit.training.checkpoints.samples import edit_header, info, network, small_state
from training.checkpoints.checkpoint import (
    load_checkpoint,
    load_model,
    restore,
    save_checkpoint,
    save_weights,
)
from training.recipe import Recipe
from training.run_folder import BEST, LAST

CANARY = """
from pathlib import Path
from torch import nn
(Path(__file__).parent / "ran").touch()
def build(num_classes=7):
    return nn.Linear(3, num_classes)
"""


POINT = encode(info().curve[0])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / LAST
    save_checkpoint(path, small_state())
    return path.read_bytes()


@pytest.fixture
def last(tmp_path, written):
    path = tmp_path / LAST
    path.write_bytes(written)
    return path


def refused(path, match, load=load_checkpoint):
    """Assert that a file is refused in one printable sentence, and give the error."""
    with pytest.raises(CheckpointError, match=match) as caught:
        load(path)
    assert "\n" not in caught.value.message
    assert caught.value.message.isprintable()
    assert not caught.value.message.endswith(".")
    return caught.value


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_a_pickle_under_our_name_runs_nothing(tmp_path):
    path = tmp_path / LAST
    path.write_bytes(pickle.dumps(RunsCode(tmp_path / "ran")))
    refused(path, "no safetensors file")
    torch.save({"model": RunsCode(tmp_path / "ran")}, path)
    refused(path, "no safetensors file")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999999])
def test_a_truncated_file_is_refused(last, written, share):
    last.write_bytes(written[: int(len(written) * share)])
    refused(last, "damaged")


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63 - 1, 2**64 - 1])
def test_a_header_of_absurd_length_is_refused(last, written, length):
    last.write_bytes(struct.pack("<Q", length) + written[8:])
    refused(last, "damaged")


def test_an_absent_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / LAST, "there is no checkpoint")
    refused(tmp_path, "there is no checkpoint")


def test_weights_of_another_program_are_refused_with_the_way_to_use_them(tmp_path):
    path = tmp_path / "theirs.safetensors"
    save_file(network().state_dict(), path)
    assert "profiler measure" in refused(path, "not written by a training run").hint


def test_flipped_bytes_lead_to_nothing_but_refusals(last, written):
    """Damage to numbers alone cannot be told; all else must end in an error of ours."""
    chance = random.Random(0)
    (length,) = struct.unpack("<Q", written[:8])
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    messages = []
    for _ in range(60):
        damaged = bytearray(written)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(8 + length)] = chance.randrange(256)
        last.write_bytes(damaged)
        try:
            restore(load_checkpoint(last), last, model=model, optimizer=optimizer)
            load_model(last)
        except ProfilerError as error:
            messages.append(error.message)
    assert len(messages) > 20
    assert all(message.isprintable() for message in messages)


def changed(**changes):
    """An edit of the header that replaces fields of its info."""

    def edit(document):
        document["info"].update(changes)
        return document

    return edit


def changed_recipe(**changes):
    def edit(document):
        document["info"]["recipe"].update(changes)
        return document

    return edit


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda document: "", "is not valid JSON"),
        (lambda document: "{", "is not valid JSON"),
        (lambda document: "[" * 100_000, "is not valid JSON"),
        (lambda document: "9" * 10_000, "is not valid JSON"),
        (lambda document: '{"schema_version": NaN}', "is not valid JSON"),
        (lambda document: [], "no record of a training run"),
        (lambda document: {}, "no record of a training run"),
        (lambda document: document | {"schema_version": 2}, "version 2, newer than"),
        (lambda document: document | {"schema_version": "1"}, "no schema version"),
        (lambda document: document | {"schema_version": True}, "no schema version"),
        (lambda document: document | {"info": {}}, "recipe is missing"),
        (lambda document: document | {"kind": 3}, "weights alone"),
        (lambda document: document | {"tree": None}, "a part is missing"),
        (lambda document: document | {"tree": {"model": {"value": 1}}}, "damaged"),
        (lambda document: document | {"tree": {"model": {"tensor": "no such"}}}, "damaged"),
        (lambda document: document | {"memory_formats": {"model.classifier.bias": 1}}, "format"),
        (lambda document: document | {"memory_formats": {"rng.cpu": "channels_last"}}, "format"),
        (changed(class_names=[]), "class_names"),
        (changed(class_names="cat"), "class_names is not a list"),
        (changed(class_names=[1, 2]), "class_names"),
        (changed(input_shape=[3, 10**9, 10**9]), "input_shape"),
        (changed(input_shape=[3, 32]), "input_shape has 2 items where 3 belong"),
        (changed(input_shape=[3, 32.5, 32]), "input_shape"),
        (changed(normalization={"mean": [0, 0, 0], "std": [0, 1, 1]}), "normalization"),
        (changed(normalization={"mean": [0, 0], "std": [1, 1]}), "normalization"),
        (changed(normalization={"mean": ["Infinity", 0, 0], "std": [1, 1, 1]}), "normalization"),
        (changed(epochs_done=10**30), "epochs_done"),
        (changed(epochs_done=True), "epochs_done"),
        (changed(epochs_done=None), "epochs_done"),
        (changed(step=-5), "step"),
        (changed(best_accuracy=7), "best_accuracy"),
        (changed(best_accuracy="high"), "best_accuracy"),
        (changed(curve=[{"epoch": 1}]), "curve"),
        (changed(curve={}), "curve"),
        (changed(curve=[POINT | {"epoch": 2}]), "curve"),
        (changed(curve=[POINT | {"loss": "Infinity"}]), "curve"),
        (changed(curve=[POINT | {"train_accuracy": 1.5}]), "curve"),
        (changed(curve=[POINT, POINT]), "curve"),
        (changed(best_epoch=0), "best_epoch"),
        (changed(notes=[]), "notes"),
        (changed(surprise=1), "unknown field 'surprise'"),
        (changed_recipe(epochs=-1), "recipe is not possible: epochs is -1"),
        (changed_recipe(batch_size="many"), "batch_size is not a whole number: 'many'"),
        (changed_recipe(surprise=1), "unknown field 'surprise'"),
        (changed_recipe(learning_rate=10**400), "learning_rate is not finite"),
    ],
)
def test_a_header_of_wrong_types_or_absurd_values_is_refused(last, edit, match):
    edit_header(last, edit)
    refused(last, match)


@pytest.mark.parametrize("escape", ["\x1b[2J", "\r", "\u202e", "\x9b2J", "\u2028", "a" * 20_000])
@pytest.mark.parametrize(
    "edit",
    [
        lambda text: changed(class_names=[text] * 7),
        lambda text: changed_recipe(model=text),
        lambda text: changed_recipe(data=text),
        lambda text: changed_recipe(**{text: 1}),
        lambda text: changed(notes={text: 1}),
        lambda text: changed(curve=[{"epoch": text}]),
    ],
)
def test_text_that_would_act_on_a_terminal_is_refused(last, edit, escape):
    edit_header(last, edit(escape))
    refused(last, "holds control characters|has 20000 characters")


def test_names_of_tensors_are_shown_without_control_characters(tmp_path):
    save_weights(tmp_path / BEST, info(), {"evil\x1b[2J": torch.ones(7)})
    refused(tmp_path / BEST, "does not fit the model", load_model)


def test_weights_that_are_not_finite_are_refused(last, written):
    weights = dict(network().state_dict())
    save_weights(last, info(), weights)
    content = last.read_bytes()
    last.write_bytes(content[:-4] + struct.pack("<f", float("nan")))
    refused(last, "holds NaN", load_model)


def test_a_state_of_another_model_or_optimizer_is_refused(last):
    state = load_checkpoint(last)
    other = torch.nn.Linear(3, 7)
    with pytest.raises(CheckpointError, match="does not fit the model"):
        restore(state, last, model=other, optimizer=torch.optim.SGD(other.parameters(), lr=0.1))
    more = network(class_count=9)
    with pytest.raises(CheckpointError, match="shape"):
        restore(state, last, model=more, optimizer=torch.optim.SGD(more.parameters(), lr=0.1))
    fewer = network()
    with pytest.raises(CheckpointError, match="another optimizer"):
        restore(
            state,
            last,
            model=fewer,
            optimizer=torch.optim.SGD(list(fewer.parameters())[:2], lr=0.1),
        )


@pytest.mark.parametrize(
    "optimizer",
    [
        None,
        3,
        {"0": {}},
        {-1: {}},
        {0: None},
        {0: {"momentum_buffer": torch.zeros(5, 5)}},
        {0: {"momentum_buffer": "text"}},
        {10**9: {}},
    ],
    ids=str,
)
def test_a_forged_state_of_the_optimizer_is_refused(last, optimizer):
    model = network()
    made = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    state = load_checkpoint(last)
    forged = replace(state, optimizer=optimizer)
    with pytest.raises(CheckpointError, match="another optimizer"):
        restore(forged, last, model=model, optimizer=made)


@pytest.mark.parametrize(
    "rng",
    [None, {}, {"cpu": 3}, {"cpu": torch.zeros(3)}, {"cpu": torch.zeros(5056, dtype=torch.uint8)}],
    ids=["none", "empty", "number", "floats", "zeros"],
)
def test_a_forged_state_of_the_random_numbers_is_refused(last, rng):
    model = network()
    made = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    state = load_checkpoint(last)
    forged = replace(state, rng=rng)
    before = torch.get_rng_state()
    with pytest.raises(CheckpointError, match="random numbers"):
        restore(forged, last, model=model, optimizer=made)
    torch.set_rng_state(before)


@pytest.mark.parametrize("scaler", [3, {"scale": "high"}, {"scale": float("inf")}, {"a": None}])
def test_a_forged_state_of_the_loss_scaler_is_refused(last, scaler):
    model = network()
    made = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    state = replace(load_checkpoint(last), scaler=scaler)
    with pytest.raises(CheckpointError, match="loss scaler"):
        restore(state, last, model=model, optimizer=made, scaler=torch.amp.GradScaler("cpu"))


@pytest.mark.parametrize("count", [1, 6, 8, 100_000])
def test_a_class_count_that_does_not_fit_is_refused_before_a_model_is_built(last, count):
    edit_header(last, changed(class_names=["x"] * count))
    refused(last, rf"names {count} classes|shape", load_model)


def test_a_checkpoint_of_another_zoo_model_is_refused(last):
    edit_header(last, changed_recipe(model="resnet18"))
    refused(last, "does not fit the model", load_model)


def stored_as(reference, path):
    save_weights(
        path,
        info(recipe=Recipe(model=reference, epochs=3)),
        torch.nn.Linear(3, 7).state_dict(),
    )


@pytest.mark.parametrize("form", ["file", "module"])
def test_code_that_a_header_names_is_not_run(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "canary_of_a_header.py").write_text(CANARY)
    reference = f"{tmp_path}/canary_of_a_header.py:build"
    if form == "module":
        reference = "canary_of_a_header:build"
    path = tmp_path / BEST
    stored_as(reference, path)

    error = refused(path, "whose code would be run", load_model)
    assert f"--model {reference}" in error.hint
    assert not (tmp_path / "ran").exists()

    refused(path, "not of 'lightweight'", lambda path: load_model(path, model="lightweight"))
    assert not (tmp_path / "ran").exists()

    model, _ = load_model(path, model=reference)
    assert isinstance(model, torch.nn.Linear)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "reference",
    [
        "timm:hf-hub:somebody/model",
        "torchvision:../../evil",
        "os:system",
        "./evil.py:fn",
        "evil.py:fn",
        "torchvision:a:b",
        "hf:somebody=model",
        "space:stem=16",
        "timm:",
        ":fn",
    ],
)
def test_only_plain_names_of_the_three_libraries_are_followed(tmp_path, reference):
    stored_as(reference, tmp_path / BEST)
    refused(tmp_path / BEST, "whose code would be run", load_model)


def test_a_point_of_a_space_is_numbers_and_needs_no_trust(tmp_path):
    reference = "residual:stem=8:widths=8-16:depths=1-1:strides=1-2"
    network = zoo().find_point(reference)(num_classes=7)
    save_weights(
        tmp_path / BEST, info(recipe=Recipe(model=reference, epochs=3)), network.state_dict()
    )
    model, found = load_model(tmp_path / BEST)
    assert found.recipe.model == reference
    assert torch.equal(model.state_dict()["classifier.weight"], network.classifier.weight)


def test_a_reference_cannot_smuggle_a_command_into_the_hint(tmp_path):
    stored_as("a.py:b; rm -rf x", tmp_path / BEST)
    assert "--model 'a.py:b; rm -rf x'" in refused(tmp_path / BEST, "code", load_model).hint
