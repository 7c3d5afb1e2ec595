from dataclasses import replace

import pytest

from profiler.comparison.verdicts import compare
from profiler.render.formats import render_document
from profiler.store import save
from profiler.values.estimate import Basis, counted
from profiler.values.findings import CONTENDED, Finding
from reports.build import build_document
from reports.claims.rows import build_rows
from reports.claims.study import load_claims
from reports.cli import main
from tests.sample import resnet18, sample_profile


@pytest.fixture(scope="module")
def study():
    return next(study for study in load_claims() if study.id == "lightweight-vs-resnet18")


def rows_of(study, *profiles):
    rows = {}
    for row in build_rows(study, profiles):
        rows.setdefault(row.claim.id, []).append(row)
    return rows


def contended(profile):
    other_work = Finding(kind=CONTENDED, observed="busy", remedy="")
    return replace(profile, findings=(other_work,))


def without_accuracy(profile):
    return replace(profile, accuracy=None)


def test_counts_stand_beside_the_paper_once(study):
    small = [sample_profile(batch_size=1), sample_profile(batch_size=128)]
    rows = rows_of(study, *small, resnet18())
    (parameters,) = rows["lightweight-parameters"]
    assert parameters.here.point == 258_292
    assert parameters.setting == ""
    assert parameters.ratio.point == pytest.approx(1)
    (macs,) = rows["lightweight-macs"]
    assert macs.here.point == 12_159_488
    assert macs.here.basis is Basis.COUNTED
    assert macs.ratio.point == pytest.approx(12_159_488 / 15.8e6)
    (operations,) = rows["lightweight-operations"]
    assert operations.ratio.point == pytest.approx(769.6, rel=1e-4)


def test_a_network_with_other_classes_stands_beside_no_claim(study):
    profile = sample_profile()
    for classes, is_shown in ((None, True), (100, True), (10, False)):
        other = replace(profile, workload=replace(profile.workload, class_count=classes))
        rows = rows_of(study, other)["lightweight-parameters"]
        assert [row.here is not None for row in rows] == [is_shown]


def test_the_mac_ratio_is_45_7_and_not_35_3(study):
    (row,) = rows_of(study, sample_profile(), resnet18())["ratio-macs"]
    assert row.here.point == pytest.approx(45.68, abs=0.005)
    assert row.here.basis is Basis.COUNTED
    assert row.ratio.basis is Basis.QUOTED


def test_energy_stands_once_a_batch_size_with_its_own_basis(study):
    profiles = [sample_profile(batch_size=1, cpu=True), sample_profile(batch_size=128)]
    rows = rows_of(study, *profiles)["lightweight-energy"]
    assert [row.setting for row in rows] == ["batch 1, fp32, cpu", "batch 128, fp32, cuda:0"]
    assert [row.here.basis for row in rows] == [Basis.ESTIMATED, Basis.MEASURED]
    kwh = 0.312 / 128 * 1e6 / 3.6e6
    assert rows[1].here.point == pytest.approx(kwh)
    assert rows[1].ratio.point == pytest.approx(kwh / 0.02)


def test_a_contended_run_has_no_ratio_of_time_and_joules_and_no_factors(study):
    pair = contended(sample_profile()), resnet18()
    rows = rows_of(study, *pair)
    (energy,) = rows["lightweight-energy"]
    assert energy.is_contended
    assert energy.here is not None
    assert energy.ratio is None
    (over,) = rows["ratio-energy"]
    assert over.ratio is None
    (macs,) = rows["ratio-macs"]
    assert macs.ratio is not None
    assert not rows["resnet18-energy"][0].is_contended
    text = render_document(build_document(pair), "md")
    assert "| contended |" in text
    assert "resnet18: energy, 1 M inferences, batch 128" in text
    assert "lightweight: energy, 1 M inferences, batch 128" not in text


def test_latency_is_that_of_one_image_alone(study):
    profiles = [sample_profile(batch_size=128), sample_profile(batch_size=1, latency_s=0.0007)]
    (row,) = rows_of(study, *profiles)["lightweight-latency"]
    assert row.here.point == 0.0007
    assert row.ratio.point == pytest.approx(0.2)
    assert row.ratio.low < 0.0007 / 0.005 * 1.1
    assert row.ratio.confidence is None


def test_a_ratio_of_models_is_that_of_the_comparison(study):
    small, large = sample_profile(), resnet18()
    (row,) = rows_of(study, small, large)["ratio-energy"]
    by_key = {ratio.key: ratio.ratio for ratio in compare(small, large).ratios}
    assert row.here == by_key["energy_per_million_kwh"]


@pytest.mark.parametrize("change", [{"batch_size": 64}, {"dtype": "bf16"}, {"device": "cpu"}])
def test_models_that_ran_on_other_terms_give_no_ratio(study, change):
    large = resnet18()
    large = replace(large, workload=replace(large.workload, **change))
    (row,) = rows_of(study, sample_profile(), large)["ratio-energy"]
    assert row.here is None


