import pytest

from profiler.render.layer_groups import SORT_KEYS, group_by_depth, group_by_kind, sort_layers
from profiler.values.estimate import Basis, stated
from profiler.values.layer_cost import LayerCost


def row(path: str, kind: str, latency_s: float | None, **fields: object) -> LayerCost:
    seconds = None if latency_s is None else stated(latency_s, "s", Basis.MEASURED, "test")
    counts = {"parameter_count": 1, "mac_count": 10, "read_bytes": 4, "written_bytes": 1}
    return LayerCost(path=path, kind=kind, call_count=1, latency_s=seconds, **{**counts, **fields})


ROWS = (
    row("", "Net", 0.5, mac_count=0),
    row("a", "Sequential", 0.25, mac_count=0),
    row("a.0", "Conv2d", 2.0, floor_s=1.0, bound="compute"),
    row("a.1", "BatchNorm2d", 1.0, floor_s=0.5, bound="memory"),
    row("b", "Conv2d", 4.0, floor_s=2.0, bound="memory"),
)


def test_rows_of_one_kind_are_summed_and_nothing_is_lost() -> None:
    groups = {group.path: group for group in group_by_kind(ROWS, {"", "a"})}
    assert set(groups) == {"conv", "norm", "between layers"}
    assert groups["conv"].latency_s.point == 6.0
    assert groups["conv"].mac_count == 20
    assert groups["conv"].achieved_share == pytest.approx(0.5)
    assert sum(group.latency_s.point for group in groups.values()) == pytest.approx(7.75)


def test_depth_folds_everything_below_into_its_module() -> None:
    folded = group_by_depth(ROWS, 1)
    assert [group.path for group in folded] == ["", "a", "b"]
    assert folded[1].latency_s.point == pytest.approx(3.25)
    assert folded[1].kind == "Sequential"


def test_a_part_without_joules_leaves_its_group_without() -> None:
    joules = stated(1.0, "J", Basis.MEASURED, "test")
    rows = (row("a.0", "Conv2d", 1.0, energy_j=joules), row("a.1", "Conv2d", 1.0))
    (group,) = group_by_kind(rows)
    assert group.energy_j is None


@pytest.mark.parametrize("key", sorted(SORT_KEYS))
def test_every_key_sorts_rows_with_and_without_numbers(key: str) -> None:
    rows = (*ROWS, row("c", "Linear", None))
    values = [SORT_KEYS[key](item) for item in sort_layers(rows, key)]
    assert values == sorted(values, reverse=True)
