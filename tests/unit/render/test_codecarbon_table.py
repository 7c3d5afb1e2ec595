"""CodeCarbon's account in every form of a report."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from profiler.cli.screen import render_brief
from profiler.render.citations import sources_of
from profiler.render.codecarbon_table import codecarbon_table
from profiler.render.formats import csv as csv_format
from profiler.render.formats import html, markdown, text
from profiler.render.formats import json as json_format
from profiler.render.report import tell
from profiler.values.codecarbon import CodeCarbonOpinion, CodeCarbonPart
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.profile import Profile
from tests.sample import measured, sample_profile


def opinion(*, is_ram_seen: bool = True) -> CodeCarbonOpinion:
    cpu, ram = kwh(3e-4, Basis.MEASURED, "RAPL"), kwh(2e-4, Basis.ESTIMATED, "20 W")
    own = measured(2.5e-4, 0.01, "kWh", "our RAPL")
    ratio = measured(1.2, 0.01, "x", "RAPL / our RAPL")
    return CodeCarbonOpinion(
        version="3.3.2", tracking_mode="machine", span_s=stated(31.2, "s", Basis.MEASURED, "clock"),
        energy_kwh=kwh(5e-4, Basis.ESTIMATED, "cpu + ram"),
        emissions_g=stated(0.19, "g", Basis.QUOTED, "tracker x table"),
        parts=(
            CodeCarbonPart(device="cpu", energy_kwh=cpu, own_energy_kwh=own, ratio=ratio),
            CodeCarbonPart(
                device="ram", energy_kwh=ram, own_energy_kwh=own if is_ram_seen else None,
                ratio=ratio if is_ram_seen else None,
            ),
        ),
        ratio=ratio, cpu_s=stated(0.08, "s", Basis.MEASURED, "usage"),
        core_share=stated(0.0026, "", Basis.MEASURED, "usage"),
        startup_cpu_s=stated(1.5, "s", Basis.MEASURED, "usage"),
    )  # fmt: skip


def kwh(value: float, basis: Basis, source: str) -> Estimate:
    return stated(value, "kWh", basis, source)


def profile() -> Profile:
    return replace(sample_profile(), codecarbon=opinion())


@pytest.mark.parametrize("form", [text, markdown, html])
def test_a_report_shows_both_accounts_their_ratio_and_what_it_cost(form) -> None:  # type: ignore[no-untyped-def]  # a module
    shown = " ".join(form.render(tell([profile()])).replace("\N{NO-BREAK SPACE}", " ").split())
    for word in ("CodeCarbon 3.3.2", "31.2 s", "machine", "300 mWh", "250 ± 3 mWh", "1.20", "0.26"):
        assert word in shown


def test_a_profile_without_it_says_nothing_of_it() -> None:
    assert "second opinion" not in text.render(tell([sample_profile()]))
    assert "tracker" not in render_brief([sample_profile()], [])


def test_the_sum_has_a_ratio_only_where_all_of_it_was_seen_here() -> None:
    sources = sources_of(profile())
    whole, half = (
        {row[0]: row for row in codecarbon_table(opinion(is_ram_seen=seen), sources).rows}
        for seen in (True, False)
    )
    assert whole["all of these"][-1].startswith("1.20")
    assert half["all of these"][-1] == half["ram"][-1] == ""
    assert whole["gCO2e"][1] == "190 mg"


def test_the_screen_has_it_in_a_few_rows() -> None:
    shown = render_brief([profile()], [])
    assert "CodeCarbon's tracker, whole" in shown
    assert "\n31.2 s\n" in shown  # of the same cell, on a line of its own
    assert "over what was seen here" in shown
    assert "its own CPU time" not in shown


def test_the_screen_tells_an_account_of_several_models_once() -> None:
    shown = render_brief([profile(), profile()], [])
    assert shown.count("CodeCarbon's tracker, whole") == 1


def test_csv_has_a_row_a_number() -> None:
    rows = csv.DictReader(io.StringIO(csv_format.render(tell([profile()]))))
    values = {row["quantity"]: row["value"] for row in rows}
    assert float(values["codecarbon_cpu_ratio"]) == 1.2
    assert float(values["codecarbon_emissions_g"]) == 0.19
    assert float(values["codecarbon_core_share"]) == 0.0026


def test_json_has_it_whole() -> None:
    (document,) = json.loads(json_format.render(tell([profile()])))["profiles"]
    assert document["codecarbon"]["parts"][0]["energy_kwh"]["basis"] == "measured"
    assert document["codecarbon"]["parts"][1]["energy_kwh"]["basis"] == "estimated"
