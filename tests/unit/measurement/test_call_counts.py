"""Counts of the call that is measured: whole, or a lower bound that says so."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn

from profiler.machine.device import find_device
from profiler.measurement.call_counts import count_call
from profiler.measurement.peak_memory import peak_memory
from profiler.values.units import show, show_short
from profiler.workload.prepared import prepare

CPU = find_device("cpu")

pytestmark = pytest.mark.filterwarnings("ignore")


class Threaded(nn.Module):
    """Runs one of its two layers in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.aside = nn.Linear(8, 8)
        self.layer = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: list[torch.Tensor] = []
        thread = threading.Thread(target=lambda: found.append(self.aside(x)))
        thread.start()
        thread.join()
        return self.layer(found[0])


class Spectral(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft(x).real @ torch.ones(8, 2)


def test_what_is_counted_is_a_lower_bound_where_not_all_is() -> None:
    counts = count_call(prepare(Threaded(), torch.ones(2, 8), CPU))
    assert counts.mac_count is not None
    assert counts.mac_count.is_lower_bound
    assert show(counts.mac_count) == show_short(counts.mac_count) == "≥ 128"
    assert counts.score(2) is None
    (finding,) = counts.findings
    assert "128 or more: not counted is Linear in another thread" in finding.observed


def test_fourier_transforms_stand_beside_the_macs() -> None:
    counts = count_call(prepare(Spectral(), torch.ones(2, 8), CPU))
    assert counts.mac_count is not None
    assert (counts.mac_count.low, counts.mac_count.point) == (32, 32)
    (finding,) = (f for f in counts.findings if f.kind == "fourier-operations")
    assert "120 real operations" in finding.observed


def test_nested_inputs_are_counted_once_and_have_no_memory() -> None:
    for layout in (torch.jagged, torch.strided):
        parts: Any = [torch.ones(2, 4), torch.ones(3, 4)]
        bench = prepare(nn.Linear(4, 4), torch.nested.nested_tensor(parts, layout=layout), CPU)
        counts = count_call(bench)
        assert counts.mac_count is not None
        assert (counts.mac_count.point, counts.findings) == (80, ())
        assert peak_memory(bench, CPU) is None
        assert bench.input_shapes == ("2x4+3x4",)
