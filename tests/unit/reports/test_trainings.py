import csv
import io
import json
import shutil
from dataclasses import replace

import pytest

from profiler.errors import StoreError
from profiler.render.formats import render_document
from profiler.store import save
from profiler.values.codec import encode
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import Finding
from profiler.values.profile import Environment
from reports.build import build_document
from reports.claims.rows import build_rows
from reports.claims.study import load_claims
from reports.cli import main
from reports.data_error import ReportDataError
from reports.sections.trainings import trainings_sections
from reports.trainings import load_trainings
from tests.sample import resnet18, sample_profile
from tests.unit.training.results import ledger_summary, segment, training_result
from training.evaluation.accuracy import top1_accuracy
from training.recipe import Recipe
from training.result import write_result

H100 = Environment(device_name="NVIDIA H100", fingerprint="gpu-1")
CPU = Environment(device_name="Intel Xeon (2 cores)", fingerprint="cpu-1")


def joules(point):
    return Estimate(
        point=point, low=0.98 * point, high=1.02 * point, unit="J", confidence=0.95,
        basis=Basis.MEASURED, source="NVML counter",
    )  # fmt: skip


def write(folder, *, seed=0, share=0.66, place=H100, device="cuda:0", duration_s=600.0, **changes):
    """A finished run, as `python -m training` leaves it."""
    stopped_by, gpus = changes.pop("stopped_by", "epochs"), changes.pop("gpus", 1)
    recipe = Recipe(**{"data": "cifar100", "epochs": 100, "seed": seed} | changes)
    name = recipe.data.partition(":")[0]
    source = f"top-1: {round(share * 10_000)} of 10,000 images right, {name}: test split"
    result = training_result(
        recipe,
        device=device,
        environment=place,
        data=f"{name}: train split; 50000 to learn from, 10000 to test on",
        test_accuracy=top1_accuracy(round(share * 10_000), 10_000, source),
        stopped_by=stopped_by,
        ledger=ledger_summary(
            energy_j=joules(120_000.0),
            images_per_joule=replace(joules(41.7), unit="image/J"),
            duration_s=duration_s,
            segments=(segment(*(f"gpu:{n}" for n in range(gpus))),),
        ),
        findings=(Finding(kind="contended", observed="other work ran", remedy="stop it"),),
    )
    path = folder / f"{recipe.model}-{recipe.epochs}-{name}-{seed}"
    path.mkdir(parents=True)
    write_result(result, path)
    return path


@pytest.fixture
def runs(tmp_path):
    for seed, share in enumerate((0.65, 0.66, 0.67)):
        write(tmp_path / "runs", seed=seed, share=share, duration_s=600.0 + seed)
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def study():
    return next(study for study in load_claims() if study.id == "lightweight-vs-resnet18")


def rows_of(study, trained, *profiles):
    rows = {}
    for row in build_rows(study, profiles, trained):
        rows.setdefault(row.claim.id, []).append(row)
    return rows


def test_runs_that_differ_in_their_seed_are_one_model_with_an_interval(runs):
    (trained,) = load_trainings([runs])
    accuracy = trained.result.accuracy
    assert accuracy.point == pytest.approx(0.66)
    assert accuracy.high - accuracy.point == pytest.approx(4.302653 * 0.01 / 3**0.5, rel=1e-6)
    assert "3 seeds" in accuracy.source
    assert trained.setting == "100 epochs, 3 seeds, bf16, NVIDIA H100 (cuda:0)"


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 30},
        {"data": "cifar10"},
        {"batch_size": 512},
        {"place": CPU, "device": "cpu", "learning_rate": 0.3},
        {"teacher": "resnet18.safetensors"},
        {"gpus": 2},
    ],
)
def test_runs_that_differ_in_more_are_not_averaged(runs, change):
    write(runs / "other", seed=7, **change)
    sizes = [len(trained.runs) for trained in load_trainings([runs])]
    assert sorted(sizes) == [1, 3]


def test_the_same_seed_twice_does_not_narrow_an_interval(runs):
    write(runs / "again", seed=1)
    with pytest.raises(ReportDataError, match="the same recipe with the same seed 1"):
        load_trainings([runs])


def test_a_folder_named_twice_counts_once(runs):
    (trained,) = load_trainings([runs, runs, next(runs.iterdir())])
    assert len(trained.runs) == 3


