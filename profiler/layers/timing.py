"""Whole-model runs in rounds, with stamps and without, in this process."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from resource import RUSAGE_SELF, getrusage, struct_rusage
from typing import Any

import numpy as np

from profiler.meters.clock import Clock

from .stamps import CallTimeline, StampCost, stamping
from .structure import Structure
from .survey import Survey, intercepted
from .trimmed_mean import Floats, Summary, summarize

BLOCK_S = 0.02
SURELY_ALONE_S = 1.0
"""A first run this long, first-time costs included, is followed by none to find the block."""

MOST_RUNS_A_BLOCK = 10
MOST_ROUNDS = 600


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
        bare_count: calls without stamps that the kernel's account below is about.
        page_fault_count: pages that the kernel handed out in them.
        system_s: CPU seconds of the kernel in them.
        cpu_s: CPU seconds in them, the kernel's included.
    """

    whole_s: list[Floats] = field(default_factory=list)
    stamped_s: list[Floats] = field(default_factory=list)
    own_s: list[Floats] = field(default_factory=list)
    strange_count: int = 0
    run_count: int = 0
    bare_count: int = 0
    page_fault_count: int = 0
    system_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether no more of them would tell anything new."""
        return len(self.own_s) + self.strange_count > MOST_ROUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What timing in situ in one process has shown so far.

    Args:
        summary: seconds; None where no call ran the modules of the survey.
        positions: shape (calls,), of the module of each call in the survey.
        round_count: rounds that it comes from.
        round_s: how long the last one took.
        is_full: whether no more of them would tell anything new.
        run_count: calls with stamps that were used.
        strange_count: calls of the model whose modules did not run in the order of the survey.
        stamp_s: what the stamps around one call of a module cost.
        observed_cost_s: what calls of the model with stamps took longer than those without.
        page_faults_per_call: pages that the kernel handed out in a call of the model.
        system_share: the kernel's share of the CPU seconds.
    """

    summary: Summary | None
    positions: tuple[int, ...]
    round_count: int
    round_s: float
    is_full: bool
    run_count: int
    strange_count: int
    stamp_s: float
    observed_cost_s: float
    page_faults_per_call: float
    system_share: float


@dataclass(slots=True)
class InSitu:
    """Times every module inside whole-model runs of this process.

    Args:
        survey: what is called.
        structure: which stretch between stamps belongs to which call.
        timeline: where stamps are made.
        clock: what time it is.
        seed: of the order of runs.
    """

    survey: Survey
    structure: Structure
    timeline: CallTimeline
    clock: Clock
    seed: int
    _rounds: Rounds = field(default_factory=Rounds)
    _cost: StampCost | None = None
    _run_count: int = 0

    def advance(self, seconds: float) -> Timing:
        """Alternate for so long, at least once, and tell what all rounds until now have shown."""
        end_s = self.clock.now_s() + seconds
        rounds = self._rounds
        if self._cost is None:
            self._cost, self._run_count = self.timeline.cost(), self._runs_a_block()
        generator = random.Random(f"{self.seed} {len(rounds.own_s)}")
        if self._run_count == 1 and rounds.own_s:
            self.survey.run()  # another process may have run since, and taken the caches
        while True:
            round_s = self._round(self._run_count, self._cost, generator)
            if self.clock.now_s() + round_s > end_s or rounds.is_full:
                return self._timing(self._cost, round_s)

    def _timing(self, cost: StampCost, round_s: float) -> Timing:
        rounds, summary, observed_s = self._rounds, None, 0.0
        if rounds.own_s:
            summary = summarize(rounds.whole_s, rounds.own_s, self.structure.row_of, self.seed)
            stamped_s, whole_s = np.concatenate(rounds.stamped_s), np.concatenate(rounds.whole_s)
            observed_s = float(np.median(stamped_s - whole_s))
        return Timing(
            summary=summary,
            positions=tuple(self.structure.row_of.tolist()),
            round_count=len(rounds.own_s),
            round_s=round_s,
            is_full=rounds.is_full,
            run_count=rounds.run_count,
            strange_count=rounds.strange_count,
            stamp_s=cost.call_s,
            observed_cost_s=observed_s,
            page_faults_per_call=rounds.page_fault_count / max(1, rounds.bare_count),
            system_share=rounds.system_s / rounds.cpu_s if rounds.cpu_s > 0 else 0.0,
        )

    def _runs_a_block(self) -> int:
        if self.survey.first_run_s > SURELY_ALONE_S:
            return 1
        start_s = self.clock.now_s()
        self._bare(1)
        return max(
            1, min(MOST_RUNS_A_BLOCK, round(BLOCK_S / max(self.clock.now_s() - start_s, 1e-6)))
        )

    def _round(self, run_count: int, cost: StampCost, generator: random.Random) -> float:
        start_s = self.clock.now_s()
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
        return self.clock.now_s() - start_s

    def _bare(self, run_count: int) -> Floats:
        """Seconds of each of some calls without stamps."""
        survey, stamp = self.survey, self.timeline.stamp
        stamps: list[Any] = []
        if run_count > 1:
            survey.run()
        before = getrusage(RUSAGE_SELF)
        for _ in range(run_count):
            arguments = survey.fresh()
            stamps.append(stamp())
            survey.run(arguments)
            stamps.append(stamp())
        self._account(before, getrusage(RUSAGE_SELF), run_count)
        instants_s = np.array(self.timeline.seconds(stamps))
        return np.asarray(instants_s[1::2] - instants_s[::2])

    def _account(self, before: struct_rusage, after: struct_rusage, run_count: int) -> None:
        rounds = self._rounds
        system_s = after.ru_stime - before.ru_stime
        rounds.bare_count += run_count
        rounds.page_fault_count += after.ru_minflt - before.ru_minflt
        rounds.system_s += system_s
        rounds.cpu_s += system_s + after.ru_utime - before.ru_utime

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
