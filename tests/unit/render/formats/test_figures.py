from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.render import Bar, Document, Plot, Section
from profiler.render.document import Axis, Band, Chart, Dot, Line, span_decades
from profiler.render.formats import render_document
from profiler.render.formats.figure_axis import domain_of, place_of
from profiler.render.formats.figure_labels import place_labels
from profiler.render.formats.figures import NARROW, WIDE, draw, specification

REAL = st.floats(-1e9, 1e9, allow_nan=False)


def bar(point, low=None, high=None, label="x", basis="measured"):
    return Bar(label=label, point=point, low=low, high=high, text="t", basis=basis)


def plot(*bars: Bar) -> Plot:
    return Plot(caption="c", unit="J", bars=bars)


def chart(**changes) -> Chart:
    dots = (
        Dot(label="small", x=1e-3, x_low=9e-4, x_high=1.1e-3, y=80.0, y_low=79.0, y_high=81.0),
        Dot(label="large", x=1.0, y=90.0, basis="estimated", is_on_front=True),
    )
    values = {
        "caption": "c",
        "x": Axis(label="energy", unit="J", is_log=True),
        "y": Axis(label="accuracy", unit="%"),
        "dots": dots,
    }
    return Chart(**values | changes)


def marks(svg: str, kind: str) -> int:
    """Drawn marks of a kind, axes left out."""
    groups = re.findall(rf'<g class="mark-{kind} role-mark[^>]*[^/]>(.*?)</g>', svg, re.DOTALL)
    return sum(len(re.findall(r"<(?:path|line|text)\b", group)) for group in groups)


@pytest.fixture(scope="module")
def drawn() -> tuple[str, str]:
    figure = chart(
        lines=(Line(label="fit", points=((1e-3, 80.0), (1.0, 90.0)), is_dashed=True),),
        spans=(Band(label="block", start=0.01, end=0.1),),
    )
    return draw(figure, "figure-1-1")


@pytest.mark.parametrize("width", [0, 1])
def test_a_chart_has_its_dots_line_names_and_units(drawn: tuple[str, str], width: int) -> None:
    svg = drawn[width]
    assert marks(svg, "symbol") == 3  # two dots, and the one that carries the axes
    assert marks(svg, "line") == 1
    for text in ("small", "large", "energy", "accuracy", "90\u2009%", "10\u2009mJ"):
        assert f">{text}<" in svg, text


def test_an_svg_is_an_image_with_a_name_and_no_script(drawn: tuple[str, str]) -> None:
    for svg, kind in zip(drawn, ("wide", "narrow"), strict=True):
        assert svg.startswith(f'<svg class="{kind}" viewBox="0 0 ')
        assert 'role="img" aria-labelledby="figure-1-1"' in svg
        assert "<script" not in svg
        assert "http" not in svg
        assert "NaN" not in svg
        assert "var(--bar)" in svg  # the colours are those of the page, so that they turn dark


def test_bars_and_whiskers_are_drawn_and_estimates_look_otherwise() -> None:
    svg, _ = draw(plot(bar(2.0, 1.9, 2.1), bar(1.0), bar(1.0, basis="estimated")), "f")
    assert marks(svg, "rect") == 3 + 2  # three bars, two ends of the whisker
    assert marks(svg, "rule") == 1
    assert svg.count('stroke="var(--weak-line)"') == 1


def test_an_open_interval_has_no_whisker_and_zero_no_axis_error() -> None:
    svg, _ = draw(plot(bar(0.0), bar(0.0, 0.0, math.inf)), "f")
    assert marks(svg, "rule") == 0
    assert "NaN" not in svg


def test_names_from_outside_are_text() -> None:
    hostile = "<b onload=alert(1)>\u202e</svg>"
    figure = chart(
        caption=hostile,
        x=Axis(label=hostile),
        dots=(Dot(label=hostile, x=1, y=1), Dot(label="'+datum+'", x=2, y=2)),
    )
    section = Section(title="s", charts=(figure,), plots=(plot(bar(1.0, label=hostile)),))
    html = render_document(Document(title="t", lead=(), sections=(section,)), "html")
    assert "<b onload" not in html
    assert "\u202e" not in html
    assert html.count("</svg>") == 4


@settings(max_examples=50)
@given(st.lists(REAL, min_size=1, max_size=8))
def test_a_linear_axis_holds_its_values(values: list[float]) -> None:
    domain = domain_of(values, is_log=False)
    assert domain[0] <= min(values)
    assert max(values) <= domain[1]
    assert domain[0] < domain[1]


@settings(max_examples=50)
@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=8))
def test_a_log_axis_holds_its_values(values: list[float]) -> None:
    domain = domain_of(values, is_log=True)
    for value in values:
        assert -1e-6 <= place_of(value, domain, 100.0, is_log=True) <= 100 + 1e-6


def test_values_over_decades_get_a_log_axis() -> None:
    assert span_decades([0.001, 0.01])
    assert not span_decades([1.0, 9.0])
    assert not span_decades([0.0, 100.0])
    assert not span_decades([])


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 200)), min_size=1, max_size=30))
def test_no_two_names_touch_and_none_leaves_the_frame(spots: list[tuple[float, float]]) -> None:
    placed = place_labels(["a name"] * len(spots), spots, 300.0, 200.0)
    boxes = [(each.x, each.y - 7, each.x + 7.2 * len(each.text), each.y + 7) for each in placed]
    for number, box in enumerate(boxes):
        assert box[0] >= 0
        assert box[2] <= 300
        for other in boxes[number + 1 :]:
            apart = box[2] <= other[0] or other[2] <= box[0]
            assert apart or box[3] <= other[1] or other[3] <= box[1]


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="neither a dot nor a line"):
        chart(dots=())


def test_a_figure_is_as_wide_as_it_is_asked_to_be() -> None:
    for width in (WIDE, NARROW):
        for figure in (chart(), plot(bar(1.0))):
            spec = specification(figure, width)
            sides = spec["padding"]["left"] + spec["padding"]["right"]
            assert spec["width"] + sides == width