def test_an_interrupted_run_is_no_result(runs):
    write(runs / "cut", seed=9, stopped_by="interrupted")
    (trained,) = load_trainings([runs])
    assert len(trained.runs) == 3


def test_a_measured_accuracy_stands_beside_the_claims_of_its_data_and_length(study, runs):
    rows = rows_of(study, load_trainings([runs]))
    for claim in ("lightweight-accuracy", "lightweight-accuracy-100"):
        (row,) = rows[claim]
        assert row.here.point == pytest.approx(0.66)
        assert row.here.basis is Basis.MEASURED
        assert "3 seeds" in row.setting
    (row,) = rows["lightweight-accuracy-100"]
    assert row.ratio.point == pytest.approx(0.66 / 0.67)
    assert rows["lightweight-accuracy-200"][0].here is None
    assert rows["resnet18-accuracy"][0].here is None


@pytest.mark.parametrize("data", ["cifar10", "digits", "parquet:cifar100", "folder:CIFAR-100"])
def test_an_accuracy_on_other_data_never_stands_in_a_claims_row(study, tmp_path, data):
    write(tmp_path, data=data)
    trained = load_trainings([tmp_path])
    shown = [row for row in build_rows(study, (), trained) if row.here is not None]
    assert shown == []
    document = build_document([], trained=trained)
    text = render_document(document, "md")
    assert f"{data.partition(':')[0]}: train split" in text
    assert "stand beside none of their claims" in text
    assert "66" in text


def test_images_of_another_size_are_another_task_than_the_claims(study, tmp_path):
    write(tmp_path, image_size=64)
    trained = load_trainings([tmp_path])
    assert not any(
        row.here
        for row in build_rows(study, (sample_profile(),), trained)
        if row.here and row.here.basis is Basis.MEASURED and "top-1" in row.here.source
    )
    assert "at 64 pixels" in render_document(build_document([], trained=trained), "text")


def test_a_run_on_several_gpus_says_so(study, tmp_path):
    write(tmp_path, gpus=8)
    (row,) = rows_of(study, load_trainings([tmp_path]))["lightweight-training"]
    assert "8 x NVIDIA H100" in row.setting


def test_a_distilled_model_does_not_stand_beside_a_claim_of_plain_training(study, tmp_path):
    write(tmp_path, teacher="resnet18.safetensors")
    trained = load_trainings([tmp_path])
    assert not any(row.here for row in build_rows(study, (), trained))
    assert "lightweight, distilled" in render_document(build_document([], trained=trained), "md")


def test_durations_stand_beside_the_claims_of_their_device(study, runs, tmp_path):
    rows = rows_of(study, load_trainings([runs]))
    (row,) = rows["lightweight-training"]
    assert row.here.point == pytest.approx(601)
    assert row.shown_here.unit == "min"
    assert row.shown_here.point == pytest.approx(601 / 60)
    assert row.ratio.point == pytest.approx(601 / 1200)
    assert "120 ± 2 kJ (measured)" in row.setting
    assert rows["lightweight-training-cpu"][0].here is None
    assert rows["lightweight-training-rtx-4090"][0].here is None
    write(tmp_path / "cpu", place=CPU, device="cpu", duration_s=7200.0)
    write(tmp_path / "4090", place=replace(H100, device_name="NVIDIA GeForce RTX 4090"))
    rows = rows_of(study, load_trainings([tmp_path / "cpu", tmp_path / "4090"]))
    assert rows["lightweight-training-cpu"][0].ratio.point == pytest.approx(1)
    assert rows["lightweight-training-rtx-4090"][0].ratio.point == pytest.approx(1)
    assert rows["lightweight-training-rtx-3080"][0].here is None
    assert len(rows["lightweight-training"]) == 2


@pytest.mark.parametrize(
    ("name", "gpus"), [("NVIDIA GeForce RTX 4090 Laptop GPU", 1), ("NVIDIA GeForce RTX 4090", 2)]
)
def test_another_device_is_not_the_one_of_the_claim(study, tmp_path, name, gpus):
    write(tmp_path, place=replace(H100, device_name=name), gpus=gpus)
    rows = rows_of(study, load_trainings([tmp_path]))
    assert rows["lightweight-training-rtx-4090"][0].here is None
    assert rows["lightweight-training-cpu"][0].here is None


