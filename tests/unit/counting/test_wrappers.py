"""However a module is wrapped, cast or compiled, its count stays what it is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from profiler.counting import count, count_on_meta
from profiler.errors import MeasurementError

# Scripting, tracing and eager quantization are deprecated and say so; they are still in use.
pytestmark = pytest.mark.filterwarnings("ignore")

MACS = 3 * (8 * 4 + 4 * 2)


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)).eval()


def inner_compiled() -> nn.Module:
    model = plain()
    model[0] = torch.compile(model[0])
    return model


def compiled_in_place() -> nn.Module:
    model = plain()
    model.compile()
    return model


def stacked() -> nn.Module:
    class Ensemble(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList([plain() for _ in range(2)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = torch.func.stack_module_state(list(self.members))
            base = self.members[0]
            return torch.vmap(lambda s: torch.func.functional_call(base, s, (x,)))(state)

    return Ensemble()


WRAPPERS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "scripted": (lambda: torch.jit.script(plain()), MACS),
    "traced": (lambda: torch.jit.trace(plain(), torch.randn(3, 8)), MACS),
    "frozen": (lambda: torch.jit.freeze(torch.jit.script(plain())), MACS),
    "exported": (lambda: torch.export.export(plain(), (torch.randn(3, 8),)).module(), MACS),
    "decomposed": (
        lambda: torch.export.export(plain(), (torch.randn(3, 8),)).run_decompositions().module(),
        MACS,
    ),
    "symbolically traced": (lambda: torch.fx.symbolic_trace(plain()), MACS),
    "compiled": (lambda: torch.compile(plain()), MACS),
    "compiled inside": (inner_compiled, MACS),
    "compiled in place": (compiled_in_place, MACS),
    "data parallel": (lambda: nn.DataParallel(plain()), MACS),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.LazyLinear(2)), MACS),
    "vmapped ensemble": (stacked, 2 * MACS),
}


@pytest.mark.parametrize("context", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_changes_no_count(name: str, context: Callable[[], Any]) -> None:
    make, mac_count = WRAPPERS[name]
    model = make()
    with context():
        costs = count(model, torch.randn(3, 8))
    assert (costs.mac_count, costs.uncounted_ops) == (mac_count, ())


def test_a_model_compiled_and_run_before_is_counted_whole() -> None:
    model = torch.compile(plain(), backend="eager")
    model(torch.randn(3, 8))
    assert count(model, torch.randn(3, 8)).mac_count == MACS


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_changes_bytes_and_no_macs(dtype: torch.dtype) -> None:
    costs = count(plain().to(dtype), torch.randn(3, 8, dtype=dtype))
    single = count(plain(), torch.randn(3, 8))
    assert costs.mac_count == MACS
    assert costs.written_bytes * 4 == single.written_bytes * dtype.itemsize


@pytest.mark.parametrize("context", [torch.enable_grad, torch.inference_mode])
def test_autocast_changes_no_count(context: Callable[[], Any]) -> None:
    with context(), torch.autocast("cpu", dtype=torch.bfloat16):
        costs = count(plain(), torch.randn(3, 8))
    assert (costs.mac_count, costs.effective_mac_count) == (MACS, MACS)


def test_channels_last_changes_no_count() -> None:
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    x = torch.randn(1, 3, 8, 8).to(memory_format=torch.channels_last)
    assert count(model, x).mac_count == 4 * 36 * 27


def test_a_lazy_model_stays_lazy() -> None:
    model = nn.Sequential(nn.LazyLinear(4))
    assert count(model, torch.randn(3, 8)).parameter_count == 36
    assert count_on_meta(model, torch.randn(3, 8)).mac_count == 96
    assert isinstance(model[0], nn.LazyLinear)
    assert nn.parameter.is_lazy(model[0].weight)


def test_kernels_hidden_in_a_scripted_graph_are_listed() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.script(model)))
    costs = count(frozen, torch.randn(1, 3, 8, 8))
    assert costs.mac_count == 4 * 36 * 27 or costs.uncounted_ops == ("prim.mkldnn_convolution",)


def test_a_condition_counts_the_branch_that_ran() -> None:
    class Conditional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small, self.large = nn.Linear(8, 4), nn.Linear(8, 100)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cond(
                x.sum() > 1e9, lambda x: self.large(x)[:, :4].clone(), lambda x: self.small(x), (x,)
            )

    assert count(Conditional(), torch.ones(3, 8)).mac_count == 96
    with pytest.raises(MeasurementError, match="cannot be counted on the meta device"):
        count_on_meta(Conditional(), torch.ones(3, 8))


def test_a_gradient_mode_block_in_an_exported_graph_is_counted() -> None:
    class Halved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                first = self.layer(x)
            return first + self.layer(x)

    exported = torch.export.export(Halved(), (torch.randn(3, 8),)).module()
    costs = count(exported, torch.randn(3, 8))
    assert (costs.mac_count, costs.uncounted_ops) == (192, ())


def test_a_scripted_encoder_layer_is_counted() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    with torch.no_grad():
        costs = count(torch.jit.script(layer), torch.randn(2, 5, 8))
    assert costs.mac_count == 2 * 5 * 64 * 4 + 2 * 2 * 25 * 8 + 2 * 5 * 8 * 16 * 2


class Scaled(torch.Tensor):
    """A minimal weight-only quantized tensor: int8 values and a scale, unwrapped on dispatch."""

    @staticmethod
    def __new__(cls, values: torch.Tensor, scale: torch.Tensor) -> Scaled:
        return torch.Tensor._make_wrapper_subclass(cls, values.shape, dtype=scale.dtype)

    def __init__(self, values: torch.Tensor, scale: torch.Tensor) -> None:
        self.values_, self.scale = values, scale

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.detach.default:
            return cls(args[0].values_, args[0].scale)
        if func is torch.ops.aten.t.default:
            return cls(args[0].values_.t(), args[0].scale)
        plain = [a.values_ * a.scale if isinstance(a, Scaled) else a for a in args]
        return func(*plain, **(kwargs or {}))


@pytest.mark.parametrize("context", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_tensor_subclass_is_counted_by_what_it_runs(context: Callable[[], Any]) -> None:
    model = nn.Linear(8, 4, bias=False)
    values = torch.randint(-5, 5, (4, 8), dtype=torch.int8)
    model.weight = nn.Parameter(Scaled(values, torch.tensor(0.1)), requires_grad=False)
    with context():
        costs = count(model, torch.randn(3, 8))
    assert (costs.mac_count, costs.uncounted_ops) == (96, ())


def quantized_static(model: nn.Module, x: torch.Tensor) -> nn.Module:
    wrapped = torch.ao.quantization.QuantWrapper(model).eval()
    wrapped.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    torch.ao.quantization.prepare(wrapped, inplace=True)
    wrapped(x)
    return torch.ao.quantization.convert(wrapped, inplace=True)


def test_static_int8_is_counted_with_its_parameters() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(),
        nn.Linear(144, 5),
    )  # fmt: skip
    x = torch.randn(1, 3, 8, 8)
    dense = count(copy.deepcopy(model), x)
    costs = count(quantized_static(model, x), x)
    assert costs.mac_count == dense.mac_count == 4 * 64 * 27 + 4 * 36 * 9 + 720
    assert costs.parameter_count == dense.parameter_count
    assert costs.size_bytes < dense.size_bytes / 2
    assert costs.uncounted_ops == ()


@pytest.mark.parametrize(
    ("model", "shape", "mac_count"),
    [
        (nn.Linear(8, 4), (3, 8), 96),
        (nn.LSTM(8, 4), (5, 2, 8), 10 * 16 * 12),
        (nn.LSTM(8, 4, 2, bidirectional=True), (5, 2, 8), 10 * 2 * 16 * (12 + 12)),
        (nn.GRU(8, 4, bidirectional=True), (5, 2, 8), 10 * 2 * 12 * 12),
        (nn.LSTMCell(8, 4), (2, 8), 2 * 16 * 12),
        (nn.GRUCell(8, 4), (2, 8), 2 * 12 * 12),
        (nn.RNNCell(8, 4), (2, 8), 2 * 4 * 12),
    ],
)
def test_dynamic_int8_is_counted(model: nn.Module, shape: tuple[int, ...], mac_count: int) -> None:
    quantized = torch.ao.quantization.quantize_dynamic(nn.Sequential(model))
    costs = count(quantized, torch.randn(shape))
    assert (costs.mac_count, costs.uncounted_ops) == (mac_count, ())
