from __future__ import annotations

from dataclasses import replace

from reports.studies.cell import Cell, CellEnd, CellKind, CellState
from reports.studies.time_left import TimeLeft
from tests.virtual.clock import FakeClock

TRAIN = Cell(name="t", kind=CellKind.TRAIN, models=("a",), device="cpu", limit_s=100.0)
MEASURE = Cell(name="m", kind=CellKind.MEASURE, models=("a",), device="cpu")


def test_a_cell_begins_only_when_it_is_expected_to_end_in_the_time_that_is_left() -> None:
    clock = FakeClock()
    left = TimeLeft(120.0, (), clock.now_s)
    assert left.refusal(TRAIN) == ""
    clock.advance(30)
    assert "it may take 1 min 40 s" in left.refusal(TRAIN)
    assert left.refusal(MEASURE) == ""
    end = CellEnd(
        code="", state=CellState.FINISHED, command=(), started_utc="", duration_s=20.0,
        device="cpu", engine="local",
    )  # fmt: skip
    left.learn(TRAIN, end)
    assert left.refusal(replace(TRAIN, name="the same again")) == ""
    clock.advance(200)
    assert left.left_s == 0
    assert left.refusal(replace(TRAIN, limit_s=None)).startswith("not begun")


def test_what_begins_is_ended_at_its_own_limit_or_with_the_whole() -> None:
    clock = FakeClock()
    left = TimeLeft(120.0, (), clock.now_s)
    assert left.limit_s(TRAIN) == 100
    assert left.limit_s(MEASURE) == 120
    clock.advance(50)
    assert left.limit_s(TRAIN) == 70