@pytest.mark.parametrize(("epochs", "stopped_by"), [(10, "epochs"), (100, "target")])
def test_a_shorter_training_is_not_scaled_up(study, tmp_path, epochs, stopped_by):
    write(tmp_path, epochs=epochs, stopped_by=stopped_by)
    rows = rows_of(study, load_trainings([tmp_path]))
    assert rows["lightweight-training"][0].here is None
    assert rows["lightweight-accuracy-100"][0].here is None


def test_a_ratio_of_trainings_needs_equal_terms(study, runs, tmp_path):
    write(tmp_path / "same", model="resnet18", duration_s=6010.0)
    rows = rows_of(study, load_trainings([runs, tmp_path / "same"]))
    assert rows["ratio-training"][0].here.point == pytest.approx(10)
    write(tmp_path / "other", model="resnet18", duration_s=6010.0, batch_size=128)
    rows = rows_of(study, load_trainings([runs, tmp_path / "other"]))
    assert rows["ratio-training"][0].here is None


def test_a_training_takes_the_place_of_the_quoted_accuracy_in_what_is_derived(study, runs):
    profile = replace(sample_profile(), accuracy=None)
    (row,) = rows_of(study, load_trainings([runs]), profile)["lightweight-accuracy-per-mac"]
    assert row.here.point == pytest.approx(66 / 12.159488)
    assert row.here.basis is Basis.MEASURED
    assert row.here.confidence == 0.95


def test_the_one_accuracy_of_several_is_not_guessed(study, runs):
    write(runs / "longer", epochs=200, share=0.7)
    profile = replace(sample_profile(), accuracy=None)
    (row,) = rows_of(study, load_trainings([runs]), profile)["lightweight-accuracy-per-mac"]
    assert row.here.basis is Basis.QUOTED


def test_the_report_shows_accuracy_joules_basis_and_findings(runs, tmp_path, capsys):
    save(resnet18(), tmp_path / "profiles" / "resnet18")
    out = tmp_path / "report"
    arguments = [str(tmp_path / "profiles"), str(runs), "--out", str(out)]
    assert main(["build", *arguments]) == 0
    shown = capsys.readouterr().out
    assert "Trainings" in shown
    for text in ("66 ± 2 %", "120 ± 2 kJ", "measured", "3 seeds", "other work ran"):
        assert text in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert "10.02 ± 0.04 min" in (tmp_path / "report.md").read_text(encoding="utf-8").replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_a_report_of_trainings_alone_is_built(runs, tmp_path, capsys):
    assert main(["build", str(runs), "--out", str(tmp_path / "report")]) == 0
    assert "Training of lightweight" in capsys.readouterr().out
    assert "lightweight" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("flag", ["--table", "--columns", "--baseline"])
def test_flags_of_the_table_for_a_paper_are_refused_without_a_format(runs, capsys, flag):
    assert main(["build", str(runs), flag, "joules"]) == 2
    assert "hint: add --table joules --format latex" in capsys.readouterr().err


def test_quiet_says_nothing_of_what_was_written(runs, tmp_path, capsys):
    assert main(["build", str(runs), "--quiet", "--out", str(tmp_path / "report")]) == 0
    assert capsys.readouterr().err == ""


def test_nothing_to_build_is_an_error_that_says_what_there_must_be(tmp_path, capsys):
    assert main(["build", "--out", str(tmp_path / "report")]) == 2
    assert main(["build", str(tmp_path), "--out", str(tmp_path / "report")]) == 1
    assert "holds neither a run nor a finished training" in capsys.readouterr().err


