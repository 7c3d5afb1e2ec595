"""Flags of whoever prints a report, and its printing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import UsageError
from profiler.files import write_whole_file
from profiler.render.document import Document, Section
from profiler.render.formats import RENDERERS, render_document
from profiler.render.labels import labels_of
from profiler.render.paper_table import TABLES, as_table, paper_table

from .page import add_wide, page_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profiler.values.estimate import Estimate

COUNTRIES = "SWE,FRA,USA,DEU,CHN,POL,IND"


def add_report_output(parser: argparse.ArgumentParser, *, form: str | None) -> None:
    """--format and what belongs to it; `form` is the default."""
    add = parser.add_argument
    shown = "default: %(default)s" if form else "default: Markdown and HTML"
    add("--format", choices=tuple(RENDERERS), default=form, help=shown)
    add("--title", help="heading of the report")
    add("--table", choices=tuple(TABLES), help="one table for a paper instead of the whole report")
    add("--columns", metavar="KEY,...", help="columns of --table, by their names in the CSV")
    add("--baseline", metavar="NAME", help="run that the ratios of --table are to: the first")
    add(
        "--countries",
        default=COUNTRIES,
        metavar="ISO,...",
        help="whose electricity the carbon is also shown for (default: %(default)s)",
    )
    add("--root", default="runs", metavar="DIR", help="where runs are looked for by name")
    add("--quiet", action="store_true", help="do not say what was written")
    add_wide(parser)


def intensities(countries: str) -> Mapping[str, Estimate]:
    """g/kWh of each country of a list.

    Raises:
        UsageError: one of them is in no table.
    """
    from profiler.machine.carbon import carbon_factors

    codes = [code.strip().upper() for code in countries.split(",") if code.strip()]
    return {code: carbon_factors(country=code).intensity_g_per_kwh for code in codes}


def print_report(document: Document, arguments: argparse.Namespace) -> None:
    """Print a document in the format asked for, or write it where --out says.

    Raises:
        StoreError: it cannot be written; UsageError: flags that do not go together.
    """
    text = _text(document, arguments)
    if arguments.out is None:
        sys.stdout.write(text)
        return
    write_whole_file(Path(arguments.out), text)
    if not arguments.quiet:
        print(f"wrote {arguments.out}", file=sys.stderr)


def _text(document: Document, arguments: argparse.Namespace) -> str:
    form = arguments.format
    if arguments.table is None and (arguments.columns or arguments.baseline):
        flag = "--columns" if arguments.columns else "--baseline"
        raise UsageError(f"{flag} is of the table for a paper", hint="add --table joules")
    if arguments.table is not None:
        document = _paper(document, arguments)
        if form == "latex":
            return render_document(document, form)
    if form != "text":
        return render_document(document, form)
    from profiler.render.formats.text import render

    return render(document, page_width(is_wide=arguments.wide))


def _paper(document: Document, arguments: argparse.Namespace) -> Document:
    """The document of one table alone."""
    if not document.profiles:
        raise UsageError("the table for a paper is one of runs", hint="name runs as well")
    if arguments.format not in ("latex", "md", "text"):
        raise UsageError(
            f"--table is none of --format {arguments.format}", hint="latex, md and text have it"
        )
    keys = None if arguments.columns is None else arguments.columns.split(",")
    table = paper_table(
        document.profiles,
        labels_of(document.profiles),
        keys=keys or TABLES[arguments.table],
        baseline=arguments.baseline,
    )
    return Document(
        title=document.title,
        lead=(),
        sections=(Section(title="Joules", tables=(as_table(table),)),),
        paper=table,
    )
