"""GitHub-flavoured Markdown, with every name from outside made harmless."""

from __future__ import annotations

import re

from profiler.render.document import Document, Plot, Section, Table
from profiler.values.plain_text import clean

# Everything that CommonMark or GFM may read as markup inside a line, HTML included.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~#!&$])")
_LINK_STARTS = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")
_ALIGNMENT = {"number": "---:"}


def render(document: Document) -> str:
    """Print a document as Markdown that ends in a newline."""
    blocks = [f"# {escape(document.title)}", *map(escape, document.lead)]
    for section in document.sections:
        if not section.is_only_drawn:
            blocks.extend(section_blocks(section))
    return "\n\n".join(block for block in blocks if block) + "\n"


def section_blocks(section: Section) -> list[str]:
    """The parts of a section, one text each. Plots repeat what a table says, and are left out."""
    repeated = bool(section.tables)
    return [
        f"## {escape(section.title)}",
        *(escape(text) for text in section.paragraphs),
        *(_plot(plot) for plot in section.plots if not repeated),
        *(table_block(table) for table in section.tables),
        *(f"*{escape(text)}*" for text in section.notes),
    ]


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no autolink, one line."""
    escaped = _MARKUP.sub(r"\\\1", clean(text))
    escaped = escaped.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")
    # An entity in place of the colon or dot keeps GFM from linking a hostile name.
    return _LINK_STARTS.sub(lambda match: f"{match[1]}&#{ord(match[2])};", escaped).strip()


def _plot(plot: Plot) -> str:
    lines = [f"- {escape(bar.label)}: {escape(bar.text)} ({bar.basis})" for bar in plot.bars]
    return "\n".join([f"{escape(plot.caption)}:", "", *lines])


def table_block(table: Table) -> str:
    """A GFM table under its caption."""
    heads = [escape(column.label) or " " for column in table.columns]
    rules = [_ALIGNMENT.get(column.role, "---") for column in table.columns]
    rows = [[escape(cell) for cell in row] for row in table.rows]
    lines = [f"| {' | '.join(row)} |" for row in [heads, rules, *rows]]
    return "\n".join([f"**{escape(table.caption)}**", "", *lines])
