from dataclasses import replace

import pytest

from profiler.render import Column, Section, Table
from profiler.render.document import bind
from profiler.render.formats.text import render
from profiler.render.labels import labels_of
from profiler.render.report import tell
from profiler.values.layer_table import LAYER_COLUMNS, layer_frame
from tests.sample import measured, resnet18, sample_profile


def titles(document):
    return [section.title for section in document.sections]


def test_two_profiles_of_one_workload_are_compared():
    document = tell([resnet18(), sample_profile(), sample_profile(batch_size=1)])
    assert document.title == "resnet18 and lightweight"
    assert "lightweight against resnet18, batch 128" in titles(document)
    assert sum(" against resnet18" in title for title in titles(document)) == 1


def test_one_profile_is_told_without_a_comparison():
    assert titles(tell([sample_profile()])) == [
        "At a glance",
        "lightweight, batch 128",
        "Power over time",
        "Do MACs stand for joules, layer by layer?",
        "Layers",
        "What ran, and where",
        "How far to trust it",
        "To measure it again",
        "Words",
    ]


def test_two_runs_of_one_model_are_called_a_and_b():
    document = tell([sample_profile(), sample_profile()])
    assert "lightweight (B) against lightweight (A), batch 128" in titles(document)
    assert "is equal within 5 %" in document.sections[1].paragraphs[0]


def test_further_sections_stand_before_the_figures():
    document = tell([sample_profile()], extra=[Section(title="Claims")])
    assert titles(document)[1] == "Claims"


def test_no_profile_is_no_report():
    with pytest.raises(ValueError, match="at least one profile"):
        tell([])


def test_every_quantity_is_a_row_with_basis_and_source():
    section = tell([sample_profile(cpu=True)]).sections[1]
    rows = {row[0]: row[1:] for row in section.tables[0].rows}
    assert rows["energy per call (gross)"] == ("312 ± 4 mJ", "estimated", "[2]")
    assert section.notes[1] == "[2] CodeCarbon's model (TDP x load)"
    assert rows["energy per call (net)"] == ("not seen", "", "")
    assert rows["parameters"][:2] == ("258,292", "counted")


def test_what_was_seen_beside_the_total_has_no_share_of_it():
    (gpu,) = sample_profile().energy_parts
    host = replace(gpu, device="cpu:package-0", in_total=False)
    table = tell([replace(sample_profile(), energy_parts=(gpu, host))]).sections[1].tables[1]
    assert [(row[0], row[3]) for row in table.rows] == [
        ("gpu:0", "100 %"),
        ("cpu:package-0", "beside it"),
    ]


def test_the_sensors_gain_error_is_stated_beside_measured_joules():
    notes = " ".join(tell([sample_profile()]).sections[1].notes)
    assert "±5.0 %" in notes
    assert "100 % of the joules are estimated or assumed" not in notes
    assert "estimated or assumed" in " ".join(tell([sample_profile(cpu=True)]).sections[1].notes)


def test_a_profile_without_anything_measured_still_makes_a_report():
    empty = replace(
        sample_profile(), latency_s=None, energy_j=None, power_w=None, layers=(), energy_parts=()
    )
    document = tell([empty])
    assert document.sections[0].plots == ()
    assert "no sensor saw its energy" in document.lead[0]
    assert "not seen" in render(document)


def test_labels_name_what_differs_and_no_more():
    assert labels_of([sample_profile(), resnet18()]) == (
        "lightweight, batch 128",
        "resnet18, batch 128",
    )
    assert labels_of([sample_profile(), sample_profile(cpu=True)])[1].endswith(", cpu")
    deployed = replace(
        sample_profile(), workload=replace(sample_profile().workload, runtime="openvino")
    )
    assert labels_of([sample_profile(), deployed]) == (
        "lightweight, batch 128, eager",
        "lightweight, batch 128, openvino",
    )


def test_a_finding_of_all_runs_is_told_once():
    document = tell([sample_profile(cpu=True), resnet18(cpu=True)])
    (section,) = (item for item in document.sections if item.title == "Findings")
    assert [row[:2] for row in section.tables[0].rows] == [("estimate-only", "all")]


def test_a_row_must_have_one_cell_a_column():
    with pytest.raises(ValueError, match="one cell a column"):
        Table(caption="t", columns=(Column(label="a"),), rows=(("x", "y"),))


def test_a_number_and_its_unit_stay_on_one_line():
    assert bind("takes 1.23 ± 0.02 mJ now") == "takes 1.23\u00a0±\u00a00.02\u00a0mJ now"


def test_layers_become_a_table_with_units_in_the_column_names():
    frame = layer_frame(sample_profile().layers)
    assert list(frame.columns) == list(LAYER_COLUMNS)
    assert frame["mac_count"].sum() == 418_304
    unmeasured = replace(sample_profile().layers[0], energy_j=None)
    assert layer_frame([unmeasured])["energy_j"].isna().all()
    assert layer_frame([]).empty


def test_one_bar_is_as_long_as_its_share():
    profile = replace(sample_profile(), energy_j=measured(0.0, 0.0, "J"))
    assert "0 J" in render(tell([profile]))
