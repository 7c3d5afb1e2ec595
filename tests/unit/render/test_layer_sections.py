from dataclasses import replace

import pytest
import torch
from torch import nn

from profiler.layers import LayerReport, measure_layers
from profiler.render.formats import render_document
from profiler.render.layer_sections import arrange, joined_layer_document, layer_document
from tests.unit.layers.samples import best_of_device


@pytest.fixture(scope="module")
def report() -> LayerReport:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3))
    return measure_layers(
        model, torch.zeros(2, 3, 16, 16), name="<b>net</b>", device="cpu", max_seconds=1.0,
        meters=[], hardware=best_of_device(),
    )  # fmt: skip


@pytest.mark.parametrize("form", ["text", "md", "html"])
def test_a_report_shows_layers_closure_and_the_best_of_the_device(
    report: LayerReport, form: str
) -> None:
    text = render_document(layer_document(report, report.layers), form)
    for wanted in (
        "BatchNorm2d",
        "Do the layers add up?",
        "What they mean here",
        "What the device could do",
        "1 TFLOP/s",
    ):
        assert wanted in text


def test_two_workloads_of_a_model_are_one_report_with_its_words_once(report: LayerReport) -> None:
    first, second = (
        layer_document(replace(report, name=name), report.layers) for name in ("prefill", "decode")
    )
    text = render_document(joined_layer_document([first, second]), "text")
    assert text.index("Layers (prefill, batch 2)") < text.index("Layers (decode, batch 2)")
    assert text.count("What they mean here") == 1


def test_what_was_measured_stands_under_the_headline(report: LayerReport) -> None:
    known = replace(report, data="zeros", threads=2, process_count=3)
    lead = " ".join(layer_document(known, known.layers).lead)
    assert "(cpu, fp32, 2 threads, 2x3x16x16, zeros)" in lead
    assert "calls in 3 processes" in lead


def test_html_draws_the_roofline_and_escapes_names(report: LayerReport) -> None:
    text = render_document(layer_document(report, report.layers), "html")
    wide = text.partition('class="wide"')[2].partition("</svg>")[0]
    dots = wide.partition("role-mark")[2].count('aria-roledescription="point"')
    assert dots == 1 + 2  # the one that carries the axes, and the layers
    assert "MACs per byte" in wide
    assert "<b>net</b>" not in text
    assert "<script" not in text


def test_a_report_without_calibration_has_no_roofline(report: LayerReport) -> None:
    bare = replace(report, hardware=None)
    assert "What the device could do" not in render_document(layer_document(bare, ()), "text")


def test_arranged_by_kind_the_rows_still_add_up(report: LayerReport) -> None:
    rows = arrange(report, sort="latency", by_kind=True, depth=None)
    assert {row.path for row in rows} == {"conv", "norm", "activation", "between layers"}
    whole = sum(row.latency_s.point for row in report.layers)
    alone = {row.path for row in rows if row.time_share is not None}
    assert alone == {"norm", "activation", "between layers"}  # a sum has no share of one part
    assert sum(row.latency_s.point for row in rows) == pytest.approx(whole)
