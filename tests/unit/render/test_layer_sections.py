from dataclasses import replace

import pytest
import torch
from torch import nn

from profiler.layers import LayerReport, measure_layers
from profiler.render.formats import render_document
from profiler.render.layer_sections import arrange, layer_document
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
    for wanted in ("BatchNorm2d", "Do the layers add up?", "What the device could do", "1 TFLOP/s"):
        assert wanted in text


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
    assert sum(row.latency_s.point for row in rows) == pytest.approx(whole)
