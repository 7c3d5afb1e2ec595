import torch

from profiler.inputs import load_dataset
from profiler.workload.stated_accuracy import read_accuracy
from profiler.workload.target import resolve
from profiler.workload.weights import load_weights
from training.checkpoints.checkpoint import load_info, load_model, save_weights
from training.checkpoints.header import Info
from training.data.splits import Pixels
from training.evaluation.accuracy_note import judge_weights, keep_accuracy
from training.evaluation.evaluation import count_correct
from training.recipe import Recipe


def test_the_accuracy_goes_with_the_weights_and_is_read_back(tmp_path):
    test = load_dataset("digits", "test")
    pixels = Pixels(test.images[:50], test.labels[:50])
    torch.manual_seed(0)
    path = tmp_path / "best.safetensors"
    info = Info(
        recipe=Recipe(model="lightweight", data="digits"),
        class_names=test.class_names,
        input_shape=(3, 32, 32),
        normalization=test.normalization,
        notes={"sums": {"loss": 1.0}},
    )
    weights = resolve("lightweight", num_classes=10).model.state_dict()
    save_weights(path, info, weights)
    model, _ = load_model(path)
    tested = judge_weights(
        model, pixels, test.normalization, data="digits: test", class_names=test.class_names,
        dtypes=("fp32", "bf16", "fp32"),
    )  # fmt: skip
    keep_accuracy(path, tested.note)

    stated = read_accuracy(path)
    assert (stated.model, stated.data, stated.input_shape) == (
        "lightweight", "digits: test", (3, 32, 32),
    )  # fmt: skip
    assert set(stated.by_dtype) == {"bf16", "fp32"}
    correct, total, _ = count_correct(model, pixels, test.normalization)
    assert stated.by_dtype["fp32"].point == correct / total
    assert f"{correct} of 50 images right" in stated.by_dtype["fp32"].source
    assert int(stated.right_answers, 16).bit_count() == correct
    assert tested.accuracy == stated.by_dtype["fp32"]
    assert sum(count for _, _, count in tested.confusion.cells) == total
    assert sum(count for one, other, count in tested.confusion.cells if one == other) == correct

    kept = load_info(path)
    assert kept.notes["sums"] == {"loss": 1.0}
    assert kept.recipe == info.recipe
    fresh = resolve("lightweight", num_classes=10).model
    load_weights(fresh, path)
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in weights.items())
