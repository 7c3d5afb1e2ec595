r"""Tables for a paper: `booktabs` tabulars, everything from outside escaped.

Needs `\usepackage{booktabs}` and UTF-8 (any engine since 2018); each table stands alone.
"""

from __future__ import annotations

from profiler.render.document import Document, Table
from profiler.values.plain_text import clean

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "µ": r"\textmu{}",
    "∞": r"$\infty$",
    "…": r"\dots{}",
    "[": "{[}",
    "]": "{]}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
}


def render(document: Document) -> str:
    """Print every table of a document, its notes as comments; ends in a newline."""
    blocks = [f"% {clean(document.title)}"]
    for section in document.sections:
        blocks.append("\n".join([f"% {clean(section.title)}", *_comments(section.notes)]))
        blocks.extend(_table(table) for table in section.tables)
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_ESCAPES.get(char, char) for char in clean(text))


def _comments(notes: tuple[str, ...]) -> list[str]:
    return [f"% {clean(note)}" for note in notes]


def _table(table: Table) -> str:
    alignment = "".join("r" if column.role == "number" else "l" for column in table.columns)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(table.caption)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            _row(tuple(column.label for column in table.columns)),
            r"\midrule",
            *(_row(row) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _row(cells: tuple[str, ...]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"
