"""Rules of the caller's for the MACs of a kind of module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import profiler
from profiler.counting import count_on_meta
from profiler.errors import MeasurementError, UsageError
from profiler.measurement.call_counts import count_call
from profiler.values.estimate import Basis
from profiler.workload.prepared import prepare
from tests.unit.layers.samples import CPU, surveyed


class Kernel(nn.Module):
    """Work that no operator shows."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4, bias=False)

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return self.inner(x) * scale


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.head = Kernel(), nn.Linear(4, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.kernel(self.kernel(x), scale=2.0))


IMAGES = torch.ones(2, 4)
HEAD = 2 * 4 * 3


def test_a_rule_speaks_for_a_module_and_all_inside_it_at_every_call() -> None:
    costs = profiler.count(Twice(), IMAGES, rules={Kernel: lambda module, args, output: 100})
    assert costs.mac_count == 200 + HEAD
    assert {row.path: row.mac_count for row in costs.layers} == {
        "": 0, "kernel": 200, "kernel.inner": 0, "head": HEAD,
    }  # fmt: skip
    assert costs.rules == ("Kernel by a rule of the caller's",)
    assert costs.uncounted_ops == ()


def test_a_rule_is_given_the_arguments_in_order_and_what_came_out() -> None:
    seen = []

    def rule(module: Kernel, args: tuple[torch.Tensor, float], output: torch.Tensor) -> int:
        seen.append((type(module).__name__, args[1:], tuple(output.shape)))
        return args[0].numel()

    assert profiler.count(Twice(), IMAGES, rules={Kernel: rule}).mac_count == 16 + HEAD
    assert seen == [("Kernel", (), (2, 4)), ("Kernel", (2.0,), (2, 4))]


def test_none_leaves_a_module_out_and_the_nearest_class_decides() -> None:
    class Special(Kernel):
        pass

    model = nn.Sequential(Kernel(), Special())
    rules = {Kernel: lambda *_: 7, Special: None}
    costs = profiler.count(model, IMAGES, rules=rules)
    assert (costs.mac_count, costs.effective_mac_count) == (7, 7)
    assert costs.rules == ("Kernel by a rule of the caller's", "Special is left out")
    assert count_on_meta(model, IMAGES, rules=rules).mac_count == 7


def test_a_rule_that_nothing_needs_leaves_the_count_exact() -> None:
    costs = profiler.count(Twice(), IMAGES, rules={nn.Conv2d: None})
    assert (costs.mac_count, costs.rules) == (2 * 2 * 16 + HEAD, ())


def test_a_module_that_raises_and_is_caught_does_not_silence_the_rest() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError

    class Tries(Twice):
        def __init__(self) -> None:
            super().__init__()
            self.fails = Fails()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                return self.fails(x)
            except ValueError:
                return super().forward(x)

    costs = profiler.count(Tries(), IMAGES, rules={Fails: lambda *_: 1})
    assert (costs.mac_count, costs.rules) == (2 * 2 * 16 + HEAD, ())


def test_a_measurement_says_that_its_macs_are_the_callers_word() -> None:
    counts = count_call(prepare(Twice(), IMAGES, CPU), {Kernel: lambda *_: 100})
    assert counts.mac_count is not None
    assert (counts.mac_count.point, counts.mac_count.basis) == (200 + HEAD, Basis.ASSUMED)
    assert counts.score(2) is None
    assert [finding.kind for finding in counts.findings] == ["counted-by-rules"]


def test_the_table_of_layers_takes_the_same_rules() -> None:
    from profiler.layers.rows import counted_rows

    rows, findings = counted_rows(surveyed(Twice(), IMAGES), {Kernel: None})
    assert sum(row.mac_count for row in rows) == HEAD
    assert [finding.kind for finding in findings] == ["counted-by-rules"]


@pytest.mark.parametrize("rules", [{"Kernel": None}, {Kernel: 100}, {int: None}])
def test_what_is_no_rule_is_refused(rules: object) -> None:
    with pytest.raises(UsageError, match="rule"):
        profiler.count(Twice(), IMAGES, rules=rules)  # type: ignore[arg-type]


@pytest.mark.parametrize("result", [-1, 1.5, None])
def test_a_rule_that_gives_no_macs_is_an_error_and_no_zero(result: object) -> None:
    with pytest.raises(MeasurementError, match="the rule for Kernel"):
        profiler.count(Twice(), IMAGES, rules={Kernel: lambda *_: result})  # type: ignore[dict-item,return-value]
