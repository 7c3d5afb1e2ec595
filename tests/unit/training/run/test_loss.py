import copy
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from profiler.errors import UsageError
from profiler.inputs import load_dataset
from profiler.inputs.base import IMAGENET, Normalization
from profiler.ledger import Entry, Phase
from profiler.values.estimate import Basis, Estimate
from profiler.workload.target import resolve
from training.checkpoints.checkpoint import save_weights
from training.checkpoints.header import Info
from training.evaluation.forward import normalized
from training.recipe import Recipe
from training.run.loss import Distillation, distillation_loss, make_criterion, teacher_finding

HALVES = Normalization(mean=(0.5,) * 3, std=(0.5,) * 3)
TEN = tuple("abcdefghij")


@pytest.fixture
def teacher_file(tmp_path):
    path = tmp_path / "teacher.safetensors"
    torch.manual_seed(0)
    model = resolve("lightweight", num_classes=10).model
    info = Info(
        recipe=Recipe(model="lightweight"),
        class_names=TEN,
        input_shape=(3, 32, 32),
        normalization=IMAGENET,
    )
    save_weights(path, info, model.state_dict())
    return path


def distilling(path, **fields):
    return Recipe(teacher=str(path), dtype="fp32", channels_last=False, **fields)


def test_the_loss_is_t_squared_times_the_divergence_by_hand():
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    # At T = 2 the teacher says 3/4 and 1/4, the student 1/2 and 1/2.
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert distillation_loss(student, teacher, 2.0).item() == pytest.approx(4 * divergence)


def test_the_loss_is_a_mean_over_images_and_0_for_the_teachers_own_answer():
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    other = logits.flip(0)
    once = distillation_loss(logits, other, 3.0)
    twice = distillation_loss(logits.repeat(2, 1), other.repeat(2, 1), 3.0)
    assert twice.item() == pytest.approx(once.item(), rel=1e-6)
    assert once.item() > 0
    assert distillation_loss(logits, logits + 1, 3.0).item() == pytest.approx(0, abs=1e-6)


def test_without_a_teacher_the_labels_alone_count():
    logits, labels = torch.randn(4, 10), torch.tensor([1, 2, 3, 4])
    criterion = make_criterion(Recipe(label_smoothing=0.1), "cpu", 10)
    expected = cross_entropy(logits, labels, label_smoothing=0.1)
    assert torch.equal(criterion(torch.zeros(4, 3, 32, 32), logits, labels), expected)


def parts(path, alpha, smoothing):
    recipe = distilling(path, distillation_weight=alpha, label_smoothing=smoothing)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 3, 32, 32, generator=generator)
    logits = torch.randn(4, 10, generator=generator)
    criterion = make_criterion(recipe, "cpu", 10, class_names=TEN)
    return criterion(images, logits, torch.tensor([0, 1, 2, 3])).item()


def test_alpha_weighs_teacher_and_labels_and_smoothing_is_in_the_labels_alone(teacher_file):
    taught, labelled = parts(teacher_file, 1.0, 0.0), parts(teacher_file, 0.0, 0.0)
    smoothed = parts(teacher_file, 0.0, 0.2)
    assert parts(teacher_file, 1.0, 0.2) == taught
    assert smoothed != labelled
    mixed = parts(teacher_file, 0.75, 0.2)
    assert mixed == pytest.approx(0.75 * taught + 0.25 * smoothed)


def test_the_teacher_learns_nothing_and_its_time_is_known(teacher_file):
    criterion = make_criterion(distilling(teacher_file), "cpu", 10)
    logits = torch.randn(4, 10, requires_grad=True)
    images = torch.randn(4, 3, 32, 32)
    before = copy.deepcopy(criterion._teacher.state_dict())
    assert criterion.teacher_s == 0
    criterion(images, logits, torch.tensor([0, 1, 2, 3])).backward()
    assert logits.grad is not None
    assert not criterion._teacher.training
    assert all(parameter.grad is None for parameter in criterion._teacher.parameters())
    assert not any(parameter.requires_grad for parameter in criterion._teacher.parameters())
    after = criterion._teacher.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert criterion.teacher_s > 0


