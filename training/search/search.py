"""The search: propose, measure, train a little, and let the better half go on.

Successive halving (Jamieson and Talwalkar, arXiv 1502.07943): every network is trained for a few
epochs; in each further round the better half goes on from its own weights for as long again, with
a schedule of its own (warm restarts, Loshchilov and Hutter, arXiv 1608.03983). All that is known
lies in the folder as soon as it is known, so that several processes may work in one folder, and an
interrupted search goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

from profiler.errors import InputDataError, ProfilerError, StoreError, TrainingError
from profiler.interruption import heed_interruption
from profiler.ledger import Ledger, Phase
from profiler.values.estimate import Estimate
from profiler.workload.prepared import is_out_of_memory
from training.checkpoints.checkpoint import check_recipe
from training.recipe import Recipe
from training.result import STOPPED_BY_INTERRUPTION, TrainingResult, read_result
from training.run.loop import train
from training.run_folder import BEST, has_failed_early, is_run

from .costs import find_costs
from .front import broken_by_costs
from .halving import survivors
from .objectives import OBJECTIVES
from .place import SearchPlace, noting_unmetered
from .plan import SearchPlan
from .preflight import Ground
from .proposals import Proposals
from .trials import (
    TRIAL,
    TURN,
    Trial,
    claimed,
    read_trial,
    read_trials,
    taking_turns,
    trial_folder,
    write_trial,
)

WAIT_S = 1.0
OF_ALL_TRIALS = (InputDataError, StoreError)
"""What is wrong with the data or the disk, which is no network's fault."""
MOST_FAILURES = 5
"""Failures in a row, from the first trial on, after which a search ends: all would fail."""


