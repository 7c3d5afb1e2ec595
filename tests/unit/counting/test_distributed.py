"""Models whose weights are spread over processes; one process is enough to see their tensors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from profiler.counting import count
from profiler.errors import UsageError
from profiler.machine.device import find_device
from profiler.workload.prepared import prepare

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def mesh() -> Iterator[DeviceMesh]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16, bias=False), nn.ReLU(), nn.Linear(16, 8, bias=False))


def test_tensor_parallel_weights_count_the_same_at_every_call(mesh: DeviceMesh) -> None:
    model = parallelize_module(plain(), mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    x = torch.ones(2, 8)
    assert [count(model, x).mac_count for _ in range(2)] == [512, 512]
    with torch.inference_mode():
        assert [count(model, x).mac_count for _ in range(2)] == [512, 512]


def test_a_sharded_model_is_counted_and_measured_as_it_is(mesh: DeviceMesh) -> None:
    model = plain()
    fully_shard(model[0])
    fully_shard(model)
    x = torch.ones(2, 8)
    expected = model(x)
    assert [count(model, x).mac_count for _ in range(2)] == [512, 512]
    bench = prepare(model, x, find_device("cpu"))
    bench.call()
    assert bench.model is model
    assert model.training
    assert torch.equal(model(x), expected)
    with pytest.raises(UsageError, match="FSDP2"):
        prepare(model, x, find_device("cpu"), dtype="bf16")
