"""One self-contained HTML file: no script, no font, no request; light, dark and print."""

from __future__ import annotations

from profiler.render.document import Document, bind
from profiler.values.plain_text import clean

from .figures import draw


def render(document: Document) -> str:
    """Print a document as HTML; every text from outside is escaped by the template engine."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    engine = Environment(
        loader=PackageLoader("profiler.render.formats", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    engine.filters["clean"] = clean
    engine.filters["bind"] = bind
    engine.globals["draw"] = draw
    return engine.get_template("report.html.jinja").render(document=document)
