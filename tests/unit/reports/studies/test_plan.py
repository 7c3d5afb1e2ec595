from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from profiler.errors import UsageError
from reports.data_error import ReportDataError
from reports.studies.cell import Cell, CellEnd, CellKind, CellState, digests
from reports.studies.commands import command_of
from reports.studies.expected_time import expected_s, whole_s
from reports.studies.grid_cells import cells_of, only
from reports.studies.plan import FOLDER, Changes, Grid, StudyPlan, changed, find_plan, read_plan
from reports.toml_file import files_in

TRAIN = Grid(id="train", kind=CellKind.TRAIN, models=("a", "a+groups=2"), seeds=(0, 1))
PLAN = StudyPlan(
    id="x",
    title="X",
    grid=(
        TRAIN,
        Grid(
            id="measure",
            kind=CellKind.MEASURE,
            models=("a+int8", "a+groups=2+int8", "ensemble(a,a+groups=2)"),
            weights="train",
            seeds=(0, 1),
            batch_sizes=(1, 8),
        ),
    ),
)


def cells(plan: StudyPlan = PLAN):
    return cells_of(plan, lambda word: "cpu")


def folders(plan: StudyPlan = PLAN) -> dict[str, Path]:
    return {cell.name: Path(cell.name) for cell in cells(plan)}


def end(cell, seconds: float) -> CellEnd:
    return CellEnd(
        code="",
        state=CellState.FINISHED,
        command=(),
        started_utc="",
        duration_s=seconds,
        device="cpu",
        engine="local",
    )


def test_a_grid_is_every_combination_and_takes_the_longest_beginning_of_its_model():
    found = {cell.name: cell for cell in cells()}
    assert len(found) == 4 + 12
    assert found["measure-a+int8-cpu-b1-s1"].checkpoints == ("train-a-cpu-s1",)
    assert found["measure-a+groups=2+int8-cpu-b8-s0"].checkpoints == ("train-a+groups=2-cpu-s0",)
    ensemble = next(cell for name, cell in found.items() if "ensemble" in name)
    assert ensemble.checkpoints == ("train-a-cpu-s0", "train-a+groups=2-cpu-s0")
    words = command_of(ensemble, folders())
    model = words[words.index("--model") + 1]
    assert model == (
        "ensemble(a@train-a-cpu-s0/training/best.safetensors,"
        "a+groups=2@train-a+groups=2-cpu-s0/training/best.safetensors)"
    )
    assert "--checkpoint" not in words


def test_what_decides_a_cell_decides_its_digest_and_that_of_what_takes_its_weights():
    before = digests(cells())
    longer = replace(PLAN, grid=(replace(TRAIN, flags=("--epochs", "3")), PLAN.grid[1]))
    after = digests(cells(longer))
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    other = replace(PLAN, grid=(TRAIN, replace(PLAN.grid[1], batch_sizes=(1,))))
    kept = digests(cells(other))
    assert kept == {name: before[name] for name in kept}


def test_a_limit_decides_nothing_of_what_a_cell_came_to():
    limited = replace(PLAN, grid=tuple(replace(grid, limit_s=60.0) for grid in PLAN.grid))
    assert digests(cells(limited)) == digests(cells())
    assert {cell.limit_s for cell in cells(limited)} == {60.0}


def test_what_looks_at_the_device_itself_has_no_models():
    (cell,) = cells(StudyPlan(id="x", title="X", grid=(Grid(id="d", kind=CellKind.DOCTOR),)))
    assert command_of(cell, {cell.name: Path("x")}) == (
        "-m", "profiler", "doctor", "--calibrate", "--device", "cpu", "--json",
    )  # fmt: skip


def test_a_field_at_its_default_is_no_part_of_a_digest():
    """A study that an older version began keeps its cells; this digest may never change."""
    cell = Cell(
        name="stats-lightweight", kind=CellKind.STATS, models=("lightweight",), device="cpu"
    )
    assert digests((cell,)) == {cell.name: "98107e563007"}
    assert digests((replace(cell, limit_s=3.0),)) == digests((cell,))