def test_accuracy_stays_quoted_until_a_run_on_that_dataset_supplies_it(study):
    profile = without_accuracy(sample_profile())
    rows = rows_of(study, profile)
    (points,) = rows["lightweight-accuracy-per-mac"]
    assert points.here.point == pytest.approx(70 / 12.159488)
    assert points.here.basis is Basis.QUOTED
    assert points.here.confidence is None
    assert rows["lightweight-accuracy"][0].here is None


def measured(accuracy_data):
    """A profile whose checkpoint was evaluated on some data; the images it ran on are digits."""
    return replace(
        sample_profile(), accuracy=counted(0.668, "", "test split"), accuracy_data=accuracy_data
    )


@pytest.mark.parametrize(
    "data",
    [
        "digits: test split, 450 images",
        "cifar10: test split, 10000 images of 32x32",
        "parquet: 10000 images in cifar100/test.parquet",
        None,
    ],
)
def test_an_accuracy_on_other_images_is_not_put_beside_the_paper(study, data):
    rows = rows_of(study, measured(data))
    assert rows["lightweight-accuracy"][0].here is None
    assert rows["lightweight-accuracy-per-mac"][0].here.point == pytest.approx(70 / 12.159488)


def test_the_images_that_were_run_do_not_make_it_an_accuracy_on_them(study):
    profile = measured("digits: test split, 450 images")
    workload = replace(profile.workload, data="cifar100: test split, 10000 images of 32x32")
    rows = rows_of(study, replace(profile, workload=workload))
    assert rows["lightweight-accuracy"][0].here is None


def test_an_accuracy_on_the_same_images_takes_the_place_of_the_quoted_one(study):
    rows = rows_of(study, measured("cifar100: test split, 10000 images of 32x32"))
    assert rows["lightweight-accuracy"][0].here.point == 0.668
    assert rows["lightweight-accuracy-per-mac"][0].here.basis is Basis.COUNTED


def test_an_accuracy_of_unknown_epochs_is_not_put_beside_one_of_200(study):
    rows = rows_of(study, measured("cifar100: test split, 10000 images of 32x32"))
    assert rows["lightweight-accuracy-100"][0].here is None
    assert rows["lightweight-accuracy-200"][0].here is None


def test_what_no_sensor_saw_has_no_figure_here(study):
    blind = replace(sample_profile(), energy_j=None)
    (row,) = rows_of(study, blind)["lightweight-energy"]
    assert (row.here, row.ratio) == (None, None)


def test_a_report_about_other_models_has_no_claims():
    titles = [section.title for section in build_document([sample_profile("mine")]).sections]
    assert not [title for title in titles if title.startswith("Beside")]


def test_build_writes_both_forms_and_shows_the_comparison(tmp_path, capsys):
    for profile in (sample_profile(), resnet18()):
        save(profile, tmp_path / "runs" / profile.name)
    assert main(["build", str(tmp_path / "runs"), "--out", str(tmp_path / "report")]) == 0
    shown = capsys.readouterr()
    assert "Beside the study" in shown.out
    assert "report.md" in shown.err
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    for text in ("12,159,488", "45.68x", "forgets the max pool", "look like Wh", "15.8 billion"):
        assert text in markdown
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "12,159,488" in page
    assert "forgets the max pool" in page


def test_build_without_such_a_run_is_one_sentence(tmp_path, capsys):
    assert main(["build", str(tmp_path / "none"), "--out", str(tmp_path / "report")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_the_best_entry_is_the_lowest_score_that_reaches_ninety_percent():
    journey = next(study for study in load_claims() if study.id == "resnet18-journey")

    def entry(name, accuracy, score, data="cifar10: test split"):
        return replace(
            sample_profile(name),
            accuracy=counted(accuracy, "", "test split"),
            accuracy_data=data,
            score=counted(score, "", "formula"),
        )

    entries = [
        entry("too-weak", 0.89, 0.01),
        entry("best", 0.92, 0.03),
        entry("large", 0.95, 2.0),
        entry("other-images", 0.99, 0.001, "digits: test split"),
    ]
    rows = rows_of(journey, *entries)
    (accuracy,), (score,) = rows["best-accuracy"], rows["best-score"]
    assert (accuracy.here.point, accuracy.setting) == (0.92, "best, fp32")
    assert accuracy.ratio.point == pytest.approx(0.92 / 0.9347)
    assert score.here.point == 0.03
    assert score.ratio.basis is Basis.QUOTED
    assert rows["goal-accuracy"][0].here.point == 0.92
    assert rows_of(journey, entries[0])["best-score"][0].here is None


def test_the_scores_constants_are_half_of_what_is_counted():
    journey = next(study for study in load_claims() if study.id == "resnet18-journey")
    dense = resnet18()
    dense = replace(
        dense,
        workload=replace(dense.workload, batch_size=1, class_count=10),
        parameter_count=counted(11_173_962, "", "counted"),
        mac_count=counted(555_422_720, "MAC", "counted"),
    )
    rows = rows_of(journey, dense)
    assert rows["reference-parameters"][0].here.point == 5_586_981
    assert rows["reference-macs"][0].ratio.point == pytest.approx(277_711_360 / 280e6)
