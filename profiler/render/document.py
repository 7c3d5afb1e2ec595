"""What a report consists of before it has a format: text, Markdown and HTML all print this."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from profiler.values.profile import Profile

NO_BREAK = "\N{NO-BREAK SPACE}"

Role = Literal["text", "number", "basis", "verdict", "code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's heading, and what its cells are: numbers stand right, code is monospaced."""

    label: str
    role: Role = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of plain text; the first column names the row.

    Args:
        caption: what the table shows; read out by screen readers.
        columns: shape (c,).
        rows: shape (r, c).
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of the table {self.caption!r} has not one cell a column")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One value of a plot, with its interval where it has one.

    Args:
        label: what it is of.
        point: the value; low and high its interval, None without one.
        text: the value as it is printed.
        basis: "measured", "estimated", ...; drawn by pattern, not by colour alone.
    """

    label: str
    point: float
    low: float | None
    high: float | None
    text: str
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Horizontal bars from 0 on one linear axis in `unit`, with interval whiskers."""

    caption: str
    unit: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: its points in order, at least one, and its name."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Curves on two linear axes.

    Args:
        caption: what they show, every basis named.
        x_label: quantity and unit of the first coordinate; y_label: of the second.
        lines: at least one, in the units of the labels.
    """

    caption: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One layer under the roof: where it stands, its share of the time, and its name."""

    label: str
    flop_per_byte: float
    flop_per_s: float
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """What each layer reached, under what a device can do at its arithmetic intensity.

    Args:
        caption: what it shows.
        flop_per_s: the flat part of the roof; byte_per_s: the slope of the other part.
        dots: at least one.
    """

    caption: str
    flop_per_s: float
    byte_per_s: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading and what stands under it, in this order."""

    title: str
    paragraphs: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    rooflines: tuple[Roofline, ...] = ()
    curves: tuple[Curves, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report.

    Args:
        title: its heading.
        lead: the answer, one sentence a line.
        sections: the rest, most important first.
        profiles: what it was built from, for the formats that carry data and not prose.
    """

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    profiles: tuple[Profile, ...] = ()


def bind(text: str) -> str:
    """The same text with "1.23 ± 0.02 mJ" held on one line by no-break spaces."""
    return re.sub(r"([\d.,]+) ± ([\d.,]+) (\S+)", rf"\1{NO_BREAK}±{NO_BREAK}\2{NO_BREAK}\3", text)
