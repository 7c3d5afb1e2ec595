"""Proposals: which point is tried next, by Optuna, which keeps what the earlier ones came to."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

from profiler.errors import ProfilerError, StoreError, TargetError, UsageError
from profiler.interruption import heed_interruption
from profiler.values.codec import decode, encode
from profiler.values.estimate import Estimate

from .objectives import OBJECTIVES
from .plan import DATABASE, SearchPlan, publishable, without_password
from .space import propose
from .storage import ANOTHER, explain_storage
from .trials import TURN, Trial, read_trials, taking_turns

PLAN_KEY = "plan"
STUDY = "search"
STORAGES = ("sqlalchemy", "optuna", "sqlite3")
FEWEST_FOR_IMPORTANCE = 10
MOST_REPEATS = 10
BUSY_S = 60
"""How long a process waits for the others that write to the same SQLite file."""


class Proposals:
    """The study of a search; several processes may share it.

    Args:
        folder: of the search.
        plan: what is searched.

    Raises:
        UsageError: Optuna is not installed.
        StoreError: the storage cannot be opened, or is that of another search.
    """

    def __init__(self, folder: Path, plan: SearchPlan) -> None:
        try:
            import optuna
        except ImportError as error:
            raise UsageError(
                f"a search needs Optuna, which cannot be imported: {error}",
                hint="pip install optuna",
            ) from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._plan = plan
        self._violations: dict[int, list[float]] = {}
        self._url = plan.storage or _sqlite_url(folder / DATABASE)
        self._shown = without_password(plan.storage or str(folder / DATABASE))
        # Two processes that make the tables of one file at once would each find half of them.
        with self._explained(Exception), taking_turns(folder / TURN):
            self._study = optuna.create_study(
                storage=self._url,
                study_name=STUDY if plan.storage is None else f"{STUDY}-{folder.resolve().name}",
                directions=[
                    "maximize" if OBJECTIVES[name].is_higher_better else "minimize"
                    for name in plan.objectives
                ],
                load_if_exists=True,
            )
            self._check_same()
            self._check_known(max((trial.number for trial in read_trials(folder)), default=-1))
            self._study.sampler = self._sampler()

    def propose(self, known: Collection[str]) -> Trial:
        """A new point; one of which no network can be built has failed already.

        Args:
            known: references that were tried. A sampler that has found something good proposes it
                again, which teaches nothing; where it does so too often, or the space holds no
                more, the same is tried again.
        """
        for _ in range(MOST_REPEATS):
            trial = self._asked()
            if trial.error is not None or trial.reference not in known:
                return trial
            self.tell_failed(trial.number)
        return self._asked()

    def _asked(self) -> Trial:
        with self._explained():
            trial = self._study.ask()
            reference, problem = "", None
            try:
                reference = propose(
                    self._plan.space,
                    is_trained=self._plan.recipe.initial is not None,
                    number=lambda name, options: trial.suggest_categorical(name, options),
                    text=lambda name, options: trial.suggest_categorical(name, options),
                )
            except TargetError as error:
                problem = error.message
        return Trial(
            number=trial.number, reference=reference, choices=dict(trial.params), error=problem
        )

    def tell(self, number: int, values: Mapping[str, Estimate]) -> None:
        """Keep what a point came to."""
        self._tell(number, values, [values[name].point for name in self._plan.objectives])

    def _tell(self, number: int, values: Mapping[str, Estimate], points: Sequence[float]) -> None:
        with self._explained():
            stored = self._study.get_trials(deepcopy=False)[number]
            if stored.state.is_finished():  # by a process that was killed before it wrote so
                return
            self._violations[number] = [
                each.violation(values) or 0.0 for each in self._plan.constraints
            ]
            self._study.tell(number, points)

    def tell_left_out(self, number: int, values: Mapping[str, Estimate]) -> None:
        """Keep by how much a point breaks constraints; it has no accuracy, which stands below all.

        The sampler learns from it where not to look: by its violations alone, not by its values.
        """
        worst = {
            name: -inf if OBJECTIVES[name].is_higher_better else inf
            for name in self._plan.objectives
        }
        points = worst | {name: value.point for name, value in values.items()}
        self._tell(number, values, [points[name] for name in self._plan.objectives])

    def tell_failed(self, number: int) -> None:
        """Keep that a point came to nothing."""
        with self._explained():
            self._study.tell(
                number, state=self._optuna.trial.TrialState.FAIL, skip_if_finished=True
            )

    def importance(self, objective: str, trials: Sequence[Trial]) -> dict[str, float]:
        """The share of each choice in how an objective varies; {} where too little is known.

        Functional ANOVA over a random forest (Hutter et al., ICML 2014). Accuracies are those of
        the first round, which all that were trained have gone through.

        Args:
            objective: its name.
            trials: of the search; those of which the objective is not known are left out.
        """
        study = self._optuna.create_study()
        with self._explained():
            space = {t.number: t.distributions for t in self._study.get_trials(deepcopy=False)}
        study.add_trials(
            [
                self._optuna.trial.create_trial(
                    params=dict(trial.choices), distributions=space[trial.number], value=value
                )
                for trial in trials
                if (value := trial.first_value(objective)) is not None
            ]
        )
        if len(study.get_trials(deepcopy=False)) < FEWEST_FOR_IMPORTANCE:
            return {}
        evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=self._plan.recipe.seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found: Mapping[str, float] = self._optuna.importance.get_param_importances(
                    study, evaluator=evaluator
                )
        except (ValueError, RuntimeError):  # every network came to the same, or was the same
            return {}
        return dict(found)

    def _sampler(self) -> Any:
        # Another seed for each process that joins, or all would propose the same.
        seed = self._plan.recipe.seed + len(self._study.get_trials(deepcopy=False))
        samplers = self._optuna.samplers
        kind = {"tpe": samplers.TPESampler, "nsga2": samplers.NSGAIISampler}[self._plan.sampler]
        if not self._plan.constraints:
            return kind(seed=seed)
        # Optuna asks once, as it is told what a trial came to, and keeps the answer itself.
        none = [0.0] * len(self._plan.constraints)
        return kind(
            seed=seed, constraints_func=lambda trial: self._violations.get(trial.number, none)
        )

    def _check_same(self) -> None:
        """The study must be of this plan, whoever began it."""
        own = encode(publishable(self._plan))
        stored = self._study.user_attrs.get(PLAN_KEY)
        if stored is None and self._study.get_trials(deepcopy=False):
            raise StoreError(
                f"the study '{self._study.study_name}' in '{self._shown}' is of another program",
                hint="name another --storage or --out, whose name is that of the study",
            )
        if stored is None:
            self._study.set_user_attr(PLAN_KEY, json.dumps(own))
            return
        changed = decode({**own, **json.loads(stored)}, SearchPlan).differences(self._plan)
        if changed:
            raise StoreError(
                f"the study in '{self._shown}' was begun with {'; '.join(changed)}",
                hint=ANOTHER,
            )

    def _check_known(self, number: int) -> None:
        """Refuse a study that is not the one that a trial was proposed by.

        Raises:
            StoreError: it has proposed fewer; new trials would take the numbers of known ones.
        """
        count = len(self._study.get_trials(deepcopy=False))
        if number >= count:
            raise StoreError(
                f"the study in '{self._shown}' has proposed {count} networks, and "
                f"does not know trial {number} of this search",
                hint="name the --storage that the search was begun with, or begin a new search",
            )

    @contextmanager
    def _explained(self, *more: type[Exception]) -> Iterator[None]:
        """Say in a sentence what the storage raises, and leave out what Optuna warns of itself.

        Args:
            more: further errors that can only be the storage's.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield
            except ProfilerError:
                raise
            except Exception as error:
                heed_interruption(error)
                origin = type(error).__module__
                if not (origin.startswith(STORAGES) or isinstance(error, more)):
                    raise
                why, hint = explain_storage(error, is_own=self._plan.storage is None)
                raise StoreError(f"the storage '{self._shown}' {why}", hint=hint) from error


def _sqlite_url(path: Path) -> str:
    """Of a file whose name may hold anything; a process waits its turn to write."""
    from sqlalchemy.engine import URL

    url = URL.create("sqlite", database=str(path.resolve()), query={"timeout": str(BUSY_S)})
    return str(url.render_as_string())
