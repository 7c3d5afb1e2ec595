import pytest
import torch
from torch import nn

from profiler.errors import DeviceError, MeasurementError, UsageError
from profiler.machine.device import find_device
from profiler.workload.prepared import explain, nonfinite_tensors, prepare

CPU = find_device("cpu")
SEEN: list[float] = []  # global, so that it is no state of a model


class Calls(nn.Module):
    """Hands its input to a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args, **kwargs):
        return self.function(*args, **kwargs)


def raising(error):
    def function(x):
        raise error

    return Calls(function)


def test_the_given_model_keeps_its_mode_precision_and_weights():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).train()
    before = [tensor.clone() for tensor in model.state_dict().values()]
    bench = prepare(model, torch.ones(2, 4), CPU, dtype="bf16")
    bench.call()
    assert model.training
    assert all(map(torch.equal, before, model.state_dict().values()))
    assert not bench.model.training
    assert next(bench.model.parameters()).dtype is torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_inputs_are_cast_to_the_precision_asked_for(dtype):
    bench = prepare(nn.Linear(4, 2).to(dtype), torch.ones(3, 4, dtype=dtype), CPU, dtype="fp32")
    assert bench.inputs[0][0].dtype is torch.float32
    assert (bench.dtype, bench.batch_size, bench.input_shapes) == ("fp32", 3, ("3x4",))


def test_without_a_dtype_the_models_own_is_kept_and_named():
    bench = prepare(nn.Linear(4, 2).double(), torch.ones(3, 4, dtype=torch.float64), CPU)
    assert bench.dtype == "float64"


def test_a_model_without_parameters_has_the_dtype_of_its_inputs():
    assert prepare(nn.ReLU(), torch.ones(3, 4, dtype=torch.bfloat16), CPU).dtype == "bf16"


def test_whole_numbers_stay_whole():
    bench = prepare(nn.Embedding(9, 4), torch.arange(6).reshape(2, 3), CPU, dtype="bf16")
    assert bench.inputs[0][0].dtype is torch.int64
    assert bench.dtype == "bf16"


@pytest.mark.parametrize(
    ("inputs", "batch_size"),
    [
        ((torch.ones(2, 3), torch.ones(2, 3)), 2),
        ({"a": torch.ones(2, 3), "b": torch.ones(2, 3)}, 2),
        (((torch.ones(2, 3),), {"b": torch.ones(2, 3)}), 2),
        ((torch.ones(3), torch.ones(3)), None),
    ],
)
def test_inputs_are_positional_keywords_or_both(inputs, batch_size):
    bench = prepare(Calls(lambda a, b: a + b), inputs, CPU)
    assert bench.batch_size == batch_size
    assert len(bench.input_shapes) == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda x: {"logits": x, "n": 3},
        lambda x: (x, [x]),
        lambda x: None,
    ],
)
def test_any_output_will_do(function):
    bench = prepare(Calls(function), torch.ones(2, 3), CPU)
    bench.call()
    assert bench.batch_size == 2


def test_a_generator_is_refused_since_its_work_comes_later():
    with pytest.raises(MeasurementError, match="returned a generator"):
        prepare(Calls(lambda x: (x for _ in range(3))), torch.ones(2, 3), CPU)


def test_a_model_that_writes_into_its_inputs_sees_the_same_ones_in_every_call():
    SEEN.clear()

    def double(x):
        SEEN.append(x.sum().item())
        return x.mul_(2)

    given = torch.ones(2, 3)
    bench = prepare(Calls(double), given, CPU)
    bench.call()
    bench.call()
    assert len(SEEN) > 2
    assert set(SEEN) == {6.0}
    assert given.sum() == 6
    assert [finding.kind for finding in bench.findings] == ["inputs-renewed"]


def test_an_ordinary_model_is_not_said_to_write_into_its_inputs():
    assert prepare(nn.Linear(3, 3), torch.ones(2, 3), CPU).findings == ()


def test_lazy_modules_are_laid_out_by_the_first_call():
    bench = prepare(nn.LazyLinear(5), torch.ones(2, 3), CPU)
    bench.call()
    assert bench.model.weight.shape == (5, 3)
    assert nonfinite_tensors(bench.model) == []


def test_data_parallel_is_taken_off():
    bench = prepare(nn.DataParallel(nn.Linear(3, 3)), torch.ones(2, 3), CPU)
    assert isinstance(bench.model, nn.Linear)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_scripted_and_traced_modules_run():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    for model in (torch.jit.script(net), torch.jit.trace(net, torch.ones(2, 3))):
        bench = prepare(model, torch.ones(2, 3), CPU)
        bench.call()
        assert bench.input_shapes == ("2x3",)


def test_channels_last_lays_out_images_and_nothing_else():
    bench = prepare(nn.Conv2d(3, 4, 3), torch.ones(2, 3, 8, 8), CPU, channels_last=True)
    assert bench.inputs[0][0].is_contiguous(memory_format=torch.channels_last)
    prepare(nn.Linear(3, 3), torch.ones(2, 3), CPU, channels_last=True)


def test_a_model_that_raises_is_an_error_in_one_line():
    with pytest.raises(MeasurementError) as caught:
        prepare(raising(ValueError("boom\nand more")), torch.ones(2, 3), CPU)
    assert caught.value.message == "the model raised ValueError: boom and more"
    assert caught.value.hint


def test_a_model_that_ends_the_program_does_not():
    with pytest.raises(MeasurementError, match="SystemExit"):
        prepare(raising(SystemExit(3)), torch.ones(2, 3), CPU)


def test_an_interruption_is_not_taken_for_an_error_of_the_model():
    with pytest.raises(KeyboardInterrupt):
        prepare(raising(KeyboardInterrupt()), torch.ones(2, 3), CPU)


def huge(x):
    return torch.empty(10**15)


@pytest.mark.parametrize(
    "model",
    [raising(torch.OutOfMemoryError("CUDA out of memory")), raising(MemoryError()), Calls(huge)],
)
def test_missing_memory_is_an_error_of_the_device(model):
    with pytest.raises(DeviceError, match="cpu ran out of memory") as caught:
        prepare(model, torch.ones(2, 3), CPU)
    assert "--batch-size" in caught.value.hint


def test_a_long_message_is_cut():
    assert len(explain(ValueError("x" * 10_000), CPU).message) < 400


def test_a_model_that_cannot_be_copied_says_so():
    class Stubborn(nn.Module):
        def __deepcopy__(self, memo):
            raise AttributeError("no copies")

    with pytest.raises(MeasurementError, match=r"cannot be copied .*AttributeError: no copies"):
        prepare(Stubborn(), torch.ones(2, 3), CPU)


def test_an_unknown_dtype_is_a_usage_error():
    with pytest.raises(UsageError, match="fp8"):
        prepare(nn.Linear(3, 3), torch.ones(2, 3), CPU, dtype="fp8")


def test_weights_that_are_not_finite_are_named_and_whole_numbers_passed_over():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert nonfinite_tensors(model) == []
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
        model[1].running_mean[0] = float("inf")
    assert nonfinite_tensors(model) == ["0.weight", "1.running_mean"]
    assert nonfinite_tensors(model, limit=1) == ["0.weight"]
