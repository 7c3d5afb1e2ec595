"""Plain text for a terminal: aligned columns, no colour, no control characters."""

from __future__ import annotations

import textwrap

from profiler.render.document import NO_BREAK, Bar, Document, Plot, Section, Table, bind
from profiler.values.plain_text import clean

_WIDTH = 80
_BAR_WIDTH = 32
_WIDEST_CELL = 60
_GAP = "  "


def render(document: Document) -> str:
    """Print a document as text that ends in a newline."""
    blocks = [_heading(document.title, "="), "\n".join(map(paragraph, document.lead))]
    for section in document.sections:
        blocks.extend(section_blocks(section))
    return "\n\n".join(block for block in blocks if block) + "\n"


def section_blocks(section: Section) -> list[str]:
    """The parts of a section, one text each, to be set apart by empty lines."""
    return [
        _heading(section.title, "-"),
        *(paragraph(text) for text in section.paragraphs),
        *(_plot(plot) for plot in section.plots),
        *(table_text(table) for table in section.tables),
        *(paragraph(text) for text in section.notes),
    ]


def _heading(title: str, underline: str) -> str:
    lines = textwrap.wrap(clean(title), _WIDTH, break_long_words=False)
    return "\n".join((*lines, underline * max(map(len, lines), default=0)))


def paragraph(text: str) -> str:
    """Text as lines of the width of a page."""
    text = bind(clean(text))
    lines = textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace(NO_BREAK, " ")


def _plot(plot: Plot) -> str:
    largest = max((bar.point for bar in plot.bars), default=0.0)
    names = max((len(clean(bar.label)) for bar in plot.bars), default=0)
    lines = [clean(plot.caption)]
    for bar in plot.bars:
        lines.append(f"  {clean(bar.label):<{names}}  {_bar(bar, largest)}  {bar.text}")
    return "\n".join(lines)


def _bar(bar: Bar, largest: float) -> str:
    share = bar.point / largest if largest > 0 else 0.0
    # Another block keeps an estimate apart from a measurement without colour.
    mark = "█" if bar.basis in ("measured", "counted") else "▒"
    return f"{mark * max(1, round(share * _BAR_WIDTH)):<{_BAR_WIDTH}}"


def table_text(table: Table) -> str:
    """A table as aligned columns under its caption; long cells go on in further lines."""
    heads = [clean(column.label) for column in table.columns]
    rows = [[clean(cell) for cell in row] for row in table.rows]
    widths = [
        min(max(len(row[index]) for row in [heads, *rows]), _WIDEST_CELL)
        for index in range(len(heads))
    ]
    lines = [clean(table.caption), *_row(heads, widths, table)]
    lines.append(_GAP.join("-" * width for width in widths))
    for row in rows:
        lines.extend(_row(row, widths, table))
    return "\n".join(lines)


def _row(cells: list[str], widths: list[int], table: Table) -> list[str]:
    wrapped = [
        textwrap.wrap(cell, width or 1) or [""] for cell, width in zip(cells, widths, strict=True)
    ]
    height = max((len(lines) for lines in wrapped), default=1)
    rows = []
    for index in range(height):
        parts = []
        for lines, width, column in zip(wrapped, widths, table.columns, strict=True):
            text = lines[index] if index < len(lines) else ""
            parts.append(f"{text:>{width}}" if column.role == "number" else f"{text:<{width}}")
        rows.append(_GAP.join(parts).rstrip())
    return rows


def bullet(text: str) -> str:
    """One point of a list, its further lines set in."""
    return textwrap.fill(
        clean(text),
        _WIDTH,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
