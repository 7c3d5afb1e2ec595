from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch

from profiler.counting import count
from profiler.errors import TransformError, UsageError
from profiler.machine.device import find_device
from profiler.values.applied_transform import bits_of
from profiler.variants import transform
from profiler.workload.prepared import prepare
from profiler.workload.quantized import QuantizedModule
from profiler.workload.transformed import transforms_of

from .nets import answer, decibels, images, net

# torchao warns of its own use of torch's internals.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def quantized() -> QuantizedModule:
    variant = transform(net(), "int8", data=[images(seed) for seed in range(4)])
    assert isinstance(variant, QuantizedModule)
    return variant


def test_a_relu_called_in_two_places_is_no_obstacle_and_every_layer_is_in_int8(
    quantized: QuantizedModule,
) -> None:
    x = images()
    assert decibels(answer(net(), x), answer(quantized, x)) > 20
    assert transforms_of(quantized)[0].left_alone == ()
    stored = {tensor.dtype for tensor in quantized.state_dict().values() if tensor.ndim >= 2}
    assert stored == {torch.int8}


def test_any_batch_size_runs(quantized: QuantizedModule) -> None:
    x = torch.cat([images(), images(2)])
    one, many = answer(quantized, x[:1]), answer(quantized, x)
    torch.testing.assert_close(one[0], many[0])


def test_macs_are_those_of_the_source_and_size_is_that_of_the_integers(
    quantized: QuantizedModule,
) -> None:
    dense = count(net(), images()[:1])
    costs = count(quantized, images()[:1])
    (applied,) = transforms_of(quantized)
    assert costs.mac_count == dense.mac_count == applied.mac_count_before
    assert applied.parameter_count_before == dense.parameter_count
    assert costs.size_bytes < dense.size_bytes / 3
    assert bits_of((applied,)) == (8, 8)


def test_compiled_it_answers_like_its_graph_and_is_prepared_for_a_measurement(
    quantized: QuantizedModule,
) -> None:
    x = images()
    bench = prepare(quantized, x, find_device("cpu"))
    assert (bench.dtype, bench.is_compiled) == ("int8", True)
    assert decibels(answer(quantized, x), bench.model(x)) > 30


def test_it_has_no_layers_to_look_into(quantized: QuantizedModule) -> None:
    from profiler.layers.survey import survey

    bench = SimpleNamespace(is_compiled=True, dtype="int8")
    with pytest.raises(UsageError, match="compiled to int8 is one piece"):
        survey(bench, "cpu")


def test_a_copy_is_whole_and_there_is_no_going_back(quantized: QuantizedModule) -> None:
    twin = copy.deepcopy(quantized)
    assert torch.equal(answer(twin, images()), answer(quantized, images()))
    assert transforms_of(twin) == transforms_of(quantized)
    with pytest.raises(TransformError, match="cannot be trained"):
        twin.train()
    with pytest.raises(UsageError, match="set by int8, and cannot be bf16"):
        prepare(quantized, images(), find_device("cpu"), dtype="bf16")


def test_there_is_none_on_a_gpu(quantized: QuantizedModule) -> None:
    from profiler.variants.apply import apply_all
    from profiler.variants.reference import TransformCall

    with pytest.raises(TransformError, match="int8 is not available on cuda:0") as refused:
        apply_all(
            net(), [TransformCall(name="int8")], is_trained=True, device="cuda:0",
            load_batches=lambda: [images()],
        )  # fmt: skip
    assert "--device cpu" in (refused.value.hint or "")
    gpu = SimpleNamespace(name="cuda:0", is_gpu=True)
    with pytest.raises(TransformError, match="no kernels on cuda:0"):
        prepare(quantized, images(), gpu)


class Branching(torch.nn.Module):
    """Decides by the values of its input, which no graph can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) if float(x.sum()) > 0 else x


def test_what_does_not_export_is_one_sentence() -> None:
    with pytest.raises(TransformError, match="int8 cannot export Branching"):
        transform(Branching(), "int8", data=torch.ones(2, 4))