def test_a_teacher_of_another_normalization_sees_its_own(teacher_file):
    pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    logits, labels = torch.randn(4, 10), torch.tensor([0, 1, 2, 3])
    recipe = distilling(teacher_file, distillation_weight=1.0)
    same = make_criterion(recipe, "cpu", 10, normalization=IMAGENET)
    other = make_criterion(recipe, "cpu", 10, normalization=HALVES)
    expected = same(normalized(pixels, IMAGENET), logits, labels)
    assert other(normalized(pixels, HALVES), logits, labels).item() == pytest.approx(
        expected.item(), rel=1e-4
    )
    assert same(normalized(pixels, HALVES), logits, labels) != expected


def test_another_number_of_classes_is_refused_with_both(teacher_file):
    with pytest.raises(UsageError, match=r"knows 10 classes, the student is to learn 100"):
        make_criterion(distilling(teacher_file), "cpu", 100)


def test_other_classes_of_the_same_number_are_refused_by_name(teacher_file):
    names = (*TEN[:9], "truck")
    with pytest.raises(UsageError, match=r"class 9 is 'j' to the teacher .* and 'truck'"):
        make_criterion(distilling(teacher_file), "cpu", 10, class_names=names)


def test_images_of_another_size_are_refused_with_both(teacher_file):
    criterion = make_criterion(distilling(teacher_file), "cpu", 10)
    with pytest.raises(UsageError, match="images of 32x32, the student is shown 16x16"):
        criterion(torch.zeros(1, 3, 16, 16), torch.zeros(1, 10), torch.tensor([0]))


def entry(phase, duration_s, energy_j, segment=0):
    seen = None if energy_j is None else joules(energy_j)
    return Entry(
        segment=segment, host=0, epoch=1, phase=phase, duration_s=duration_s, item_count=None,
        energy_j=seen, devices={},
    )  # fmt: skip


def joules(point):
    return Estimate(
        point=point, low=0.9 * point, high=1.1 * point, unit="J", confidence=0.95,
        basis=Basis.MEASURED, source="counter",
    )  # fmt: skip


def taught(teacher_s):
    criterion = Distillation(nn.Identity(), Recipe())
    criterion._stopwatch._done_s = teacher_s
    return criterion


def test_the_teachers_share_is_that_of_the_last_segments_training():
    entries = [
        entry(Phase.TRAIN, 1000.0, 9e9),  # of an earlier segment, with a teacher of its own
        entry(Phase.SETUP, 5.0, 50.0, segment=1),
        entry(Phase.TRAIN, 8.0, 160.0, segment=1),
        entry(Phase.TRAIN, 4.0, 40.0, segment=1),
    ]
    found = teacher_finding(taught(3.0), SimpleNamespace(entries=entries))
    assert "25% of the seconds" in found.observed
    assert "about 50 J" in found.observed
    blind = SimpleNamespace(entries=[entry(Phase.TRAIN, 12.0, None)])
    assert "joules," not in teacher_finding(taught(3.0), blind).observed


def test_a_run_without_teacher_has_no_such_finding():
    ledger = SimpleNamespace(entries=[entry(Phase.TRAIN, 8.0, 160.0)])
    assert teacher_finding(make_criterion(Recipe(), "cpu", 10), ledger) is None
    assert teacher_finding(taught(0.0), ledger) is None
    assert teacher_finding(taught(3.0), SimpleNamespace(entries=[])) is None


def classifier(width):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU(), nn.Linear(width, 10))


def fit(model, criterion, images, labels, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(len(labels), (128,), generator=order)
        loss = criterion(images[chosen], model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_a_distilled_student_is_nearer_to_its_teacher_than_one_of_the_labels():
    train, test = (load_dataset("digits", part, image_size=(8, 8)) for part in ("train", "test"))
    seen, unseen = (normalized(split.images, split.normalization) for split in (train, test))
    torch.manual_seed(0)
    teacher, student = classifier(64), classifier(16)
    by_labels = copy.deepcopy(student)
    labels_alone = make_criterion(Recipe(), "cpu", 10)
    fit(teacher, make_criterion(Recipe(label_smoothing=0.1), "cpu", 10), seen, train.labels, 100)
    recipe = Recipe(dtype="fp32", temperature=4.0, distillation_weight=0.9)
    fit(student, Distillation(teacher, recipe), seen, train.labels, 120)
    fit(by_labels, labels_alone, seen, train.labels, 120)
    with torch.no_grad():
        told = teacher(unseen)
        assert (told.argmax(1) == test.labels).float().mean() > 0.9
        near = distillation_loss(student(unseen), told, 1.0)
        far = distillation_loss(by_labels(unseen), told, 1.0)
    assert near < far / 4  # less than a tenth with any of three seeds
