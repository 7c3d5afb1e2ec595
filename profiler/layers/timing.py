"""Whole-model runs in rounds, with stamps and without, until it is known well enough."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .stamps import CallTimeline, StampCost, stamping
from .structure import Structure
from .survey import Survey, intercepted
from .trimmed_mean import Floats, Summary, summarize

BLOCK_S = 0.02
SURELY_ALONE_S = 1.0
"""A first run this long, first-time costs included, is followed by none to find the block."""

MOST_RUNS_A_BLOCK = 10
FEWEST_ROUNDS, MOST_ROUNDS = 8, 600
CHECK_GROWTH = 1.3
SMALL_ROW_SHARE = 0.01


@dataclass(slots=True)
class Rounds:
    """What was timed, one entry a round, each with as many calls of the model of either kind.

    Args:
        whole_s: shape (pairs,), seconds of a call without stamps.
        stamped_s: shape (pairs,), seconds of a call with them, their cost included.
        own_s: shape (pairs, calls), seconds of each call of a module, without its children, the
            stamps' cost subtracted.
        strange_count: calls of the model whose modules did not run in the order of the survey.
        run_count: calls with stamps that were used.
    """

    whole_s: list[Floats] = field(default_factory=list)
    stamped_s: list[Floats] = field(default_factory=list)
    own_s: list[Floats] = field(default_factory=list)
    strange_count: int = 0
    run_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The result of timing in situ."""

    summary: Summary
    rounds: Rounds
    cost: StampCost
    stopped_by: str


@dataclass(slots=True)
class InSitu:
    """Times every module inside whole-model runs.

    Args:
        survey: what is called.
        structure: which stretch between stamps belongs to which call.
        timeline: where stamps are made.
        precision: relative half width at which to stop; see `Summary.precise`.
        deadline_s: instant of `time.monotonic` at which to stop.
        seed: of the order of runs.
        tell: told the share of the time that is spent.
    """

    survey: Survey
    structure: Structure
    timeline: CallTimeline
    precision: float
    deadline_s: float
    seed: int
    tell: Callable[[float], None]
    _rounds: Rounds = field(default_factory=Rounds)

    def run(self) -> Timing:
        """Alternate until every row is known as well as asked, or time is up."""
        begun_s = time.monotonic()
        generator = random.Random(self.seed)
        cost = self.timeline.cost()
        run_count = self._runs_a_block()
        summary, next_check = None, FEWEST_ROUNDS
        rounds, stopped_by = self._rounds, "budget"
        while True:
            round_s = self._round(run_count, cost, generator)
            now_s = time.monotonic()
            self.tell(min(1.0, (now_s - begun_s) / max(self.deadline_s - begun_s, 1e-9)))
            count = len(rounds.own_s)
            ended = now_s + round_s > self.deadline_s or count + rounds.strange_count > MOST_ROUNDS
            if count and (count >= next_check or ended):
                next_check = int(count * CHECK_GROWTH) + 1
                summary = summarize(rounds.whole_s, rounds.own_s, self.structure.row_of, self.seed)
                if count >= FEWEST_ROUNDS and summary.precise(self.precision, SMALL_ROW_SHARE):
                    stopped_by = "precision"
                    break
            if ended and (summary is not None or rounds.strange_count):
                break
        if summary is None:
            raise self.structure.changes_from_call_to_call()
        return Timing(summary=summary, rounds=rounds, cost=cost, stopped_by=stopped_by)

    def _runs_a_block(self) -> int:
        if self.survey.first_run_s > SURELY_ALONE_S:
            return 1
        start_s = time.monotonic()
        self._bare(1)
        return max(1, min(MOST_RUNS_A_BLOCK, round(BLOCK_S / (time.monotonic() - start_s))))

    def _round(self, run_count: int, cost: StampCost, generator: random.Random) -> float:
        start_s = time.monotonic()
        rounds = self._rounds
        stamped_first = generator.random() < 0.5
        stamped = self._stamped(run_count) if stamped_first else []
        whole_s = self._bare(run_count)
        stamped = stamped or self._stamped(run_count)
        usual = [run for run in stamped if run]
        rounds.strange_count += len(stamped) - len(usual)
        if usual:
            spans_s = np.diff(np.array(usual), axis=1)
            rounds.whole_s.append(whole_s[: len(usual)])
            rounds.stamped_s.append(spans_s.sum(axis=1))
            rounds.own_s.append(self.structure.own_seconds(spans_s, cost))
            rounds.run_count += len(usual)
        return time.monotonic() - start_s

    def _bare(self, run_count: int) -> Floats:
        """Seconds of each of some calls without stamps."""
        survey, stamp = self.survey, self.timeline.stamp
        stamps: list[Any] = []
        if run_count > 1:
            survey.run()
        for _ in range(run_count):
            arguments = survey.fresh()
            stamps.append(stamp())
            survey.run(arguments)
            stamps.append(stamp())
        instants_s = np.array(self.timeline.seconds(stamps))
        return np.asarray(instants_s[1::2] - instants_s[::2])

    def _stamped(self, run_count: int) -> list[list[float]]:
        """Instants of all stamps, one list a call; an empty one where other modules ran."""
        survey = self.survey
        stamps: list[Any] = []
        order: list[int] = []
        ends: list[tuple[int, int]] = []
        with intercepted(survey.watched, stamping(stamps, order, self.timeline.stamp)):
            if run_count > 1:
                survey.run()
                stamps.clear()
                order.clear()
            for _ in range(run_count):
                survey.run()
                ends.append((len(stamps), len(order)))
        instants_s = self.timeline.seconds(stamps)
        usual = [call.position for call in survey.calls]
        return [
            instants_s[start:end] if order[first:last] == usual else []
            for (start, first), (end, last) in zip([(0, 0), *ends], ends, strict=False)
        ]
