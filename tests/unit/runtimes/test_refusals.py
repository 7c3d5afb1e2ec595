"""What a run-time cannot do is one sentence, before any work."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

import profiler
from profiler.errors import ExportError, ProfilerError, TransformError, UsageError
from profiler.machine.device import find_device
from profiler.runtimes import check, find
from profiler.runtimes.deploy import deploy, runtime_of
from profiler.workload.prepared import prepare

from .tiny import images, tiny

CPU = find_device("cpu")


def test_an_unknown_run_time_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no run-time 'onnxruntme'; nearest: onnxruntime"):
        find("onnxruntme")


def test_a_precision_without_kernels_names_run_times_that_have_it() -> None:
    with pytest.raises(UsageError, match="onnxruntime does not run models in bf16") as caught:
        check("onnxruntime", precision="bf16", device="cpu")
    assert "openvino" in str(caught.value.hint)


def test_a_device_without_the_run_time() -> None:
    with pytest.raises(UsageError, match="openvino is run on the CPU here, not on cuda:0"):
        check("openvino", precision="fp32", device="cuda:0")


def test_what_is_not_installed_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match="--runtime onnxruntime needs onnxruntime") as caught:
        check("onnxruntime", precision="fp32", device="cpu")
    assert caught.value.hint == 'pip install "wattprof[onnxruntime]"'


def left_to(runtime: str) -> nn.Module:
    return profiler.transform(tiny(), "int8", data=images(4), runtime=runtime)


def test_int8_is_left_to_the_run_time_and_the_weights_stay() -> None:
    left = left_to("onnxruntime")
    assert runtime_of(left, None) == "onnxruntime"
    assert torch.equal(left(images(2)), tiny()(images(2)))


@pytest.mark.parametrize("asked", ["eager", "openvino"])
def test_what_was_left_to_one_run_time_runs_on_no_other(asked: str) -> None:
    with pytest.raises(UsageError, match=f"was left to onnxruntime, not to {asked}"):
        runtime_of(left_to("onnxruntime"), asked)


def test_layers_of_a_model_left_to_a_run_time_are_not_shown_as_its_own() -> None:
    with pytest.raises(UsageError, match="left to onnxruntime, and torch has it in fp32 alone"):
        profiler.measure_layers(left_to("onnxruntime"), images(1), device="cpu", max_seconds=1)


def test_rounding_that_was_learned_for_torch_is_not_handed_on() -> None:
    with pytest.raises(TransformError, match="learned the rounding of torch's kernels"):
        profiler.transform(tiny(), "int8-qat", data=images(4), runtime="onnxruntime")


class Adds(nn.Module):
    """Changes its input in place."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.add_(1.0)


class Told(nn.Module):
    """Answers with something else than tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, str]:
        return self.layer(x), "label"


class Branches(nn.Module):
    """Python decides by a value, which an export cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gate(x)


class Gate(nn.Module):
    """The layer at fault."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if float(x.sum()) > 0 else x


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Adds(), "changes its inputs in place"),
        (Told(), "has a str among them"),
        (Branches(), "cannot export layer 'gate'"),
    ],
    ids=["in place", "no tensor", "branch"],
)
def test_models_that_no_file_can_hold(model: nn.Module, said: str) -> None:
    pytest.importorskip("onnxruntime")
    bench = prepare(model, torch.ones(2, 4), CPU, runtime="onnxruntime")
    with pytest.raises(ProfilerError, match=said):
        deploy(bench, CPU, runtime="onnxruntime")


def test_channels_last_belongs_to_torch() -> None:
    pytest.importorskip("onnxruntime")
    bench = prepare(tiny(), images(2), CPU, channels_last=True, runtime="onnxruntime")
    with pytest.raises(UsageError, match="channels-last is a layout of torch"):
        deploy(bench, CPU, runtime="onnxruntime")
