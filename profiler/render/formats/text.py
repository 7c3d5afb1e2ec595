"""Plain text for a terminal: aligned columns, no colour, no control characters."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import replace

from profiler.render.document import NO_BREAK, Bar, Document, Plot, Section, Table, bind
from profiler.values.plain_text import clean

PAGE = 80
_LONGEST_BAR, _SHORTEST_BAR = 32, 8
_WIDEST_CELL = 60
_NARROWEST_CELL = 8
_LONGEST_WORD = 16
_LONGEST_CODE = 35  # the name of a run of the zoo, to be copied in one piece
_GAP = "  "


class _CellWrapper(textwrap.TextWrapper):
    """Breaks references to models between their parts as well: behind "+" and ","."""

    # Not at every blank: what `bind` holds together stays so.
    wordsep_simple_re = re.compile(r"([\t\n\r ]+|(?<=[+,])(?=[a-z]))")


def _cell_lines(text: str, width: int) -> list[str]:
    return _CellWrapper(width=max(width, 1), break_on_hyphens=False).wrap(text) or [""]


def render(document: Document, width: int | None = PAGE) -> str:
    """Print a document as text that ends in a newline.

    Args:
        document: what to print.
        width: characters of a line that tables keep to; None for all columns of all tables.
    """
    blocks = [_heading(document.title, "="), "\n".join(map(paragraph, document.lead))]
    for section in document.sections:
        if not section.is_only_drawn:
            blocks.extend(section_blocks(section, width))
    return "\n\n".join(block for block in blocks if block) + "\n"


def section_blocks(section: Section, width: int | None = PAGE) -> list[str]:
    """The parts of a section, one text each, to be set apart by empty lines."""
    return [
        _heading(section.title, "-"),
        *(paragraph(text) for text in section.paragraphs),
        *(_plot(plot) for plot in section.plots),
        *(table_text(table, width) for table in section.tables),
        *(paragraph(text) for text in section.notes),
    ]


def _heading(title: str, underline: str) -> str:
    lines = _cell_lines(clean(title), PAGE)
    return "\n".join((*lines, underline * max(map(len, lines), default=0)))


def paragraph(text: str) -> str:
    """Text as lines of the width of a page."""
    text = bind(clean(text))
    lines = textwrap.fill(text, PAGE, break_long_words=False, break_on_hyphens=False)
    return lines.replace(NO_BREAK, " ")


def _plot(plot: Plot) -> str:
    """Bars between their names and values; a name too long for its place begins a line above."""
    largest = max((bar.point for bar in plot.bars), default=0.0)
    values = max((len(bar.text) for bar in plot.bars), default=0)
    room = PAGE - values - 3 * len(_GAP)
    names = max((len(clean(bar.label)) for bar in plot.bars), default=0)
    names = min(names, room - _SHORTEST_BAR)
    width = min(_LONGEST_BAR, room - names)
    lines = _cell_lines(clean(plot.caption), PAGE)
    for bar in plot.bars:
        *above, name = _cell_lines(clean(bar.label), names)
        lines += [f"  {line}" for line in above]
        lines.append(f"  {name:<{names}}  {_bar(bar, largest, width)}  {bar.text}")
    return "\n".join(lines)


def _bar(bar: Bar, largest: float, width: int) -> str:
    share = bar.point / largest if largest > 0 else 0.0
    # Another block keeps an estimate apart from a measurement without colour.
    mark = "█" if bar.basis in ("measured", "counted") else "▒"
    return f"{mark * max(1, round(share * width)):<{width}}"


def table_text(table: Table, width: int | None = PAGE) -> str:
    """A table as aligned columns under its caption; long cells go on in further lines.

    Where it is wider than `width`, first cells of text are wrapped more narrowly, then columns
    leave in the order of `Column.leaves`; a line under the table says which.
    """
    heads = [clean(column.label) for column in table.columns]
    rows = [[clean(cell) for cell in row] for row in table.rows]
    kept, widths = _fitted(table, [heads, *rows], width)
    shown = replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=(),
    )
    lines = textwrap.wrap(clean(table.caption), width or 10_000) or [""]
    lines += _row([heads[place] for place in kept], widths, shown)
    lines.append(_GAP.join("-" * each for each in widths))
    for row in rows:
        lines.extend(_row([row[place] for place in kept], widths, shown))
    gone = [head for place, head in enumerate(heads) if place not in kept]
    if gone:
        told = f"not shown (--wide shows all): {', '.join(gone)}"
        lines += textwrap.wrap(told, width or PAGE, break_on_hyphens=False)
    return "\n".join(lines)


def _fitted(table: Table, cells: list[list[str]], width: int | None) -> tuple[list[int], list[int]]:
    """Places of the columns that stay, and how wide each is."""
    kept = list(range(len(table.columns)))
    natural = [min(max(len(row[place]) for row in cells), _WIDEST_CELL) for place in kept]
    if width is None:
        return kept, natural
    # Numbers keep to one line; text and headings may go on in the next.
    least = [_least(table.columns[place].role, cells, place, natural[place]) for place in kept]
    leaving = sorted(
        (place for place in kept if table.columns[place].leaves),
        key=lambda place: table.columns[place].leaves,
    )
    while leaving and _total(least, kept) > width:
        kept.remove(leaving.pop(0))
    widths = {place: natural[place] for place in kept}
    while _total(widths, kept) > width:
        widest = max(kept, key=lambda place: widths[place] - least[place])
        if widths[widest] <= least[widest]:
            break  # what is left has to be read as it is
        widths[widest] -= 1
    return kept, [widths[place] for place in kept]


def _least(role: str, cells: list[list[str]], place: int, natural: int) -> int:
    """The narrowest that a column may become."""
    if role == "number":
        numbers = max((len(row[place]) for row in cells[1:]), default=0)
        return min(natural, max(numbers, _longest_word(cells[:1], place)))
    if role == "code":
        return min(natural, _LONGEST_CODE)
    return min(natural, max(_NARROWEST_CELL, _longest_word(cells, place)))


def _longest_word(cells: list[list[str]], place: int) -> int:
    parts = (_CellWrapper.wordsep_simple_re.split(row[place]) for row in cells)
    words = (len(word) for part in parts for word in part if word)
    return min(_LONGEST_WORD, max(words, default=1))


def _total(widths: Mapping[int, int] | list[int], kept: list[int]) -> int:
    return sum(widths[place] for place in kept) + len(_GAP) * (len(kept) - 1)


def _row(cells: list[str], widths: list[int], table: Table) -> list[str]:
    wrapped = [_cell_lines(cell, width) for cell, width in zip(cells, widths, strict=True)]
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
        PAGE,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
