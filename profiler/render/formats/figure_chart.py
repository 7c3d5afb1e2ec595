"""Charts: dots with error boxes, curves, fits, roofs and stretches on two axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from profiler.render.document import Axis, Chart, Dot
from profiler.values.plain_text import clean

from .figure_axis import domain_of, place_of, tick_labels
from .figure_bars import SEEN
from .figure_labels import place_labels

_NARROW = 500
_LONGEST_NAME = 34
_DOT_AREA, _LARGEST_DOT_AREA = 70.0, 900.0
Domain = tuple[float, float]


def chart_spec(chart: Chart, width: int) -> dict[str, Any]:
    """Layers of a chart, those behind first."""
    is_narrow = width < _NARROW
    left, right, top, bottom = (48, 12, 26, 48) if is_narrow else (66, 24, 26, 50)
    across, down = width - left - right, (230 if is_narrow else 330)
    domains = _domains(chart)
    x = _encoding(chart.x, domains[0], 4 if is_narrow else 8)
    y = _encoding(chart.y, domains[1], 5)
    y["axis"] |= {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start"}
    y["axis"] |= {"titleX": -left + 6, "titleY": -12, "titleBaseline": "middle"}
    return {
        "width": across,
        "height": down,
        "padding": {"left": left, "right": right, "top": top, "bottom": bottom},
        "layer": [
            *_spans(chart, x, down),
            _frame(x, y),
            *_lines(chart, x, y),
            *_dots(chart, x, y),
            *_names(chart, domains, across, down),
        ],
    }


def _domains(chart: Chart) -> tuple[Domain, Domain]:
    points = [point for line in chart.lines for point in line.points]
    xs = [x for x, _ in points] + [end for span in chart.spans for end in (span.start, span.end)]
    ys = [y for _, y in points]
    for dot in chart.dots:
        xs += [end for end in (dot.x, dot.x_low, dot.x_high) if end is not None]
        ys += [end for end in (dot.y, dot.y_low, dot.y_high) if end is not None]
    return _domain(xs, chart.x), _domain(ys, chart.y)


def _domain(values: Iterable[float], axis: Axis) -> Domain:
    # The low end of an interval may reach below what a logarithm can show.
    shown = [value for value in values if value > 0 or not axis.is_log]
    return domain_of(shown, is_log=axis.is_log)


def _encoding(axis: Axis, domain: Domain, ticks: int) -> dict[str, Any]:
    scale: dict[str, Any] = {"domain": list(domain), "nice": False, "zero": False, "clamp": True}
    if axis.is_log:
        scale["type"] = "log"
    return {
        "type": "quantitative",
        "scale": scale,
        "axis": {
            **tick_labels(axis.unit),
            "title": clean(axis.label),
            "tickCount": ticks,
            "labelOverlap": "greedy",
            "labelFlush": False,
            "titlePadding": 12,
        },
    }


def _frame(x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """The axes themselves, from a layer that shows nothing else."""
    return {
        "data": {"values": [{"x": x["scale"]["domain"][0], "y": y["scale"]["domain"][0]}]},
        "mark": {"type": "point", "opacity": 0},
        "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}},
    }


def _spans(chart: Chart, x: dict[str, Any], down: int) -> list[dict[str, Any]]:
    if not chart.spans:
        return []
    values = [{"start": span.start, "end": span.end} for span in chart.spans]
    band = {"type": "rect", "color": "var(--band)", "opacity": 0.5}
    place = {"x": {"field": "start", **x}, "x2": {"field": "end"}}
    return [
        {
            "data": {"values": values},
            "mark": band,
            "encoding": {**place, "y": {"value": 0}, "y2": {"value": down}},
        }
    ]


def _lines(chart: Chart, x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    drawn = []
    for line in chart.lines:
        values = [{"n": n, "x": px, "y": py} for n, (px, py) in enumerate(line.points)]
        mark: dict[str, Any] = {
            "type": "line",
            "color": "var(--soft)" if line.is_dashed else "var(--bar)",
        }
        mark |= {"strokeWidth": 1.6, "strokeDash": [6, 4] if line.is_dashed else [1, 0]}
        place: dict[str, Any] = {"x": {"field": "x", **x}, "y": {"field": "y", **y}}
        place["order"] = {"field": "n"}
        drawn.append({"data": {"values": values}, "mark": mark, "encoding": place})
    return drawn


def _dots(chart: Chart, x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    if not chart.dots:
        return []
    largest = max((dot.share or 0.0 for dot in chart.dots), default=0.0)
    values = [_dot(dot, largest, chart) for dot in chart.dots]
    at: dict[str, Any] = {"x": {"field": "x", **x}, "y": {"field": "y", **y}}
    box: dict[str, Any] = {
        "x": {"field": "x_low", **x},
        "x2": {"field": "x_high"},
        "y": {"field": "y_low", **y},
        "y2": {"field": "y_high"},
    }
    area: dict[str, Any] = {"field": "area", "type": "quantitative", "scale": None, "legend": None}
    rule: dict[str, Any] = {"type": "rule", "color": "var(--ink)", "strokeWidth": 1.2}
    dot: dict[str, Any] = {
        "type": "point",
        "stroke": "var(--bar)",
        "strokeWidth": 1.6,
        "opacity": 1,
    }
    boxes: list[dict[str, Any]] = [
        {"mark": {"type": "rect", "color": "var(--bar)", "opacity": 0.16}, "encoding": box},
        {"mark": rule, "encoding": {"x": box["x"], "x2": box["x2"], "y": at["y"]}},
        {"mark": rule, "encoding": {"x": at["x"], "y": box["y"], "y2": box["y2"]}},
    ]
    # What was not measured is hollow.
    points: list[dict[str, Any]] = [
        {
            "transform": [{"filter": kept}],
            "mark": {**dot, "fill": fill, "fillOpacity": 0.75},
            "encoding": {**at, "size": area},
        }
        for fill, kept in (("var(--bar)", "datum.seen"), ("var(--paper)", "!datum.seen"))
    ]
    return [{"data": {"values": values}, "layer": [*boxes, *points]}]


def _dot(dot: Dot, largest: float, chart: Chart) -> dict[str, Any]:
    share = None if dot.share is None or not largest else dot.share / largest
    area = _DOT_AREA if share is None else max(24.0, _LARGEST_DOT_AREA * share)
    return {
        "x": dot.x,
        "y": dot.y,
        "x_low": _end(dot.x_low, dot.x, chart.x),
        "x_high": _end(dot.x_high, dot.x, chart.x),
        "y_low": _end(dot.y_low, dot.y, chart.y),
        "y_high": _end(dot.y_high, dot.y, chart.y),
        "seen": dot.basis in SEEN,
        "area": area * (1.6 if dot.is_on_front else 1.0),
    }


def _end(end: float | None, point: float, axis: Axis) -> float:
    """An end of an interval; the value itself without one, the least positive one on a log axis."""
    if end is None or not math.isfinite(end):
        return point
    return end if end > 0 or not axis.is_log else 1e-30


def _names(
    chart: Chart, domains: tuple[Domain, Domain], across: int, down: int
) -> list[dict[str, Any]]:
    """The names of dots that find room, and of curves at their ends."""
    named = sorted(chart.dots, key=lambda dot: (not dot.is_on_front, -(dot.share or 0.0)))
    ends = [(line.label, line.points[-1]) for line in chart.lines if line.label]
    texts = [_short(dot.label) for dot in named] + [_short(label) for label, _ in ends]
    places = [(dot.x, dot.y) for dot in named] + [end for _, end in ends]
    spots = [
        (
            place_of(x, domains[0], across, is_log=chart.x.is_log),
            down - place_of(y, domains[1], down, is_log=chart.y.is_log),
        )
        for x, y in places
    ]
    values = [
        {"x": place.x, "y": place.y, "text": place.text}
        for place in place_labels(texts, spots, across, down)
    ]
    pixel = {"type": "quantitative", "scale": None, "axis": None}
    return [
        {
            "data": {"values": values},
            "mark": {"type": "text", "align": "left", "baseline": "middle"},
            "encoding": {
                "x": {"field": "x", **pixel},
                "y": {"field": "y", **pixel},
                "text": {"field": "text"},
            },
        }
    ]


def _short(label: str) -> str:
    text = clean(label)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