def test_only_keeps_what_fits_and_what_that_needs():
    kept = only(cells(), ["measure-a+int8-*-b1-s1"])
    assert [cell.name for cell in kept] == ["train-a-cpu-s1", "measure-a+int8-cpu-b1-s1"]
    with pytest.raises(UsageError, match="no cell of the study fits --only nothing"):
        only(cells(), ["nothing"])


def test_a_command_line_changes_what_it_names():
    plan = changed(PLAN, Changes(device="cuda:1", epochs=2, seed_count=1, max_seconds=5))
    assert [grid.devices for grid in plan.grid] == [("cuda:1",)] * 2
    assert [grid.seeds for grid in plan.grid] == [(0,)] * 2
    assert plan.grid[0].flags == ("--epochs", "2")
    assert plan.grid[1].flags == ("--max-seconds", "5")


def test_time_is_learned_from_cells_alike_and_scales_with_epochs():
    train, *_ = cells(changed(PLAN, Changes(epochs=10)))
    short, *_ = cells(changed(PLAN, Changes(epochs=2)))
    measure = cells()[-1]
    assert expected_s(train, ()) is None
    assert expected_s(train, [(short, end(short, 40.0))]) == pytest.approx(200)
    assert expected_s(measure, ()) == 42
    assert expected_s(measure, [(measure, end(measure, 50.0))]) == 50
    on_gpu = replace(measure, device="cuda:0")
    assert whole_s([train, measure, on_gpu], ()) == (42, 1)


@pytest.mark.parametrize("file", files_in(FOLDER), ids=lambda file: file.stem)
def test_every_study_of_ours_gives_commands_that_their_verbs_take(file: Path):
    import argparse
    from importlib import import_module

    plan = read_plan(file)
    made = cells_of(plan, lambda word: "cpu")
    paths = {cell.name: Path(cell.name) for cell in made}
    for cell in made:
        _, program, verb, *words = command_of(cell, paths)
        parser = argparse.ArgumentParser(exit_on_error=False)
        import_module(f"{program}.cli.{verb}").configure(parser)
        parser.parse_args(words)
    assert plan.id == file.stem


def test_seed_b_has_every_technique():
    text = " ".join(model for cell in cells_of(find_plan("seed-b"), str) for model in cell.models)
    for technique in (
        "groups=2", "groups=4", "groups=8", "depthwise", "prune=", "sparsify=", "int8 ", "int8-qat",
        "bf16", "ensemble(",
    ):  # fmt: skip
        assert technique in text
    assert any(cell.teacher for cell in cells_of(find_plan("seed-b"), str))


HEAD = 'id = "x"\ntitle = "X"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "x.toml: grid is missing"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'measure'\nmodels = 3", r"\[0\].models is not a list"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'fly'\nmodels = ['m']", r"\[0\].kind is none of"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'stats'\nmodels = ['m']\nruntimes = ['eager']",
         "'runtimes' is nothing that 'stats' has"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'evaluate'\nmodels = ['m']", "needs 'weights'"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'evaluate'\nmodels = ['m']\nweights = 'b'",
         "'weights' of grid 'a' names 'b'"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'measure'\nmodels = ['m', 'm']", "has 'm' twice"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'measure'", "'models' is empty"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'doctor'\nmodels = ['m']",
         "'models' is nothing that 'doctor' has"),
        (HEAD + "[[grid]]\nid = 'a'\nkind = 'measure'\nmodels = ['m']\nlimit_s = 0.0",
         "'limit_s' is 0, not above 0"),
        (HEAD + "[[grid]]\nid = 'a'\nsize = 1", "unknown field 'size'"),
        (HEAD + "[[grid\n", "x.toml is no TOML: .*line 3"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_study_names_file_and_field_or_line(tmp_path, text, message):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ReportDataError, match=message):
        find_plan(str(tmp_path / "x.toml"))


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "x.toml").write_text("\ufeff" + HEAD + "[[grid]]\nid = 'a'\nkind = 'doctor'")
    assert find_plan(str(tmp_path / "x.toml")).grid[0].id == "a"


def test_weights_that_nothing_trains_are_refused():
    lost = replace(PLAN.grid[1], models=("b",))
    with pytest.raises(UsageError, match="no training of the study gives weights for 'b'"):
        cells(replace(PLAN, grid=(TRAIN, lost)))
