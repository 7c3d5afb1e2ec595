"""Layers that several processes time by turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from profiler.errors import MeasurementError
from profiler.layers.timing import Timing
from profiler.layers.trimmed_mean import Summary
from profiler.layers.turns import JointTiming, over_processes, time_by_turns
from tests.virtual.clock import FakeClock


def summary(rows_s: list[float], half_s: float = 0.0) -> Summary:
    rows = np.array(rows_s)
    return Summary(
        whole_s=float(rows.sum()), whole_half_s=half_s, own_s=rows, rows_s=rows,
        rows_half_s=np.full(len(rows), half_s), shares_half=np.zeros(len(rows)), closure=1.0,
        closure_half=0.0, freedom=0.0 if np.isinf(half_s) else 6.0,
    )  # fmt: skip


class Process:
    """Takes the time that it is given, and settles where it likes."""

    def __init__(self, clock: FakeClock, rows_s: list[float], call_s: float = 0.01) -> None:
        self.clock, self.call_s = clock, call_s
        self.turns_s: list[float] = []
        self.timing = Timing(
            summary=summary(rows_s, 1e-6), positions=(0, 1), round_count=0, round_s=call_s,
            is_full=False,
            run_count=0, strange_count=0, stamp_s=0.0, observed_cost_s=0.0,
            page_faults_per_call=0.0, system_share=0.0,
        )  # fmt: skip

    def advance(self, seconds: float) -> Timing:
        self.turns_s.append(seconds)
        took_s = max(seconds, self.call_s)
        self.clock.advance(took_s)
        more = round(took_s / self.call_s)
        self.timing = replace(self.timing, round_count=self.timing.round_count + more)
        return self.timing


def joint(
    processes: list[Process], precision: float = 0.05, max_seconds: float = 60.0
) -> JointTiming:
    clock = processes[0].clock
    return time_by_turns(
        processes, precision=precision, deadline_s=clock.now_s() + max_seconds, seed=0,
        clock=clock, tell=lambda share: None,
    )  # fmt: skip


def test_rows_are_means_over_processes_whose_difference_is_in_the_interval() -> None:
    found = over_processes([summary([1.0, 3.1]), summary([1.0, 1.1]), summary([1.0, 1.2])])
    assert found.rows_s == pytest.approx([1.0, 1.8])
    assert found.closure == pytest.approx(1.0)
    assert found.rows_half_s[0] == pytest.approx(0.0, abs=1e-12)
    # Student's t of three values: 4.303 standard deviations over the root of 3.
    spread = np.std([3.1, 1.1, 1.2], ddof=1)
    assert found.rows_half_s[1] == pytest.approx(4.303 * spread / 3**0.5, rel=1e-3)


def test_what_makes_a_process_slower_as_a_whole_cancels_in_the_shares() -> None:
    found = over_processes([summary([1.0, 3.0]), summary([1.1, 3.3]), summary([0.9, 2.7])])
    assert found.rows_half_s[1] > 0.5
    assert found.shares == pytest.approx([0.25, 0.75])
    assert found.shares_half == pytest.approx([0.0, 0.0], abs=1e-12)


def test_the_interval_is_never_narrower_than_that_of_the_processes_themselves() -> None:
    found = over_processes([summary([1.0, 2.0], 0.3)] * 3)
    # Three times six degrees of freedom in place of six.
    assert found.rows_half_s == pytest.approx([0.3 / 3**0.5 * 2.101 / 2.447] * 2, rel=1e-3)


def test_processes_of_one_round_each_have_the_interval_of_their_differences() -> None:
    found = over_processes([summary([1.0, 2.0], np.inf), summary([1.0, 2.2], np.inf)])
    assert found.rows_half_s == pytest.approx([0.0, 12.706 * 0.1], rel=1e-3)


def test_processes_that_agree_are_enough_early_and_each_had_its_turn() -> None:
    clock = FakeClock()
    processes = [Process(clock, [1e-3, 2e-3]) for _ in range(3)]
    found = joint(processes)
    assert found.stopped_by == "precision"
    assert len(found.timings) == 3
    assert [len(process.turns_s) for process in processes] == [1, 1, 1]


def test_processes_that_differ_use_the_budget_evenly_and_say_how_far_they_are_apart() -> None:
    clock = FakeClock()
    processes = [Process(clock, [1e-3, second_s]) for second_s in (1.1e-3, 3.1e-3, 1.1e-3)]
    found = joint(processes)
    assert found.stopped_by == "budget"
    assert clock.now_s() - 1000.0 <= 60.1
    assert found.summary.rows_half_s[1] > 1e-3
    counts = [process.timing.round_count for process in processes]
    assert max(counts) < 1.5 * min(counts)


def test_calls_too_long_for_all_processes_are_made_in_one_and_that_is_said() -> None:
    clock = FakeClock()
    processes = [Process(clock, [1.0, 2.0], call_s=40.0) for _ in range(3)]
    found = joint(processes)
    assert len(found.timings) == 1
    assert [finding.kind for finding in found.findings] == ["fewer-processes"]


def test_processes_that_run_other_modules_have_no_common_table() -> None:
    clock = FakeClock()
    first, second = Process(clock, [1e-3, 2e-3]), Process(clock, [1e-3, 2e-3])
    second.timing = replace(second.timing, positions=(0, 2))
    with pytest.raises(MeasurementError, match="other modules"):
        joint([first, second])
