"""Whole measurements of modules that take a known time at a known power."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from torch import nn

import profiler
from profiler.errors import MeasurementError, UsageError
from profiler.layers import LayerReport, measure_layers
from profiler.values.estimate import Basis
from tests.unit.layers.samples import best_of_device
from tests.virtual.layers import VirtualWorld
from tests.virtual.workload import Load, LoadMeter, LoadPower

IDLE_W = 20.0
CALLS = count(1)  # global, so that it is no state that is put back between calls


class Block(nn.Module):
    """Two layers at 100 and 300 W, and an addition between them."""

    def __init__(self, power: LoadPower) -> None:
        super().__init__()
        self.slow = Load(power, watts=100.0, seconds=4e-3)
        self.hot = Load(power, watts=300.0, seconds=2e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.hot(self.slow(x)) + x


def measured(
    model: nn.Module, power: LoadPower | None, inputs: object = None, **options: object
) -> LayerReport:
    meters = []
    if power is not None:
        meter = LoadMeter(power, update_period_s=0.02)
        meters = [(meter, meter.open())]
    settings = {"device": "cpu", "max_seconds": 3.0, "hardware": best_of_device(), **options}
    given = torch.zeros(4) if inputs is None else inputs
    return measure_layers(model, given, meters=meters, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scripted() -> LayerReport:
    """Measured on a virtual clock, so that nothing depends on what else this machine does."""
    world = VirtualWorld(IDLE_W)
    power = world.power
    model = nn.Sequential(Block(power), Block(power), Load(power, watts=60.0, seconds=3e-3))
    return world.measure_layers(model, best_of_device())


def test_joules_close_within_their_own_interval(scripted: LayerReport) -> None:
    closure = scripted.energy_closure
    assert closure is not None
    assert closure.low is not None
    assert closure.low <= 1.0 <= closure.high
    assert closure.relative_half_width < 0.2


def test_seconds_close(scripted: LayerReport) -> None:
    assert scripted.latency_s.point == pytest.approx(15e-3)
    assert scripted.latency_closure.point == pytest.approx(1.0)


def test_each_layer_gets_its_own_watts(scripted: LayerReport) -> None:
    watts = {"0.slow": 100.0, "0.hot": 300.0, "1.slow": 100.0, "1.hot": 300.0, "2": 60.0}
    rows = {row.path: row for row in scripted.layers}
    for path, power_w in watts.items():
        row = rows[path]
        assert row.energy_j.basis is Basis.MEASURED
        assert row.energy_j.point / row.latency_s.point == pytest.approx(power_w, rel=0.05)


def test_work_outside_of_leaves_has_rows_of_its_own(scripted: LayerReport) -> None:
    assert [row.path for row in scripted.outside] == ["", "0", "1"]
    assert all(row.energy_j.basis is Basis.ESTIMATED for row in scripted.outside)


def test_hooks_give_every_layer_the_same_watts_and_say_so() -> None:
    power = LoadPower(IDLE_W)
    report = measured(Block(power), power, method="hooks")
    watts = {row.energy_j.point / row.latency_s.point for row in report.layers}
    assert max(watts) == pytest.approx(min(watts))
    assert {row.energy_j.basis for row in report.layers} == {Basis.ESTIMATED}
    assert report.energy_j.basis is Basis.MEASURED


def test_without_a_sensor_time_is_measured_and_joules_are_not_seen() -> None:
    report = measured(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), None, max_seconds=1.0)
    assert report.energy_j is None
    assert report.energy_closure is None
    assert all(row.energy_j is None for row in report.layers)
    assert all(row.latency_s is not None for row in report.layers)
    assert "no-sensor" in {finding.kind for finding in report.findings}


def test_the_given_model_stays_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    entries = [set(vars(module)) for module in model.modules()]
    measured(model, None, torch.randn(8, 4), max_seconds=0.5)
    assert model.training
    assert [set(vars(module)) for module in model.modules()] == entries
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_a_budget_that_ends_early_is_reported_with_what_there_is() -> None:
    power = LoadPower(IDLE_W)
    report = measured(Block(power), power, max_seconds=0.05, precision=0.001)
    assert report.stopped_by == "budget"
    assert "budget-ended" in {finding.kind for finding in report.findings}
    assert report.latency_s.point > 6e-3


def test_progress_is_told_in_stages_that_go_forward() -> None:
    power = LoadPower(IDLE_W)
    told: list[tuple[str, float]] = []
    measured(Block(power), power, progress=lambda *state: told.append(state), max_seconds=1.0)
    assert {"counting", "time", "watts"} <= {stage for stage, _ in told}
    assert all(0 <= share <= 1 for _, share in told)


def test_a_model_whose_layers_change_from_call_to_call_says_so() -> None:
    class Alternating(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.often, self.rarely = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.often(x)
            return self.rarely(x) if next(CALLS) % 4 == 0 else x

    report = measured(Alternating(), None, max_seconds=1.0)
    assert "control-flow-changes" in {finding.kind for finding in report.findings}


def test_experts_that_take_turns_are_not_taken_for_one_another() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.experts[next(CALLS) % 2](x)

    report = measured(Experts(), None, max_seconds=1.0)
    assert "control-flow-changes" in {finding.kind for finding in report.findings}
    assert sum(row.latency_s is not None for row in report.layers) == 2


def test_a_model_that_raises_is_the_users_error_in_one_sentence() -> None:
    with pytest.raises(MeasurementError, match="the model raised RuntimeError"):
        measured(nn.Linear(4, 4), None, torch.zeros(2, 5))


@pytest.mark.parametrize(
    "options",
    [{"method": "guess"}, {"precision": 0.0}, {"max_seconds": float("inf")}, {"dtype": "fp8"}],
)
def test_arguments_out_of_range_are_usage_errors(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        measured(nn.ReLU(), None, **options)


def test_counts_of_fused_and_functional_work_go_to_the_row_that_took_the_time() -> None:
    model = nn.Sequential(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True))
    inputs = torch.randn(2, 5, 16)
    counted = profiler.count(model.eval(), inputs).mac_count
    report = measured(model, None, inputs, max_seconds=1.0)
    timed = [row for row in report.layers if row.latency_s is not None]
    assert sum(row.mac_count for row in timed) == counted
    assert sum(row.parameter_count for row in report.layers) == sum(
        parameter.numel() for parameter in model.parameters()
    )


def test_a_data_parallel_wrapper_is_looked_through() -> None:
    report = measured(nn.DataParallel(nn.Sequential(nn.Linear(4, 4))), None, torch.zeros(2, 4))
    assert {"Sequential", "Linear"} <= {row.kind for row in report.layers if row.latency_s}


def test_rows_have_their_floor_and_what_sets_it() -> None:
    model = nn.Sequential(nn.Linear(64, 64, bias=False), nn.ReLU())
    slow_calls = best_of_device(empty_call_s=best_of_device().empty_call_s.scaled(1e3, "s"))
    report = measured(model, None, torch.zeros(8, 64), max_seconds=1.0, hardware=slow_calls)
    assert {row.bound for row in report.layers} == {"overhead"}
    assert report.layers[1].floor_s == pytest.approx(1e-3)


def test_the_table_goes_to_pandas_with_units_in_its_names() -> None:
    report = measured(nn.Sequential(nn.Linear(4, 4)), None, torch.zeros(2, 4), max_seconds=0.5)
    frame = report.to_pandas()
    assert list(frame["path"]) == ["", "0"]
    assert {"latency_s", "energy_j", "floor_s", "macs_per_byte"} <= set(frame.columns)
