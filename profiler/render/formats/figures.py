"""Figures as SVG: a Vega-Lite specification each, drawn by vl-convert without a browser.

A figure is drawn twice, for a page and for a telephone; the style sheet shows one of the two, so
that its text is as large as the text around it. Colours are the variables of the style sheet. There
is no script in a report, and nothing is loaded.
"""

from __future__ import annotations

import re
from typing import Any

from profiler.render.document import Chart, Plot

from .figure_bars import bars_spec
from .figure_chart import chart_spec

# The renderer changes with its version; this one is inside every vl-convert from 1.8.
VEGA_LITE = "5.21"
WIDE, NARROW = 960, 340
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_HEAD = re.compile(r"^<svg [^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")


def draw(figure: Plot | Chart, caption_id: str) -> tuple[str, str]:
    """A figure as two SVG elements: for a page, and for a narrow screen.

    Args:
        figure: what to draw.
        caption_id: id of the element that says what it shows, for who cannot see it.
    """
    return _svg(figure, WIDE, caption_id), _svg(figure, NARROW, caption_id)


def _svg(figure: Plot | Chart, width: int, caption_id: str) -> str:
    from vl_convert import vegalite_to_svg

    drawn = vegalite_to_svg(specification(figure, width), vl_version=VEGA_LITE)
    head = _HEAD.match(drawn)
    if head is None:
        raise ValueError(f"vl-convert drew no SVG: {drawn[:80]!r}")
    kind = "wide" if width == WIDE else "narrow"
    start = (
        f'<svg class="{kind}" viewBox="0 0 {head[1]} {head[2]}" role="img" '
        f'aria-labelledby="{caption_id}">'
    )
    return start + drawn[head.end() :]


def specification(figure: Plot | Chart, width: int) -> dict[str, Any]:
    """What Vega-Lite draws: layers on axes in the colours of the style sheet."""
    layers = bars_spec(figure, width) if isinstance(figure, Plot) else chart_spec(figure, width)
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        # The size is what is written here, whatever fonts the machine has.
        "autosize": "none",
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": {
                "domain": False,
                "ticks": False,
                "gridColor": "var(--line)",
                "labelColor": "var(--soft)",
                "titleColor": "var(--soft)",
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "labelPadding": 8,
                "labelLimit": 0,
                "titleLimit": 0,
            },
            "text": {"fontSize": 12, "fill": "var(--ink)"},
        },
        **layers,
    }
