"""Layers of models that other processes hold, as messages of JSON."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import nn

from profiler.errors import UsageError
from profiler.layers.processes import layers_in_processes
from profiler.measurement.request import Request, prepare_request
from profiler.measurement.runners import LocalRunner
from profiler.measurement.worker import Station
from profiler.measurement.workers import Prepared
from profiler.meters.clock import MonotonicClock
from profiler.values.layer_report import LayerReport
from profiler.values.profile import Workload
from tests.unit.layers.samples import best_of_device


class Beside:
    """Answers as a process that was started does, without one."""

    def __init__(self) -> None:
        request = Request(
            model=nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)),
            inputs=torch.zeros(32, 64),
            name="net",
            device="cpu",
            workload=Workload(model="net.py:net", device="cpu", data="zeros"),
        )
        runner = LocalRunner(calls=[], synchronize=lambda: None, clock=MonotonicClock())
        self.station = Station(runner=runner, ready=[(request, *prepare_request(request))])
        self.asked: list[str] = []

    def call(self, function: str, **arguments: Any) -> Any:
        module, _, name = function.partition(":")
        self.asked.append(name)
        result = getattr(import_module(module), name)(self.station, _sent(arguments))
        return _sent(result)


def _sent(value: Any) -> Any:
    return json.loads(json.dumps(value))


def crew(count: int) -> Prepared:
    runners: Any = [Beside() for _ in range(count)]
    return Prepared(runners=runners, names=["net"], facts=[], findings=[])


@pytest.fixture(scope="module")
def two() -> tuple[Prepared, LayerReport]:
    both = crew(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("profiler.layers.session.hardware_best", lambda *_, **__: best_of_device())
        (report,) = layers_in_processes(
            both,
            precision=0.9,
            max_seconds=6.0,
            without=["codecarbon"],
            progress=lambda stage, share: None,
        )
    return both, report


def test_every_process_times_and_the_first_one_reports(two: tuple[Prepared, LayerReport]) -> None:
    both, report = two
    first, second = (runner.asked for runner in both.runners)  # type: ignore[attr-defined]
    assert (first[0], first[-1]) == ("begin", "report")
    assert set(second) == {"advance"}
    assert report.process_count == 2
    assert "one-process" not in {finding.kind for finding in report.findings}


def test_the_report_comes_back_whole(two: tuple[Prepared, LayerReport]) -> None:
    report = two[1]
    assert (report.name, report.data, report.input_shapes) == ("net", "zeros", ("32x64",))
    assert [row.path for row in report.layers] == ["", "0", "1", "2"]
    assert [row.mac_count for row in report.layers] == [0, 32 * 64 * 64, 0, 32 * 64 * 8]
    assert all(row.latency_s is not None for row in report.layers)
    assert report.latency_s.low is not None
    assert "of 2 processes" in report.latency_s.source


def test_what_cannot_be_asked_for_is_refused_before_anything_runs() -> None:
    both = crew(1)
    with pytest.raises(UsageError, match="a precision of 2"):
        layers_in_processes(both, precision=2, progress=lambda stage, share: None)
    assert both.runners[0].asked == []  # type: ignore[attr-defined]
