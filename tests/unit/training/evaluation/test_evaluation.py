import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from profiler.errors import MeasurementError, UsageError
from profiler.inputs.base import Normalization
from training.data.splits import Pixels
from training.distribution import Group
from training.evaluation.evaluation import count_correct, evaluate

RAW = Normalization(mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))
"""Leaves a pixel's value as it is stored."""


class Scripted(nn.Module):
    """Answers an image whose pixels are n with row n of a table."""

    def __init__(self, table):
        super().__init__()
        self.register_buffer("table", torch.tensor(table, dtype=torch.float32))
        self.batch_sizes = []

    def forward(self, images):
        self.batch_sizes.append(len(images))
        return self.table[images[:, 0, 0, 0].round().long()]


def numbered(labels, order=None):
    """Images of one pixel: number n has the value n."""
    order = range(len(labels)) if order is None else order
    values = torch.tensor(list(order), dtype=torch.uint8)
    images = values.view(-1, 1, 1, 1).expand(-1, 3, 1, 1).contiguous()
    return Pixels(images, torch.tensor(labels)[values.long()])


def names(count):
    return [f"class {n}" for n in range(count)]


def judge(table, labels, **keywords):
    classes = len(table[0])
    return evaluate(
        Scripted(table),
        numbered(labels),
        RAW,
        data="script",
        class_names=names(classes),
        **keywords,
    )


SEVEN = [
    [7, 6, 5, 4, 3, 2, 1],  # guesses 0 1 2 3 4
    [7, 6, 5, 4, 3, 2, 1],
    [7, 6, 5, 4, 3, 2, 1],
    [1, 2, 3, 4, 5, 6, 7],  # guesses 6 5 4 3 2
]


def test_top_1_and_top_5_are_those_counted_by_hand():
    found = judge(SEVEN, [0, 4, 5, 6])
    assert found.top1.point == 2 / 4
    assert found.top5.point == 3 / 4
    assert found.image_count == 4
    assert found.top1.source == "top-1: 2 of 4 images right, script"


def test_loss_and_calibration_are_those_by_hand():
    logit = math.log(9)  # probabilities 0.9 and 0.1
    table = [[logit, 0], [logit, 0], [logit, 0], [logit, 0]]
    found = judge(table, [0, 0, 0, 1])
    assert found.loss.point == pytest.approx(-(3 * math.log(0.9) + math.log(0.1)) / 4)
    assert found.calibration_error.point == pytest.approx(0.9 - 0.75)
    assert "1706.04599" in found.calibration_error.source


def test_few_classes_have_no_top_5():
    assert judge([[1, 2, 3, 4, 5]], [0]).top5 is None
    assert judge([[1, 2, 3, 4, 5, 6]], [1]).top5.point == 1


def test_each_class_has_its_own_share_and_interval():
    found = judge(SEVEN, [0, 0, 5, 6]).per_class
    assert [(row.name, row.image_count) for row in found][:2] == [("class 0", 2), ("class 1", 0)]
    assert found[0].accuracy.point == 1
    assert found[0].accuracy.low < 0.4  # two images say little
    assert found[1].accuracy is None
    assert found[5].accuracy.point == 0


tables = st.integers(2, 8).flatmap(
    lambda classes: st.lists(
        st.tuples(
            st.lists(st.floats(-5, 5, width=16), min_size=classes, max_size=classes),
            st.integers(0, classes - 1),
        ),
        min_size=1,
        max_size=12,
    )
)


@settings(max_examples=30, deadline=None)
@given(tables, st.integers(1, 13), st.randoms(use_true_random=False))
def test_neither_order_nor_batch_size_changes_the_result(rows, batch_size, random):
    model = Scripted([logits for logits, _ in rows])
    labels = [label for _, label in rows]
    order = list(range(len(rows)))
    random.shuffle(order)
    shared = {"data": "script", "class_names": names(model.table.shape[1])}
    whole = evaluate(model, numbered(labels), RAW, **shared)
    shuffled = evaluate(model, numbered(labels, order), RAW, batch_size=batch_size, **shared)
    assert shuffled.top1 == whole.top1
    assert shuffled.top5 == whole.top5
    assert shuffled.per_class == whole.per_class
    assert shuffled.calibration_error.point == pytest.approx(whole.calibration_error.point)
    assert shuffled.loss.point == pytest.approx(whole.loss.point)
    count = count_correct(model, numbered(labels, order), RAW, batch_size=batch_size)
    assert count.correct / count.total == whole.top1.point
    assert count.loss == pytest.approx(whole.loss.point, rel=1e-5)