def test_any_folder_above_runs_and_trainings_is_one_report(runs, tmp_path, capsys):
    """Of a study, whose cells hold both."""
    study = tmp_path / "study"
    shutil.copytree(runs, study / "cells" / "train" / "training")
    save(resnet18(), study / "cells" / "measure" / "runs" / "r1")
    save(sample_profile(), study / "cells" / "measure" / "runs" / "r2")
    save(resnet18(), study / ".hidden" / "r3")
    assert main(["build", str(study), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["run_id"] for row in rows if row["kind"] == "run"} == {"r1", "r2"}
    trained = [row for row in rows if row["kind"] == "training" and row["quantity"] == "energy_j"]
    assert [(row["seed"], row["value"]) for row in trained] == [
        (str(seed), "120000.0") for seed in range(3)
    ]


def test_a_training_pays_back_what_its_model_saves(runs, tmp_path):
    trained = load_trainings([runs])
    document = build_document([resnet18(), sample_profile()], trained=trained)
    section = next(s for s in document.sections if s.title == "When does the training pay?")
    (row,) = section.tables[0].rows
    saved_j = (4.61 - 0.312) / 128
    assert row[0] == "lightweight"
    assert row[3].startswith("resnet18, on ")
    assert row[5].startswith(f"{120_000 / saved_j / 1e6:.2f}")
    assert row[5].endswith(" M")
    accuracies = [profile.accuracy.point for profile in document.profiles]
    assert accuracies == [0.70, 0.70]  # their own; that of a training only where they have none


def test_a_profile_without_accuracy_has_that_of_its_only_training(runs):
    bare = [replace(each, accuracy=None) for each in (resnet18(), sample_profile())]
    document = build_document(bare, trained=load_trainings([runs]))
    first, second = document.profiles
    assert first.accuracy is None
    assert second.accuracy.point == pytest.approx(0.66)
    assert second.accuracy.source.startswith("training of the same model, ")


def test_an_interrupted_training_is_left_out_and_named(tmp_path, capsys):
    write(tmp_path, seed=1)
    write(tmp_path, seed=2, stopped_by="interrupted")
    assert main(["build", str(tmp_path), "--format", "md"]) == 0
    told = capsys.readouterr()
    assert "-2: its training is not finished" in told.err
    assert "1 seed" in told.out


def test_a_folder_without_a_finished_run_is_named(tmp_path):
    with pytest.raises(StoreError, match="no finished training in"):
        load_trainings([tmp_path])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"schema_version": 1', '"schema_version": 2', "version 2, newer than the 1"),
        ('"stopped_by": "epochs"', '"stopped_by": 3', "stopped_by is not a text: 3"),
        ('"ledger"', '"legder"', "ledger is missing"),
        ('"point": 0.66', '"point": "x"', "test_accuracy.point is not a number: 'x'"),
        ("{", "[", "cannot be read"),
    ],
)
def test_a_damaged_result_is_one_sentence(tmp_path, old, new, message):
    file = write(tmp_path) / "result.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(StoreError, match=message):
        load_trainings([tmp_path])


def with_curve(path, *, validated):
    document = json.loads((path / "result.json").read_text())
    document["curve"] = [
        {
            "epoch": epoch, "loss": 1.0, "train_accuracy": 0.5, "learning_rate": 0.1,
            "validation_accuracy": 0.1 * epoch if validated else None, "duration_s": 1.0,
            "energy_j": encode(joules(1000.0 * epoch)), "images_per_s": None,
        }
        for epoch in (1, 2)
    ]  # fmt: skip
    (path / "result.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("validated", "split", "accuracies"),
    [(True, "the validation split", [0.1, 0.2]), (False, "augmented training", [0.5, 0.5])],
)
def test_a_curve_shows_accuracy_against_joules_and_names_its_split(
    tmp_path, validated, split, accuracies
):
    with_curve(write(tmp_path), validated=validated)
    (trained,) = load_trainings([tmp_path])
    points = trained.runs[0].curve
    assert [energy_j.point for energy_j, _ in points] == [1000.0, 2000.0]
    assert [share for _, share in points] == pytest.approx(accuracies)
    (section,) = trainings_sections([trained], [])
    (shape,) = section.charts
    assert split in shape.caption
    assert "measured" in shape.caption


def test_a_training_without_a_sensor_has_no_curve(tmp_path):
    path = write(tmp_path)
    with_curve(path, validated=True)
    document = json.loads((path / "result.json").read_text())
    for point in document["curve"]:
        point["energy_j"] = None
    (path / "result.json").write_text(json.dumps(document))
    (section,) = trainings_sections(load_trainings([tmp_path]), [])
    assert section.charts == ()


def test_joules_that_are_no_number_are_not_drawn(tmp_path):
    path = write(tmp_path)
    with_curve(path, validated=True)
    document = json.loads((path / "result.json").read_text())
    for point in document["curve"]:
        point["energy_j"] |= {"point": "Infinity", "low": None, "high": None, "confidence": None}
    (path / "result.json").write_text(json.dumps(document))
    assert load_trainings([tmp_path])[0].runs[0].curve == ()
