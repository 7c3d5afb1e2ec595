import time
from dataclasses import replace

import pytest
import torch

from profiler.errors import InputDataError
from profiler.inputs import load_dataset
from profiler.machine.device import find_device
from profiler.machine.meters_in_use import meters_of_device
from profiler.meters.synthetic import SyntheticMeter
from profiler.values.estimate import Basis
from profiler.workload.target import resolve
from training.checkpoints.checkpoint import save_weights
from training.checkpoints.header import Info
from training.evaluation import checkpoint_evaluation as appraisal
from training.evaluation.checkpoint_evaluation import evaluate_checkpoint, measure_cost
from training.recipe import Recipe


@pytest.fixture
def checkpoint(tmp_path):
    test = load_dataset("digits", "test")
    torch.manual_seed(0)
    info = Info(
        recipe=Recipe(model="lightweight", data="digits", validation_share=0.1, dtype="bf16"),
        class_names=test.class_names,
        input_shape=(3, 32, 32),
        normalization=test.normalization,
    )
    path = tmp_path / "best.safetensors"
    save_weights(path, info, resolve("lightweight", num_classes=10).model.state_dict())
    return path


def synthetic(power_w):
    meter = SyntheticMeter(((1.0, power_w),), update_period_s=0.02)
    return [(meter, meter.open())]


def test_joules_per_image_are_those_of_the_passes_over_their_images():
    cost = measure_cost(lambda: time.sleep(0.02), 50, seconds=0.4, meters=synthetic(100.0))
    # Joules per image times images per second are the watts.
    watts = cost.energy_per_image_j.point * cost.images_per_s.point
    assert watts == pytest.approx(100, rel=0.2)
    assert cost.energy_per_image_j.basis is Basis.MEASURED
    assert cost.images_per_s.low <= cost.images_per_s.point <= cost.images_per_s.high


def test_a_pass_longer_than_the_budget_is_timed_once_and_has_no_interval():
    cost = measure_cost(lambda: time.sleep(0.05), 50, seconds=0.01, meters=synthetic(100.0))
    assert cost.images_per_s.low is None
    assert cost.images_per_s.point <= 1000


def test_without_a_sensor_there_are_no_joules():
    cost = measure_cost(lambda: None, 50, seconds=0.01, meters=[])
    assert cost.energy_per_image_j is None
    assert cost.findings


@pytest.mark.parametrize(("split", "count"), [("test", 450), ("train", 1347)])
def test_each_split_is_evaluated_whole(checkpoint, split, count):
    found = evaluate_checkpoint(checkpoint, split=split, device="cpu", cost_seconds=0)
    assert found.image_count == count
    assert found.dtype == "bf16"
    assert f"{split} split" in found.data
    assert sum(row.image_count for row in found.per_class) == count
    assert (found.energy_per_image_j, found.images_per_s) == (None, None)


def test_the_validation_split_is_the_one_that_the_recipe_held_out(checkpoint):
    found = evaluate_checkpoint(checkpoint, split="validation", device="cpu", cost_seconds=0)
    assert 125 <= found.image_count <= 145
    assert "to choose by" in found.data


def test_a_split_too_large_for_memory_is_streamed_to_the_same_result(checkpoint, monkeypatch):
    whole = evaluate_checkpoint(checkpoint, device="cpu", dtype="fp32", cost_seconds=0)
    monkeypatch.setattr(appraisal, "MOST_PIXEL_BYTES", 0)
    assert evaluate_checkpoint(checkpoint, device="cpu", dtype="fp32", cost_seconds=0) == whole


def test_another_precision_can_be_asked_for(checkpoint):
    found = evaluate_checkpoint(checkpoint, dtype="fp32", device="cpu", cost_seconds=0)
    assert (found.model, found.dtype) == ("lightweight", "fp32")


def test_a_variant_is_told_with_the_precision_that_its_transform_sets(checkpoint):
    found = evaluate_checkpoint(
        checkpoint, model="lightweight+fp16", data="digits", device="cpu", cost_seconds=0
    )
    assert (found.model, found.dtype) == ("lightweight+fp16", "fp16")


def test_a_cost_stands_beside_the_result(checkpoint):
    found = evaluate_checkpoint(checkpoint, device="cpu", cost_seconds=0.01, meters=synthetic(50.0))
    assert found.images_per_s.point > 0
    assert found.energy_per_image_j.point > 0


def test_gpus_that_do_none_of_it_are_not_counted(checkpoint):
    (gpu, channels), (cpu, _) = *synthetic(900.0), *synthetic(50.0)
    busy = (gpu, tuple(replace(channel, device="gpu:0") for channel in channels))
    assert meters_of_device([busy, (cpu, channels)], find_device("cpu")) == [(cpu, channels)]
    one, other = (replace(channels[0], device=f"gpu:{n}", identity=f"GPU-{n}") for n in range(2))
    on_gpu = replace(find_device("cpu"), name="cuda:0", identity="GPU-1")
    meters = [(gpu, (one, other)), (cpu, channels)]
    assert meters_of_device(meters, on_gpu) == [(gpu, (other,)), (cpu, channels)]
    sliced = replace(on_gpu, identity="MIG-7")
    assert meters_of_device(meters, sliced) == meters


def test_noise_has_no_labels_to_compare_with(checkpoint):
    with pytest.raises(InputDataError, match="holds no images, only noise"):
        evaluate_checkpoint(checkpoint, data="synthetic", device="cpu", cost_seconds=0)
