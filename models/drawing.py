"""Architectures side by side as SVG: a box a stage, as wide as its MACs, on one scale for all."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .outline import Module

NARROWEST_COLUMN = 420
LETTER = 6.9
"""Mean width of a letter at 12 px, with room for fonts that run wide."""
ROW_HEIGHT = 46
BOX_HEIGHT = 16
MARGIN = 16
HEAD_HEIGHT = 64
_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:12px;fill:#1a1a1a}"
    ".title{font-size:16px;font-weight:600}.quiet{fill:#555}"
    ".box{fill:#2f6db5}.none{fill:#b8c4d2}.paper{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.quiet{fill:#aaa}.paper{fill:#16181c}"
    ".box{fill:#6ea8e8}.none{fill:#4a5563}}"
)

Column = tuple[str, Module, Sequence[tuple[str, Module]]]


def draw(columns: Sequence[Column]) -> str:
    """One SVG document.

    Args:
        columns: a model's name, its tree, and the stages to draw, in order.
    """
    most_macs = max((m.mac_count for _, _, rows in columns for _, m in rows), default=0) or 1
    rows = max(len(stages) for _, _, stages in columns)
    texts = [_words(name, stage) for _, _, stages in columns for name, stage in stages]
    column = max(NARROWEST_COLUMN, 2 * MARGIN + round(LETTER * max(map(len, texts), default=0)))
    width, height = column * len(columns), HEAD_HEIGHT + rows * ROW_HEIGHT + MARGIN
    names = " and ".join(name for name, _, _ in columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{escape(names)}: stages with shapes, parameters and MACs of one image; the wider "
        "a box, the more MACs</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
    ]
    for place, (name, top, stages) in enumerate(columns):
        left = place * column + MARGIN
        parts.append(_text(left, 26, name, "title"))
        parts.append(_text(left, 46, totals(top), "quiet"))
        parts += [
            _stage(
                left,
                HEAD_HEIGHT + row * ROW_HEIGHT,
                _words(stage_name, stage),
                (column - 2 * MARGIN) * stage.mac_count / most_macs,
            )
            for row, (stage_name, stage) in enumerate(stages)
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def totals(top: Module) -> str:
    """Parameters and MACs of a whole model, in words."""
    return f"{top.parameter_count:,} parameters, {top.mac_count:,} MACs"


def shape_of(module: Module) -> str:
    """Its output for one image: "128x7x7"."""
    return "x".join(map(str, module.output_shape)) if module.output_shape else "not run"


def _words(name: str, stage: Module) -> str:
    parts = [f"{name}: {stage.kind} \N{RIGHTWARDS ARROW} {shape_of(stage)}"]
    if stage.parameter_count:
        parts.append(f"{stage.parameter_count:,} parameters")
    if stage.mac_count:
        parts.append(f"{stage.mac_count:,} MACs")
    return ", ".join(parts)


def _stage(left: int, top: int, words: str, width: float) -> str:
    kind = "box" if width else "none"
    return (
        _text(left, top + 12, words)
        + f'<rect class="{kind}" x="{left}" y="{top + 18}" width="{max(2.0, width):.1f}" '
        f'height="{BOX_HEIGHT}" rx="2"/>'
    )


def _text(left: int, top: int, text: str, kind: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{left}" y="{top}"{kind}>{escape(text)}</text>'
