"""A search as a user has it, in this process; what a training takes minutes for is put in."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path

import optuna
import pytest

from profiler.errors import TrainingError
from profiler.ledger import read_ledger
from profiler.values.estimate import Basis, counted
from tests.unit.training.pictures import write_pictures
from tests.unit.training.results import training_result
from tests.unit.training.search.test_front import joules, share
from training.cli import main
from training.cli import search as cli
from training.recipe import Recipe
from training.result import write_result
from training.search import conduct, proposals, search
from training.search.plan import SearchPlan, keep_plan
from training.search.preflight import check_ground
from training.search.trials import claimed, read_trials

PLACE = ("--device", "cpu", "--threads", "1")
DIGITS = ("--recipe", "digits", "--dtype", "fp32", *PLACE)
COUNTED = ("--objective", "accuracy", "--objective", "macs", "--quiet")
SHORT = (*DIGITS, *COUNTED, "--trials", "4", "--rounds", "2", "--first-epochs", "1")


class Trainings:
    """Stands in for `train`: the accuracy follows from the name; some fail, or are interrupted."""

    def __init__(self) -> None:
        self.recipes: list[tuple[str, int, str | None]] = []
        self.tested: list[str] = []
        self.fail_in: dict[int, BaseException] = {}

    def __call__(self, recipe, folder: Path, *, is_tested: bool, **_):
        self.recipes.append((recipe.model, recipe.epochs, recipe.initial))
        error = self.fail_in.pop(len(self.recipes), None)
        if error is not None:
            raise error
        right = 0.5 + len(recipe.model) % 7 / 20 + (0.1 if recipe.initial else 0)
        result = training_result(
            recipe,
            validation_accuracy=share(right),
            test_accuracy=share(right) if is_tested else None,
        )
        if is_tested:
            self.tested.append(recipe.model)
        folder.mkdir(parents=True)
        write_result(result, folder)
        return result


@pytest.fixture
def trainings(monkeypatch) -> Trainings:
    """Trainings, costs and ledger without work; only the study is as it is."""
    stand_in = Trainings()
    monkeypatch.setattr(search, "train", stand_in)
    monkeypatch.setattr(search, "find_costs", costs_by_name)
    monkeypatch.setattr(conduct, "check_ground", remembered_ground)
    monkeypatch.setattr(conduct, "opened_ledger", lambda *_: nullcontext())
    monkeypatch.setattr(conduct, "_energy_j", lambda *_: None)
    monkeypatch.setattr(search, "noting_unmetered", lambda *_: nullcontext())
    monkeypatch.setattr(cli, "REPORTS", {"report.md": "md"})  # figures take a second to draw
    return stand_in


def remembered_ground(plan: SearchPlan, *, device: str, baseline: str | None):
    """The checks themselves, once for all tests whose networks are built alike."""
    alike = {"trial_count": 1, "rounds": 1, "storage": None, "constraints": (), "sampler": "tpe"}
    return checked_once(replace(plan, **alike), device, baseline)


@cache
def checked_once(plan: SearchPlan, device: str, baseline: str | None):
    return check_ground(plan, device=device, baseline=baseline)


def costs_by_name(reference: str, *_, **__):
    return {"macs": counted(1000 * len(reference), "MAC", "counted, of one image")}


@pytest.fixture
def said(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def say(*words: str) -> tuple[int, str, str]:
        code = main(["search", *words])
        return code, *capfd.readouterr()

    return say


def test_all_are_tried_the_better_half_goes_on_and_the_best_is_tested(said, trainings) -> None:
    code, out, _ = said(*SHORT, "--out", "s", "--train-best", "1")
    assert code == 0
    trials = read_trials(Path("s"))
    networks = {trial.reference for trial in trials}
    assert len(trials) == 4
    first = [initial for _, _, initial in trainings.recipes[: len(networks)]]
    assert first == [None] * len(networks)
    longer = [trial for trial in trials if trial.epochs == 2]
    assert len(longer) == (len(networks) + 1) // 2
    begun = [Path(initial) for _, _, initial in trainings.recipes if initial]
    assert {path.name for path in begun} == {"best.safetensors"}
    assert {path.parent.name for path in begun} == {"round-0"}
    stored = json.loads(Path("s/search.json").read_text())
    assert trainings.tested == [stored["best"][0]["reference"]]
    assert stored["trained"][0]["accuracy"] is not None
    assert "Front" in out
    assert stored["best"][0]["reference"] in Path("s/report.md").read_text()


def test_an_interrupted_search_goes_on_and_asks_for_nothing_twice(said, trainings) -> None:
    trainings.fail_in = {2: KeyboardInterrupt()}
    code, _, err = said(*SHORT, "--out", "s")
    assert code == 130
    assert "--resume s" in err
    before = [trial.reference for trial in read_trials(Path("s"))]
    code, _, _ = said("--resume", "s", *PLACE, "--quiet")
    assert code == 0
    trials = read_trials(Path("s"))
    assert [trial.reference for trial in trials][: len(before)] == before
    assert len(trials) == 4
    assert all(trial.rounds for trial in trials)
    fresh = [model for model, _, initial in trainings.recipes if initial is None]
    assert len(fresh) == len({trial.reference for trial in trials}) + 1  # the interrupted one twice


def test_a_network_that_fails_is_a_row_and_not_the_end(said, trainings) -> None:
    trainings.fail_in = {1: TrainingError("the loss became NaN in epoch 1")}
    code, out, _ = said(*SHORT, "--out", "s")
    assert code == 0
    assert read_trials(Path("s"))[0].error == "the loss became NaN in epoch 1"
    assert "the loss became NaN in epoch 1" in " ".join(out.split())


def test_where_all_fail_the_search_says_why(said, trainings) -> None:
    trainings.fail_in = {n: TrainingError("the loss became NaN") for n in range(1, 9)}
    code, _, err = said(*SHORT, "--out", "s")
    assert code == 1
    assert "none of 4 networks could be measured and trained" in err
    assert "the loss became NaN" in err


def test_no_memory_for_one_network_is_a_row_and_not_the_end(said, trainings) -> None:
    trainings.fail_in = {1: RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")}
    assert said(*SHORT, "--out", "s")[0] == 0
    first, *others = read_trials(Path("s"))
    assert first.error == "there was not enough memory"
    assert first.costs
    assert all(trial.rounds for trial in others)


def test_a_fault_of_ours_is_no_row(said, trainings) -> None:
    trainings.fail_in = {1: RuntimeError("a fault")}
    assert said(*SHORT, "--out", "s")[0] == 1
    assert read_trials(Path("s"))[0].error is None


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_what_costs_too_much_is_not_trained_and_the_nearest_is_told(
    said, trainings, sampler
) -> None:
    words = (*SHORT, "--out", "s", "--constraint", "macs<=10", "--sampler", sampler)
    code, out, err = said(*words, "--trials", "7")
    assert code == 1
    assert trainings.recipes == []
    trials = read_trials(Path("s"))
    assert len(trials) == 7  # more than the failures after which a search ends
    cheapest = min(trials, key=lambda trial: (trial.costs["macs"].point, trial.number))
    assert f"no network meets macs<=10; the nearest is {cheapest.reference} with MACs" in err
    assert "breaks macs<=10" in " ".join(out.split())
    study = optuna.load_study(study_name="search", storage="sqlite:///s/search.db")
    assert [trial.values[0] for trial in study.trials] == [-math.inf] * 7
    off = [trial.costs["macs"].point / 10 - 1 for trial in trials]
    assert [trial.system_attrs["constraints"] for trial in study.trials] == [[by] for by in off]


def test_an_accuracy_that_nothing_reaches_names_the_nearest(said, trainings) -> None:
    code, out, err = said(*SHORT, "--out", "s", "--constraint", "accuracy>=0.999")
    assert code == 1
    assert "no network meets accuracy>=0.999; the nearest is residual:" in err
    assert "All networks" in out


def test_another_space_or_objective_is_no_way_to_go_on(said, trainings) -> None:
    assert said(*SHORT, "--out", "s")[0] == 0
    code, _, err = said("--resume", "s", *PLACE, "--space", "densenet")
    assert code == 2
    assert "begun with space residual, not densenet" in err
    code, _, err = said("--resume", "s", *PLACE, "--objective", "accuracy", "--objective", "score")
    assert "begun with objectives accuracy, macs, not accuracy, score" in err
    code, _, err = said("--resume", "s", *PLACE, "--constraint", "macs<=1e9", "--batch-size", "8")
    assert "begun with constraints none, not macs<=1e+09; batch size 32, not 8" in err
    code, _, _ = said("--resume", "s", *PLACE, "--quiet", "--trials", "5")
    assert code == 0
    assert len(read_trials(Path("s"))) == 5


def test_a_storage_that_is_none_or_of_another_search_is_told(said, trainings) -> None:
    Path("text.db").write_text("no database, and longer than the header of one" * 50)
    code, _, err = said(*SHORT, "--out", "a", "--storage", "sqlite:///text.db")
    assert code == 1
    assert "the storage 'sqlite:///text.db' is damaged or no database" in err
    assert said(*SHORT, "--out", "one/s", "--storage", "sqlite:///both.db")[0] == 0
    code, _, err = said(
        *SHORT, "--out", "two/s", "--storage", "sqlite:///both.db", "--space", "densenet"
    )
    assert code == 1
    assert "the study in 'sqlite:///both.db' was begun with space residual, not densenet" in err


def test_the_password_of_a_storage_is_neither_shown_nor_kept(said) -> None:
    url = "postgresql://me:geheim@localhost:1/none"
    code, out, err = said(*SHORT, "--out", "s", "--storage", url)
    assert code == 1
    assert "postgresql://me:***@localhost:1/none" in err
    assert "geheim" not in out + err
    plan = SearchPlan(
        space="residual", objectives=("accuracy", "macs"), constraints=(), recipe=Recipe(),
        trial_count=1, first_epochs=1, rounds=1, storage=url,
    )  # fmt: skip
    keep_plan(Path(), plan)
    assert "geheim" not in Path("search.json").read_text()


def test_a_study_that_knows_nothing_of_the_trials_is_refused(said, trainings) -> None:
    assert said(*SHORT, "--out", "s")[0] == 0
    Path("s/search.db").unlink()
    code, _, err = said("--resume", "s", *PLACE, "--quiet", "--trials", "9")
    assert code == 1
    assert "has proposed 0 networks, and does not know trial 3" in err


def test_a_locked_storage_is_told(said, trainings, monkeypatch) -> None:
    monkeypatch.setattr(proposals, "BUSY_S", 0.05)
    assert said(*SHORT, "--out", "s", "--trials", "1", "--rounds", "1")[0] == 0
    holder = sqlite3.connect("s/search.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    code, _, err = said("--resume", "s", *PLACE, "--quiet", "--trials", "2")
    holder.close()
    assert code == 1
    assert "locked" in err


@pytest.mark.parametrize(
    ("words", "said_words"),
    [
        (("--space", "residul"), "no space 'residul'"),
        (("--space", "transforms:"), "no space 'transforms:'"),
        (("--space", "transforms:lightwei"), "unknown model 'lightwei'"),
        (("--space", "transforms:lightweight+prune=7"), "prune takes a share"),
        (("--space", "transforms:lightweight+bf16"), "cannot be trained in bf16"),
        (("--initial", "gone.pth"), "differ in shape, and cannot all begin from 'gone.pth'"),
        (("--space", "transforms:lightweight", "--initial", "gone.pth"), "'gone.pth'"),
        (("--teacher", "gone.safetensors"), "gone.safetensors"),
        (("--baseline", "resnet"), "unknown model 'resnet'"),
        (("--constraint", "accuracy>=1.5"), "outside 0 to 1"),
        (("--storage", "sqlite:////nowhere/at/all.db"), "cannot be opened or made there"),
        (("--storage", "foo://bar"), "is of a kind that is not known here"),
        (("--storage", "foo"), "is no URL of a storage"),
        (("--constraint", "speed>=1"), "'speed>=1' is no constraint"),
        (("--epochs", "1", "--rounds", "3"), "longer than the recipe's 1"),
        (("--data", "folder:nowhere"), "nowhere"),
    ],
)
def test_what_cannot_begin_leaves_no_folder_behind(said, trainings, words, said_words) -> None:
    code, _, err = said(*SHORT, "--out", "s", *words)
    assert code in (1, 2)
    assert said_words in err
    assert not Path("s").exists()
    assert "SQL" not in err.replace("SQLAlchemy and its drivers", "")
    assert err.count("\n") == 2  # the error and its hint


def test_what_was_refused_leaves_no_study_behind_in_a_shared_storage(said, trainings) -> None:
    words = (*SHORT, "--out", "s", "--storage", "sqlite:///both.db")
    assert said(*words, "--space", "transforms:typo")[0] == 1
    assert not Path("both.db").exists()
    assert said(*words)[0] == 0


def test_a_storage_that_is_refused_does_not_become_that_of_the_search(said, trainings) -> None:
    assert said(*SHORT, "--out", "s")[0] == 0
    before = Path("s/search.json").read_text()
    for url in ("sqlite:////nowhere/at/all.db", "sqlite:///new.db"):
        assert said("--resume", "s", *PLACE, "--quiet", "--trials", "9", "--storage", url)[0] == 1
        assert Path("s/search.json").read_text() == before
    assert said("--resume", "s", *PLACE, "--quiet")[0] == 0


def test_a_study_of_another_program_is_not_taken_over(said, trainings) -> None:
    study = optuna.create_study(storage="sqlite:///other.db", study_name="search-s")
    study.tell(study.ask(), 1.0)
    code, _, err = said(*SHORT, "--out", "s", "--storage", "sqlite:///other.db")
    assert code == 1
    assert "the study 'search-s' in 'sqlite:///other.db' is of another program" in err


def test_data_that_was_moved_is_no_other_search(said, trainings) -> None:
    write_pictures(Path("here"), {"train": 20, "test": 4})
    words = (*COUNTED, *PLACE, "--rounds", "1", "--epochs", "1", "--batch-size", "4")
    assert said(*words, "--data", "folder:here", "--trials", "1", "--out", "s")[0] == 0
    Path("here").rename("there")
    assert said("--resume", "s", *PLACE, "--quiet", "--data", "folder:there")[0] == 0


def test_transforms_of_a_network_are_a_space_too(said, trainings) -> None:
    code, _, _ = said(*SHORT, "--out", "s", "--space", "transforms:resnet18", "--sampler", "nsga2")
    assert code == 0
    trials = read_trials(Path("s"))
    assert all(trial.reference.startswith("resnet18") for trial in trials)
    assert all(trial.choices.keys() == {"structure"} for trial in trials)


def test_latency_is_not_called_modelled(said, trainings, monkeypatch) -> None:
    both = {"joules": joules(1.0, Basis.ESTIMATED), "latency": joules(1.0)}
    monkeypatch.setattr(search, "find_costs", lambda *_, **__: both)
    words = (*DIGITS, "--objective", "accuracy", "--objective", "latency", "--rounds", "1")
    code, _, err = said(*words, "--trials", "1", "--first-epochs", "1", "--out", "s")
    assert code == 0
    assert "no sensor" not in err


def test_what_a_terminal_has_no_room_for_is_shown_where_it_is_asked_for(
    said, trainings, monkeypatch
) -> None:
    def costs(reference: str, *_, **__):
        return costs_by_name(reference) | {"latency": joules(0.123), "joules": joules(1.23)}

    monkeypatch.setattr(search, "find_costs", costs)
    words = (*SHORT, "--constraint", "joules<=9", "--constraint", "latency<=9")
    code, narrow, _ = said(*words, "--out", "s")
    assert code == 0
    assert max(map(len, narrow.splitlines())) <= 80
    assert "not shown (--wide shows all): joules per image" in narrow
    _, wide, _ = said("--resume", "s", *PLACE, "--quiet", "--wide")
    assert "not shown" not in wide
    assert max(map(len, wide.splitlines())) > 80


def test_no_network_is_tried_twice_before_the_space_is_exhausted(said, trainings) -> None:
    words = (*SHORT, "--out", "s", "--space", "transforms:lightweight")
    assert said(*words, "--trials", "6", "--rounds", "1")[0] == 0
    trials = read_trials(Path("s"))
    assert len({trial.reference for trial in trials[:5]}) == 5  # all that the space holds
    assert len(trials) == 6
    assert len(trainings.recipes) == 5


def test_joules_that_are_modelled_are_warned_of_once(said, trainings, monkeypatch) -> None:
    modelled = {"joules": joules(1.0, Basis.ESTIMATED)}
    monkeypatch.setattr(search, "find_costs", lambda *_, **__: modelled)
    words = (*DIGITS, "--objective", "accuracy", "--objective", "joules", "--rounds", "1")
    code, _, err = said(*words, "--trials", "3", "--first-epochs", "1", "--out", "s")
    assert code == 0
    assert err.count("no sensor here measures joules") == 1


def test_what_a_search_came_to_stays_when_it_goes_on(said, trainings) -> None:
    words = ("--baseline", "lightweight", "--train-best", "1")
    assert said(*SHORT, "--out", "s", *words)[0] == 0
    before = json.loads(Path("s/search.json").read_text())
    assert before["trained"]
    assert before["baseline_costs"]["macs"]["point"] == 1000 * len("lightweight")
    assert said("--resume", "s", *PLACE, "--quiet", "--trials", "5")[0] == 0
    after = json.loads(Path("s/search.json").read_text())
    for name in ("baseline", "baseline_costs", "trained"):
        assert after[name] == before[name]
    assert len(after["trials"]) == 5


def test_the_words_that_began_a_search_go_on_with_it(said, trainings) -> None:
    assert said(*SHORT, "--out", "s")[0] == 0
    assert said(*SHORT, "--resume", "s")[0] == 0


def test_one_process_alone_works_in_a_folder(tmp_path) -> None:
    with claimed(tmp_path / "trial") as mine, claimed(tmp_path / "trial") as theirs:
        assert (mine, theirs) == (True, False)
    with claimed(tmp_path / "trial") as later:
        assert later


def test_digits_are_searched_for_real(said, monkeypatch) -> None:
    """One network, measured and trained, everything as it is."""
    code, _, err = said(
        *DIGITS, "--objective", "accuracy", "--objective", "latency", "--trials", "1",
        "--rounds", "2", "--first-epochs", "1", "--epochs", "2", "--max-seconds", "0.3",
        "--image-size", "8", "--crop-padding", "1", "--batch-size", "256", "--out", "s",
    )  # fmt: skip
    assert code == 0, err
    (trial,) = read_trials(Path("s"))
    assert trial.epochs == 2
    assert trial.values["latency"].basis == "measured"
    assert trial.values["accuracy"].source.startswith("top-1 on the validation split")
    assert read_ledger(Path("s")).segments[0].ended == "finished"
    assert trial.reference in Path("s/report.html").read_text()
    results = [
        json.loads(path.read_text()) for path in Path("s").glob("trial-*/round-*/result.json")
    ]
    assert [result["test_accuracy"] for result in results] == [None, None]
