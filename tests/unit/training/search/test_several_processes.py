"""Several processes that work in one folder: real ones, forked, whose trainings only take time."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import optuna
import pytest

from profiler.ledger import read_ledger
from profiler.values.estimate import counted
from tests.unit.training.results import training_result
from tests.unit.training.search.test_front import share
from training.cli import main
from training.cli import search as cli
from training.recipe import Recipe
from training.result import write_result
from training.search import conduct, search
from training.search.place import keeper_of
from training.search.plan import SearchPlan, keep_plan
from training.search.preflight import Ground
from training.search.trials import read_trials

FORKS = multiprocessing.get_context("fork")
FOLDER = Path("s")
LOG = Path("log")
PATIENCE_S = 60
PLAN = SearchPlan(
    space="residual", objectives=("accuracy", "macs"), constraints=(),
    recipe=Recipe(data="digits", epochs=8, validation_share=0.1), trial_count=6, first_epochs=1,
    rounds=2,
)  # fmt: skip


def note(folder: Path) -> None:
    with LOG.open("a") as file:
        file.write(f"{os.getpid()} {folder.parent.name} {folder.name}\n")


def notes() -> list[list[str]]:
    return [line.split() for line in LOG.read_text().splitlines()] if LOG.exists() else []


def train(recipe, folder: Path, **_):
    note(folder)
    time.sleep(0.1)
    while Path("hold").exists():
        time.sleep(0.01)
    result = training_result(recipe, validation_accuracy=share(0.5 + len(recipe.model) % 7 / 20))
    folder.mkdir(parents=True, exist_ok=True)
    write_result(result, folder)
    return result


def costs(reference: str, *_, **__):
    return {"macs": counted(1000 * len(reference), "MAC", "counted, of one image")}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the plan of a search, and stand-ins that the processes inherit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "train", train)
    monkeypatch.setattr(search, "find_costs", costs)
    monkeypatch.setattr(search, "WAIT_S", 0.05)
    monkeypatch.setattr(conduct, "WAIT_S", 0.05)
    ground = Ground(class_count=10, input_shape=(3, 8, 8))
    monkeypatch.setattr(conduct, "check_ground", lambda *_, **__: ground)
    monkeypatch.setattr(cli, "REPORTS", {"report.md": "md"})
    FOLDER.mkdir()
    keep_plan(FOLDER, PLAN)


def joins(number: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Path(f"said-{number}").open("w") as said, redirect_stdout(said), redirect_stderr(said):
        code = main(["search", "--resume", str(FOLDER), "--device", "cpu"])
    os._exit(code)  # pytest's own ending is not this process's to do


@contextmanager
def joining(count: int):
    processes = [FORKS.Process(target=joins, args=(number,)) for number in range(count)]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def ended(process) -> int:
    process.join(PATIENCE_S)
    return process.exitcode


def test_processes_that_begin_at_once_share_the_work_and_one_ledger(place) -> None:
    with joining(3) as processes:
        codes = [ended(process) for process in processes]
    assert codes == [0, 0, 0], [Path(f"said-{n}").read_text() for n in range(3)]
    trials = read_trials(FOLDER)
    assert len({trial.reference for trial in trials}) == 6
    assert all(trial.rounds for trial in trials)
    work = [tuple(words) for _, *words in notes()]
    assert len(work) == len(set(work))  # nothing was trained twice
    assert len({pid for pid, *_ in notes()}) > 1
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{FOLDER}/search.db")
    states = {trial.number: trial.state.name for trial in study.trials}
    assert {states[trial.number] for trial in trials} == {"COMPLETE"}
    assert "RUNNING" not in states.values()
    assert [segment.ended for segment in read_ledger(FOLDER).segments] == ["finished"]
    stored = json.loads((FOLDER / "search.json").read_text())
    assert stored["energy_j"] is not None


def test_ctrl_c_in_one_leaves_the_other_going_and_hides_no_joules(place) -> None:
    Path("hold").touch()
    with joining(1) as (keeper,):
        wait_for(lambda: notes() and keeper_of(FOLDER))
        with joining(1) as (other,):
            wait_for(lambda: len(notes()) == 2)
            os.kill(keeper.pid, signal.SIGINT)
            assert ended(keeper) == 130
            Path("hold").unlink()
            assert ended(other) == 0
    trials = read_trials(FOLDER)
    assert len({trial.reference for trial in trials}) == 6
    assert all(trial.rounds for trial in trials)
    assert json.loads((FOLDER / "search.json").read_text())["energy_j"] is None
    # Nobody kept the ledger while the other went on: its sum is not that of the search.
    assert main(["search", "--resume", str(FOLDER), "--device", "cpu", "--quiet"]) == 0
    assert json.loads((FOLDER / "search.json").read_text())["energy_j"] is None