class Search:
    """One process's part of a search.

    Args:
        plan: what is searched.
        place: where.
        ground: what all networks have in common.
        proposals: where the points come from.
        ledger: of the search; None where another process keeps it.
    """

    def __init__(
        self,
        plan: SearchPlan,
        place: SearchPlace,
        ground: Ground,
        proposals: Proposals,
        ledger: Ledger | None,
    ) -> None:
        self._plan, self._place, self._ground = plan, place, ground
        self._proposals, self._ledger = proposals, ledger

    def run(self) -> list[Trial]:
        """Every trial, when all rounds are done; none need be trained where costs are too high.

        Raises:
            TrainingError: every trial failed.
        """
        self._first_round()
        for number in range(1, self._plan.rounds):
            self._finish_round(number)
        trials = read_trials(self._place.folder)
        if not any(trial.accuracies or trial.is_left_out for trial in trials):
            raise _all_failed(trials)
        return trials

    def costs(self, reference: str) -> dict[str, Estimate]:
        """What a network costs, with the joules of finding that out in the ledger."""
        with self._phase(Phase.EVALUATE):
            return find_costs(
                reference, self._plan, class_count=self._ground.class_count,
                input_shape=self._ground.input_shape,
                device=self._place.device, threads=self._place.threads, carbon=self._place.carbon,
            )  # fmt: skip

    def train_fully(self, trial: Trial, folder: Path) -> TrainingResult:
        """Train a network with the whole recipe from fresh weights, and test it once.

        It is no part of the search, nor are its joules, which its own ledger has.
        """
        recipe = replace(self._plan.recipe, model=trial.reference)
        return self._trained(recipe, folder, is_tested=True)

    def _first_round(self) -> None:
        folder = self._place.folder
        self._tell_untold()
        self._work_off(self._begun, is_waiting=False)
        while len(read_trials(folder)) < self._plan.trial_count:
            with ExitStack() as claim:
                # One process at a time, or two would both propose the last one.
                with taking_turns(folder / TURN):
                    trial = self._proposed(claim)
                if trial is not None:
                    self._try(trial)
        self._work_off(self._begun)

    def _proposed(self, claim: ExitStack) -> Trial | None:
        """The next trial, claimed before any other process sees it; None where all are proposed."""
        folder = self._place.folder
        trials = read_trials(folder)
        if len(trials) >= MOST_FAILURES and all(_has_failed(trial) for trial in trials):
            raise _all_failed(trials)
        if len(trials) >= self._plan.trial_count:
            return None
        trial = self._proposals.propose({each.reference for each in trials})
        claim.enter_context(claimed(trial_folder(folder, trial.number)))
        write_trial(folder, trial)
        return trial

    def _begun(self) -> list[Trial]:
        """Trials that were proposed and are not trained, by this process or another one."""
        trials = read_trials(self._place.folder)
        return [trial for trial in trials if trial.error is None and not trial.rounds]

    def _tell_untold(self) -> None:
        """What a process that was killed has kept and not told."""
        for trial in read_trials(self._place.folder):
            if trial.rounds:
                first = replace(trial, accuracies=trial.accuracies[:1])
                self._proposals.tell(trial.number, first.values)
            elif trial.is_left_out:
                self._proposals.tell_left_out(trial.number, trial.values)
            elif trial.error is not None:
                self._proposals.tell_failed(trial.number)

    def _finish_round(self, number: int) -> None:
        """Let the better half of the round before go on."""

        def left() -> list[Trial]:
            chosen = survivors(read_trials(self._place.folder), self._plan, number)
            return [trial for trial in chosen if trial.rounds == number]

        self._work_off(left)

    def _work_off(self, left: Callable[[], list[Trial]], *, is_waiting: bool = True) -> None:
        """Do what is left, where no other process does it already.

        Args:
            left: what is left now.
            is_waiting: whether to wait for what the others do, and to do it should they die.
        """
        while trials := left():
            if any(self._tried(trial.number, left) for trial in trials):
                continue
            if not is_waiting:
                return
            self._place.watcher.waiting(len(trials))
            time.sleep(WAIT_S)

    def _tried(self, number: int, left: Callable[[], list[Trial]]) -> bool:
        """Whether this process has taken a trial, which may have been finished meanwhile."""
        with claimed(trial_folder(self._place.folder, number)) as is_mine:
            now = {trial.number: trial for trial in left()} if is_mine else {}
            if number in now:
                self._try(now[number])
        return is_mine

    def _try(self, trial: Trial) -> None:
        """Measure a network, and train its next round."""
        folder = self._place.folder
        with noting_unmetered(folder, self._ledger):
            trial = self._outcome(trial)
        write_trial(folder, trial)
        if trial.is_left_out:
            self._proposals.tell_left_out(trial.number, trial.values)
        elif trial.error is not None:
            self._proposals.tell_failed(trial.number)
        elif trial.rounds == 1:
            self._proposals.tell(trial.number, trial.values)
        self._place.watcher.done(trial, read_trials(folder))
        if self._ledger is not None:
            self._ledger.settle()

    def _outcome(self, trial: Trial) -> Trial:
        """What a network comes to: trained for a round, or why not."""
        if trial.error is not None:  # it could not be proposed
            return trial
        plan = self._plan
        try:
            same = self._known_before(trial)
            if same is not None:
                first = same.accuracies[:1]
                return replace(trial, costs=same.costs, accuracies=first, epochs=plan.first_epochs)
            return self._trained_trial(trial)
        except OF_ALL_TRIALS:
            raise
        except ProfilerError as error:
            return replace(self._as_kept(trial), error=error.message)
        # Libraries raise it in many places, and the next network may be smaller.
        except Exception as error:
            heed_interruption(error)
            if not is_out_of_memory(error):
                raise
            return replace(self._as_kept(trial), error="there was not enough memory")

    def _trained_trial(self, trial: Trial) -> Trial:
        folder, plan = self._place.folder, self._plan
        if not trial.costs:
            self._place.watcher.begin(trial, "measuring")
            trial = replace(trial, costs=self.costs(trial.reference))
            write_trial(folder, trial)
            self._place.watcher.basis_of(trial)
        broken = broken_by_costs(trial, plan.constraints)
        if broken:
            value = trial.values[broken[0].objective]
            shown = OBJECTIVES[broken[0].objective].show(value)
            return replace(
                trial, is_left_out=True, error=f"not trained: {shown} breaks {broken[0]}"
            )
        number = trial.rounds
        self._place.watcher.begin(trial, f"training for {plan.round_epochs(number)} epochs")
        recipe = replace(plan.recipe, model=trial.reference, epochs=plan.round_epochs(number))
        home = trial_folder(folder, trial.number).resolve()  # the next round begins from its path
        if number:
            recipe = replace(recipe, initial=str(home / f"round-{number - 1}" / BEST))
        with self._phase(Phase.TRAIN):
            result = self._trained(recipe, home / f"round-{number}", is_tested=False)
        assert result.validation_accuracy is not None
        return replace(
            trial,
            accuracies=(*trial.accuracies, result.validation_accuracy),
            epochs=plan.total_epochs(number),
        )

    def _trained(self, recipe: Recipe, folder: Path, *, is_tested: bool) -> TrainingResult:
        done = read_result(folder)
        if done is not None and done.stopped_by != STOPPED_BY_INTERRUPTION:
            check_recipe(done.recipe, recipe)
            return done
        return train(
            recipe,
            folder,
            device=self._place.device,
            resume=is_run(folder) and not has_failed_early(folder),
            threads=self._place.threads,
            carbon=self._place.carbon,
            view=self._place.watcher.view(),
            is_tested=is_tested,
        )

    def _known_before(self, trial: Trial) -> Trial | None:
        """An earlier trial of the same network, which need not be trained twice."""
        if trial.rounds:
            return None
        same = (
            other
            for other in read_trials(self._place.folder)
            if other.reference == trial.reference and other.rounds and other.number < trial.number
        )
        return next(same, None)

    def _as_kept(self, trial: Trial) -> Trial:
        """The trial with the costs that were found before it failed."""
        path = trial_folder(self._place.folder, trial.number) / TRIAL
        return read_trial(path) if path.is_file() else trial

    def _phase(self, phase: Phase) -> AbstractContextManager[object]:
        return nullcontext() if self._ledger is None else self._ledger.phase(phase)


def _has_failed(trial: Trial) -> bool:
    return trial.error is not None and not trial.is_left_out


def _all_failed(trials: Sequence[Trial]) -> TrainingError:
    first = next((trial for trial in trials if trial.error), None)
    why = f": {first.reference or 'the first'}: {first.error}" if first else ""
    named = first.reference if first and first.reference else "..."
    return TrainingError(
        f"none of {len(trials)} networks could be measured and trained{why}",
        hint=f"try that one alone: python -m training train --model {named}",
    )
