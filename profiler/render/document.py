"""What a report consists of before it has a format: text, Markdown and HTML all print this."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from profiler.values.estimate import Estimate
from profiler.values.profile import Profile

NO_BREAK = "\N{NO-BREAK SPACE}"

Role = Literal["text", "number", "basis", "verdict", "code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's heading, and what its cells are: numbers stand right, code is monospaced.

    `leaves` is its place in the order in which columns leave a table that is wider than the page:
    1 first, 0 never.
    """

    label: str
    role: Role = "text"
    leaves: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of plain text; the first column names the row.

    Args:
        caption: what the table shows; read out by screen readers.
        columns: shape (c,).
        rows: shape (r, c).
        fold: whether a page may keep it shut until a reader opens it: it is long, and detail.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    fold: bool = False

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
class Axis:
    """One quantity of a chart.

    Args:
        label: what it is, as it stands beside the axis.
        unit: of the coordinates; "" for a plain number.
        is_log: whether it is logarithmic, as where values span decades.
    """

    label: str
    unit: str = ""
    is_log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One thing on two axes, with the interval of either coordinate where it has one.

    Args:
        label: its name; dots that find room for it are named in the figure.
        x: first coordinate, with x_low and x_high its interval; y: second, likewise.
        basis: "measured", "estimated", ...; weaker ones are hollow, not told by colour alone.
        share: of a whole that all dots make up, drawn as area; None where they do not.
        is_on_front: whether no other dot is better in both.
    """

    label: str
    x: float
    y: float
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    basis: str = "measured"
    share: float | None = None
    is_on_front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: its points in order, at least one, and its name."""

    label: str
    points: tuple[tuple[float, float], ...]
    is_dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A named stretch of the first axis."""

    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Dots, curves and stretches on two axes, in the units of these.

    Args:
        caption: what it shows, every basis named.
        x: first axis; y: second.
        dots: drawn over the curves.
        lines: curves, fits, fronts, roofs.
        spans: stretches of the first axis, behind everything.
    """

    caption: str
    x: Axis
    y: Axis
    dots: tuple[Dot, ...] = ()
    lines: tuple[Line, ...] = ()
    spans: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        if not (self.dots or self.lines):
            raise ValueError(f"the chart {self.caption!r} has neither a dot nor a line")


def span_decades(values: Iterable[float]) -> bool:
    """Whether a logarithmic axis serves them: all positive, the largest ten times the least."""
    known = list(values)
    return bool(known) and min(known) > 0 and max(known) >= 10 * min(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading and what stands under it, in this order.

    `fold` is whether a page may keep it shut until a reader opens it: it is detail.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    fold: bool = False

    @property
    def is_only_drawn(self) -> bool:
        """Whether a format without drawings has nothing of it to show."""
        return bool(self.charts) and not (self.plots or self.tables or self.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperColumn:
    """One quantity of all runs, in one unit.

    Args:
        heading: its name; unit: what its numbers are in, prefix included, "" for plain numbers.
        cells: one a run, in that unit; None for what was not seen.
    """

    heading: str
    unit: str
    cells: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """Runs by quantities.

    Args:
        caption: what it shows, every basis and the machine named.
        names: one a run.
        columns: their figures.
    """

    caption: str
    names: tuple[str, ...]
    columns: tuple[PaperColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something with figures that is no profile, for the formats that carry data: a training.

    Args:
        run_id: what it is called where it is stored.
        kind: "training".
        facts: what it is, by name: model, seed, data, ...
        figures: its numbers, by name; None for what was not seen.
    """

    run_id: str
    kind: str
    facts: Mapping[str, str | int | None]
    figures: Mapping[str, Estimate | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report.

    Args:
        title: its heading.
        lead: the answer, one sentence a line.
        sections: the rest, most important first.
        profiles: what it was built from, for the formats that carry data and not prose.
        run_ids: what these are called in the store, shape (number of profiles,); () in none.
        records: what else it was built from: trainings.
        paper: the table that LaTeX prints; None for that of all profiles.
    """

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    profiles: tuple[Profile, ...] = ()
    run_ids: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()
    paper: PaperTable | None = None


def bind(text: str) -> str:
    """The same text with "1.23 ± 0.02 mJ" held on one line by no-break spaces."""
    return re.sub(r"([\d.,]+) ± ([\d.,]+) (\S+)", rf"\1{NO_BREAK}±{NO_BREAK}\2{NO_BREAK}\3", text)
