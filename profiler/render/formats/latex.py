r"""Tables for a paper: `booktabs`, numbers by `siunitx`, everything from outside escaped.

Runs are one table, which fits a page; other documents print their tables, those of many rows as
`longtable`. Each names the packages that it needs.
"""

from __future__ import annotations

import re

from profiler.render.document import Document, PaperColumn, PaperTable, Table
from profiler.render.labels import labels_of
from profiler.render.paper_table import paper_table, plain_number
from profiler.values.estimate import Estimate
from profiler.values.plain_text import clean
from profiler.values.units import NOT_SEEN

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
    "≥": r"$\geq$",
    "…": r"\dots{}",
    "[": "{[}",
    "]": "{]}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
}
MOST_COLUMNS = 9
MOST_ROWS = 40
"""Rows from which a table goes on over pages."""
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?: ± (\d+(?:\.\d+)?))?")
_HEAD = "% Needs \\usepackage{booktabs}"


def render(document: Document) -> str:
    """Print the runs of a document as one table, else its tables; ends in a newline."""
    paper = document.paper
    if paper is None and document.profiles:
        paper = paper_table(document.profiles, labels_of(document.profiles))
    if paper is not None:
        return render_paper(paper, title=document.title)
    tables = [table for section in document.sections for table in section.tables]
    packages = _HEAD + (r", \usepackage{longtable}" if any(map(_is_long, tables)) else "")
    blocks = [f"% {clean(document.title)}\n{packages}."]
    blocks += [_long(table) if _is_long(table) else _short(table) for table in tables]
    return "\n\n".join(blocks) + "\n"


def render_paper(table: PaperTable, *, title: str, label: str = "tab:joules") -> str:
    """One table whose numbers siunitx aligns at their points; ends in a newline."""
    columns = " ".join(["l", *(_column_type(column) for column in table.columns)])
    heads = " & ".join([""] + [rf"{{{escape(column.heading)}}}" for column in table.columns])
    units = " & ".join([""] + [_unit(column) for column in table.columns])
    rows = [
        " & ".join([escape(name), *(_number(column.cells[index]) for column in table.columns)])
        for index, name in enumerate(table.names)
    ]
    return "\n".join(
        [
            f"% {clean(title)}",
            f"{_HEAD} and \\usepackage{{siunitx}} (version 3); wide pages: \\begin{{table*}}.",
            r"\begin{table}",
            r"\centering",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{4pt}",
            r"\sisetup{separate-uncertainty = true}",
            rf"\caption{{{escape(table.caption)}.}}",
            rf"\label{{{label}}}",
            r"\smallskip",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            heads + r" \\",
            units + r" \\",
            r"\midrule",
            *(row + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _column_type(column: PaperColumn) -> str:
    """S with room for the widest of its numbers; r where one of them is no plain number."""
    found = [_NUMBER.fullmatch(plain_number(cell)) for cell in column.cells if cell is not None]
    if not found or None in found:
        return "r"
    numbers = [match for match in found if match is not None]
    if any(match[2] for match in numbers):
        # Aligned at their points, siunitx sets "36.0± 0.5".
        return "S[table-alignment-mode=none, table-number-alignment=right]"
    parts = [match[1].partition(".") for match in numbers]
    whole = max(len(before) for before, _, _ in parts)
    return f"S[table-format={whole}.{max(len(after) for _, _, after in parts)}]"


def _number(estimate: Estimate | None) -> str:
    """A number that an S column reads; in braces what it does not."""
    if estimate is None:
        return "{--}"
    text = plain_number(estimate)
    if text == NOT_SEEN:
        return "{--}"
    return text.replace("±", "+-") if _NUMBER.fullmatch(text) else f"{{{escape(text)}}}"


def _unit(column: PaperColumn) -> str:
    return rf"{{({escape(column.unit)})}}" if column.unit else ""


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_ESCAPES.get(char, char) for char in clean(text))


def _is_long(table: Table) -> bool:
    return len(table.rows) > MOST_ROWS


def _kept(table: Table) -> list[int]:
    """Places of the columns that a page has room for, by the order in which they leave."""
    places = list(range(len(table.columns)))
    leaving = sorted(
        (place for place in places if table.columns[place].leaves),
        key=lambda place: table.columns[place].leaves,
    )
    gone = set(leaving[: max(0, len(places) - MOST_COLUMNS)])
    return [place for place in places if place not in gone]


def _parts(table: Table) -> tuple[str, str, list[str], str]:
    """Alignment, head, rows, and a comment on what was left out."""
    kept = _kept(table)
    columns = [table.columns[place] for place in kept]
    alignment = "".join("r" if column.role == "number" else "l" for column in columns)
    gone = [c.label for place, c in enumerate(table.columns) if place not in kept]
    said = f"% Left out, for the width of a page: {clean(', '.join(gone))}\n" if gone else ""
    rows = [_row(tuple(row[place] for place in kept)) for row in table.rows]
    return alignment, _row(tuple(column.label for column in columns)), rows, said


def _short(table: Table) -> str:
    alignment, head, rows, said = _parts(table)
    return said + "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\footnotesize",
            rf"\caption{{{escape(table.caption)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _long(table: Table) -> str:
    alignment, head, rows, said = _parts(table)
    return said + "\n".join(
        [
            r"{\footnotesize",
            rf"\begin{{longtable}}{{{alignment}}}",
            rf"\caption{{{escape(table.caption)}}} \\",
            r"\toprule",
            head,
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *rows,
            r"\end{longtable}}",
        ]
    )


def _row(cells: tuple[str, ...]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"
