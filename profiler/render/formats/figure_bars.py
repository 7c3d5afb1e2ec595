"""Bars with whiskers, their names beside them; above them where the figure is narrow."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from profiler.render.document import Bar, Plot
from profiler.values.plain_text import clean

from .figure_axis import tick_labels

SEEN = ("measured", "counted")
_BAR_HEIGHT = 16
_LABEL_WIDTH = 290
_VALUE_WIDTH = 150
_LONGEST_LABEL = 36
_MOST_LINES = 2
_LINE_HEIGHT = 14
_NARROW = 500


def bars_spec(plot: Plot, width: int) -> dict[str, Any]:
    """Layers of bars from 0 on a linear axis that reaches the largest upper end."""
    is_narrow = width < _NARROW
    left = 6 if is_narrow else _LABEL_WIDTH
    right = 16 if is_narrow else _VALUE_WIDTH
    row = 48 if is_narrow else 34
    across, down = width - left - right, row * len(plot.bars) + 6
    ends = [bar.high if _is_finite(bar.high) else bar.point for bar in plot.bars]
    largest = max((end for end in ends if end), default=1.0)
    rows = [_row(bar, index, row, is_narrow) for index, bar in enumerate(plot.bars)]
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, largest], "nice": 4 if is_narrow else 5},
        "axis": {
            **tick_labels(plot.unit),
            "tickCount": 3 if is_narrow else 5,
            "title": None,
            "labelFlush": True,
        },
    }
    return {
        "width": across,
        "height": down,
        "padding": {"left": left, "right": right, "top": 2, "bottom": 30},
        "data": {"values": rows},
        "layer": [*_marks(x), *_texts(x, is_narrow)],
    }


def _lines(label: str) -> str:
    """In two lines where one is too short, without its middle where these are: ends tell apart."""
    room = _LONGEST_LABEL * _MOST_LINES - 8  # lines that break between words are not full
    if len(label) > room:
        half = (room - 1) // 2
        label = f"{label[:half]}…{label[-half:]}"
    return "\n".join(textwrap.wrap(label, _LONGEST_LABEL, break_on_hyphens=False))


def _shortened(label: str) -> str:
    half = (_LONGEST_LABEL - 1) // 2
    return label if len(label) <= _LONGEST_LABEL else f"{label[:half]}…{label[-half:]}"


def _row(bar: Bar, index: int, row: int, is_narrow: bool) -> dict[str, Any]:
    middle = row * index + (34 if is_narrow else 17)
    name = clean(bar.label)
    whisker = _is_finite(bar.low) and _is_finite(bar.high) and bar.low != bar.high
    return {
        "name": _lines(name),
        "value": f"{_shortened(name)}:  {bar.text}" if is_narrow else bar.text,
        "zero": 0,
        "point": bar.point,
        "low": bar.low if whisker else bar.point,
        "high": bar.high if whisker else bar.point,
        "whisker": whisker,
        "seen": bar.basis in SEEN,
        "top": middle - _BAR_HEIGHT / 2,
        "bottom": middle + _BAR_HEIGHT / 2,
        "middle": middle,
        "first_line": middle - _LINE_HEIGHT / 2 * _lines(name).count("\n"),
        "above": middle - 19,
    }


def _pixel(field: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


def _marks(x: dict[str, Any]) -> list[dict[str, Any]]:
    spot = {"x": {"field": "zero", **x}, "x2": {"field": "point"}, "y": _pixel("top")}
    spot["y2"] = {"field": "bottom"}
    seen = {"type": "bar", "color": "var(--bar)", "cornerRadiusEnd": 2}
    # Dashes and a pale fill keep an estimate apart without colour.
    weak = {
        "type": "bar",
        "fill": "var(--weak-ground)",
        "stroke": "var(--weak-line)",
        "strokeDash": [4, 3],
        "cornerRadiusEnd": 2,
    }
    line = {"type": "rule", "color": "var(--ink)", "strokeWidth": 1.6}
    whisker = {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": _pixel("middle")}
    ticks = [
        {
            "transform": [{"filter": "datum.whisker"}],
            "mark": {"type": "tick", "color": "var(--ink)", "thickness": 1.6, "size": 10},
            "encoding": {"x": {"field": end, **x}, "y": _pixel("middle")},
        }
        for end in ("low", "high")
    ]
    return [
        {"transform": [{"filter": "datum.seen"}], "mark": seen, "encoding": spot},
        {"transform": [{"filter": "!datum.seen"}], "mark": weak, "encoding": spot},
        {"transform": [{"filter": "datum.whisker"}], "mark": line, "encoding": whisker},
        *ticks,
    ]


def _texts(x: dict[str, Any], is_narrow: bool) -> list[dict[str, Any]]:
    bold = {"type": "text", "fontSize": 13, "fontWeight": 600, "baseline": "middle"}
    if is_narrow:
        above = {"x": {"value": 0}, "y": _pixel("above"), "text": {"field": "value"}}
        return [{"mark": {**bold, "align": "left", "fontWeight": 500}, "encoding": above}]
    name = {"x": {"value": -12}, "y": _pixel("first_line"), "text": {"field": "name"}}
    value = {"x": {"field": "high", **x}, "y": _pixel("middle"), "text": {"field": "value"}}
    plain = {
        "type": "text", "fontSize": 13, "align": "right", "baseline": "middle",
        "lineBreak": "\n", "lineHeight": _LINE_HEIGHT,
    }  # fmt: skip
    return [
        {"mark": plain, "encoding": name},
        {"mark": {**bold, "align": "left", "dx": 10}, "encoding": value},
    ]


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
