from __future__ import annotations

import math

import pytest

from profiler.integrations.latest import LatestReadings
from profiler.values.estimate import Basis, Estimate


def total_j(point: float, half: float = 1.0) -> Estimate:
    return Estimate(
        point=point, low=point - half, high=point + half, unit="J", confidence=0.95,
        basis=Basis.MEASURED, source="a test",
    )  # fmt: skip


def test_a_phase_is_what_the_total_grew_by_while_it_was_open() -> None:
    now = [total_j(10)]
    latest = LatestReadings(lambda: now[0])
    latest.enter("train")
    now[0] = total_j(110)
    assert latest.joules("train") == pytest.approx(100)
    latest.enter("validation")
    now[0] = total_j(130)
    latest.enter("train")
    now[0] = total_j(180)
    latest.leave()
    now[0] = total_j(500)
    assert latest.joules("train") == pytest.approx(150)
    assert latest.joules("validation") == pytest.approx(20)
    latest.forget()
    assert math.isnan(latest.joules("train"))


def test_what_the_readings_cannot_tell_is_no_number() -> None:
    now: list[Estimate | None] = [total_j(10, half=4)]
    latest = LatestReadings(lambda: now[0])
    latest.enter("train")
    now[0] = total_j(15, half=4)
    assert math.isnan(latest.joules("train"))
    now[0] = None
    assert math.isnan(latest.joules("train"))