def test_of_equal_logits_the_first_class_wins_in_both_counts():
    table = [[1.0] * 7] * 3
    assert judge(table, [0, 4, 5]).top1.point == pytest.approx(1 / 3)
    assert judge(table, [0, 4, 5]).top5.point == pytest.approx(2 / 3)
    assert count_correct(Scripted(table), numbered([0, 4, 5]), RAW).correct == 1


def test_the_parts_of_all_ranks_cover_the_split_once():
    seen = []

    class Recorded(Group):
        def sum(self, tensor):
            seen.append(tensor.clone())
            return tensor

    labels = [0, 4, 5, 6]
    for rank in range(3):
        group = Recorded(rank=rank, world_size=3)
        count_correct(Scripted(SEVEN), numbered(labels), RAW, group=group)
    alone = count_correct(Scripted(SEVEN), numbered(labels), RAW)
    correct, total, loss, _ = sum(seen).tolist()
    assert (correct, total) == (alone.correct, alone.total)
    assert loss / total == pytest.approx(alone.loss)


def test_several_ranks_reach_the_result_of_one():
    """Each rank's columns are zero where the images are another's."""
    labels = [0, 4, 5, 6]
    columns = {}

    class First(Group):
        def sum(self, tensor):
            columns[tensor.shape] = tensor.clone()
            return tensor

    class Second(Group):
        def sum(self, tensor):
            return tensor + columns[tensor.shape]

    shared = {"data": "script", "class_names": names(7)}
    evaluate(Scripted(SEVEN), numbered(labels), RAW, group=First(rank=0, world_size=2), **shared)
    both = evaluate(
        Scripted(SEVEN), numbered(labels), RAW, group=Second(rank=1, world_size=2), **shared
    )
    assert both == judge(SEVEN, labels)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 2))
    model[2].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_correct(model, numbered([0, 1, 0]), RAW)
    assert [module.training for module in model] == [True, True, False, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_modes_are_restored_after_an_error():
    class Broken(nn.Module):
        def forward(self, images):
            raise RuntimeError("no")

    model = nn.Sequential(Broken())
    with pytest.raises(RuntimeError):
        count_correct(model, numbered([0]), RAW)
    assert model.training
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_outputs_that_are_no_numbers_are_refused(value):
    table = [[1.0, 2.0], [value, 1.0]]
    with pytest.raises(MeasurementError, match="1 of the model's outputs on 2 images"):
        judge(table, [0, 1])
    with pytest.raises(MeasurementError, match="NaN or infinite"):
        count_correct(Scripted(table), numbered([0, 1]), RAW)


def test_an_empty_split_is_refused():
    nothing = Pixels(torch.zeros(0, 3, 1, 1, dtype=torch.uint8), torch.zeros(0, dtype=torch.long))
    with pytest.raises(MeasurementError, match="no images to evaluate"):
        count_correct(Scripted(SEVEN), nothing, RAW)
    with pytest.raises(MeasurementError, match="no images to evaluate"):
        evaluate(Scripted(SEVEN), nothing, RAW, data="script", class_names=names(7))


def test_other_classes_than_the_models_are_refused():
    with pytest.raises(UsageError, match="tells 7 classes apart, script has 10"):
        evaluate(Scripted(SEVEN), numbered([0]), RAW, data="script", class_names=names(10))


def test_batches_are_no_larger_than_asked():
    model = Scripted(SEVEN)
    count_correct(model, numbered([0, 1, 2, 3]), RAW, batch_size=3)
    assert model.batch_sizes == [3, 1]
