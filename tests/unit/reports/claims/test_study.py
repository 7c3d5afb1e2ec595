import json

import pytest

from profiler.values.estimate import Basis
from reports.claims.metrics import ENTRY_METRICS, METRICS, TRAINING_METRICS
from reports.claims.study import Status, load_claims, read_study
from reports.cli import main
from reports.data_error import ReportDataError

STUDY = """
[study]
id = "s"
title = "S"

[[note]]
id = "n"
status = "checked"
text = "T"

[[claim]]
id = "c"
about = "m"
dataset = "D"
label = "L"
metric = "latency_s"
value = 2.5
unit = "ms"
factor = 0.001
method = "M"
here = "H"
notes = ["n"]
"""


def claims(study_id):
    study = next(study for study in load_claims() if study.id == study_id)
    return {claim.id: claim for claim in study.claims}


def test_the_figures_of_the_first_study_are_all_there():
    found = claims("lightweight-vs-resnet18")
    texts = {
        "parameters": ("258,292", "11,220,132", "43.4x"),
        "macs": ("15.8 M", "555.5 M", "35.3x"),
        "size": ("0.99 MB", "42.8 MB", "43.4x"),
        "latency": ("2 to 5 ms", "10 to 25 ms", "5 to 10x"),
        "energy": ("0.02 kWh", "0.7 kWh", "35x"),
        "accuracy-per-mac": ("4.43", "0.14", "32x"),
        "training": ("15 to 25 min", "2 to 3 h", "8 to 12x"),
    }
    for name, expected in texts.items():
        ids = (f"lightweight-{name}", f"resnet18-{name}", f"ratio-{name}")
        assert tuple(found[claim_id].text() for claim_id in ids) == expected
    assert found["lightweight-accuracy"].text() == "65 to 75 %"
    assert found["resnet18-accuracy-200"].text() == "78 to 80 %"
    assert found["lightweight-operations"].text() == "15.8 billion"
    assert found["resnet18-training-cpu"].text() == "15 h"


def test_the_figures_of_the_second_study_are_all_there():
    found = claims("resnet18-journey")
    assert {name: claim.value for name, claim in found.items()} == {
        "goal-accuracy": 90,
        "best-accuracy": 93.47,
        "best-score": 0.597288,
        "reference-parameters": 5_600_000,
        "reference-macs": 280_000_000,
    }
    assert found["best-score"].notes[0].status is Status.QUOTED


def test_what_is_concluded_is_not_told_as_checked():
    notes = {n.id: n for s in load_claims() for c in s.claims for n in c.notes}
    assert notes["forgotten-max-pool"].status is Status.CHECKED
    assert notes["operations-off-by-1000"].status is Status.CHECKED
    assert notes["watt-hours"].status is Status.INFERRED
    assert notes["constant-times-macs"].status is Status.INFERRED


@pytest.mark.parametrize(
    ("claim_id", "point", "low", "high"),
    [
        ("lightweight-macs", 15.8e6, None, None),
        ("lightweight-latency", 3.5e-3, 2e-3, 5e-3),
        ("resnet18-size", 42.8 * 2**20, None, None),
        ("resnet18-accuracy", 0.775, 0.75, 0.80),
        ("resnet18-operations", 555.5e9, None, None),
    ],
)
def test_a_figure_is_converted_to_the_unit_measured_here(claim_id, point, low, high):
    estimate = claims("lightweight-vs-resnet18")[claim_id].estimate("")
    assert estimate.point == pytest.approx(point)
    assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))
    assert estimate.basis is Basis.QUOTED
    assert estimate.confidence is None


def test_the_studys_energy_is_4_6_pj_a_mac_with_wh_written_as_kwh():
    found = claims("lightweight-vs-resnet18")
    for model in ("lightweight", "resnet18"):
        macs = found[f"{model}-macs"].estimate("").point
        watt_hours = macs * 1e6 * 4.6e-12 / 3600
        assert watt_hours == pytest.approx(found[f"{model}-energy"].value, rel=0.02)


def test_every_metric_is_one_that_is_measured():
    for study in load_claims():
        known = {*METRICS, *TRAINING_METRICS, *ENTRY_METRICS}
        assert all(claim.metric in known for claim in study.claims if claim.metric)


def test_a_whole_file_is_read(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY)
    (claim,) = read_study(tmp_path / "s.toml").claims
    assert claim.text() == "2.5 ms"
    assert claim.estimate("s").point == 0.0025
    assert claim.notes[0].text == "T"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "S"', "", "s.toml: study.title is missing"),
        ('id = "c"', "", "s.toml: claim[0].id is missing"),
        ('method = "M"', 'method = ""', "claim[0] is not possible: 'method' is empty"),
        ('method = "M"', "method = 3", "claim[0].method is not a text: 3"),
        ("value = 2.5", "", "there is neither 'value', nor 'low' and 'high'"),
        ("value = 2.5", 'value = "2"', "claim[0].value is not a number: '2'"),
        ("value = 2.5", "value = true", "claim[0].value is not a number: True"),
        ("value = 2.5", "low = 2", "claim[0] is not possible: a range needs both 'low' and 'high'"),
        ("value = 2.5", "low = 3\nhigh = 2", "claim[0] is not possible: 'low' 3 is above 'high' 2"),
        ("factor = 0.001", "factor = 0", "claim[0] is not possible: 'factor' is not positive: 0"),
        ('metric = "latency_s"', 'metric = "speed"', "'metric' is no known quantity: 'speed'"),
        ('notes = ["n"]', 'notes = ["x"]', "claim[0].notes names 'x', which is no note"),
        ('notes = ["n"]', "notes = [1]", "claim[0].notes[0] is not a text: 1"),
        ('notes = ["n"]', "colour = 1", "claim[0] has the unknown field 'colour'"),
        ('status = "checked"', 'status = "sure"', "note[0].status is none of checked, inferred, "),
        ("[study]", "[[study]]", "s.toml: study is not an object: a list"),
        ("[study]", "[study", "s.toml is no TOML"),
    ],
)
def test_a_mistake_names_file_and_field(tmp_path, old, new, message):
    assert old in STUDY
    (tmp_path / "s.toml").write_text(STUDY.replace(old, new))
    with pytest.raises(ReportDataError) as caught:
        read_study(tmp_path / "s.toml")
    assert message in caught.value.message


def test_two_claims_of_one_name_are_a_mistake(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY + STUDY[STUDY.index("[[claim]]") :])
    with pytest.raises(ReportDataError, match="two claims 'c'"):
        read_study(tmp_path / "s.toml")


def test_claims_prints_one_json_object(capsys):
    assert main(["claims", "--json"]) == 0
    studies = json.loads(capsys.readouterr().out)["studies"]
    assert [study["id"] for study in studies] == ["lightweight-vs-resnet18", "resnet18-journey"]
    assert studies[0]["claims"][0]["value"] == 258_292


def test_claims_prints_a_table(capsys):
    assert main(["claims"]) == 0
    shown = capsys.readouterr().out
    assert "best-score" in shown
    assert "inferred: The study's kWh look like Wh" in shown
