from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.render import Document, Section
from profiler.render.document import Curves, Line
from profiler.render.formats import render_document
from profiler.render.formats.svg_curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_curves


def curves(line: Line, caption: str = "c", x_label: str = "x", y_label: str = "y") -> Curves:
    return Curves(caption=caption, x_label=x_label, y_label=y_label, lines=(line,))


REAL = st.floats(-1e9, 1e9, allow_nan=False)


def test_points_stand_where_the_axes_say() -> None:
    shape = draw_curves(curves(Line(label="seed 0", points=((0, 50), (10, 100)))))
    assert [mark.text for mark in shape.frame.x_marks] == ["0", "2", "4", "6", "8", "10"]
    assert [mark.text for mark in shape.frame.y_marks] == ["50", "60", "70", "80", "90", "100"]
    (path,) = shape.paths
    assert path.d == f"M{LEFT:.1f} {HEIGHT - BOTTOM:.1f}L{WIDTH - RIGHT:.1f} {TOP:.1f}"
    assert (path.end_x, path.end_y) == (WIDTH - RIGHT, TOP)


@given(st.lists(st.tuples(st.floats(0, 1e9), REAL), min_size=1, max_size=20))
def test_every_curve_stays_inside_its_figure(points: list[tuple[float, float]]) -> None:
    shape = draw_curves(curves(Line(label="a", points=tuple(points))))
    for place in shape.paths[0].d[1:].split("L"):
        across, down = map(float, place.split())
        assert LEFT - 0.2 <= across <= WIDTH - RIGHT + 0.2
        assert TOP - 0.2 <= down <= HEIGHT - BOTTOM + 0.2
    assert len(shape.frame.y_marks) <= 12


def test_the_html_draws_it_and_escapes_its_names() -> None:
    shape = curves(Line(label="<i>", points=((0, 1), (1, 2))), "<b>c</b>")
    document = Document(title="t", lead=(), sections=(Section(title="s", curves=(shape,)),))
    page = render_document(document, "html")
    assert 'class="curve"' in page
    assert "&lt;i&gt;" in page
    assert "<b>c" not in page


@pytest.mark.parametrize("name", ["md", "text"])
def test_formats_without_figures_leave_it_out(name: str) -> None:
    shape = curves(Line(label="a", points=((0, 1),)), "caption")
    document = Document(title="t", lead=(), sections=(Section(title="s", curves=(shape,)),))
    assert "caption" not in render_document(document, name)
