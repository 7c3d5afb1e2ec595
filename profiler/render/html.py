"""One self-contained HTML file: no script, no font, no request; light, dark and print."""

from __future__ import annotations

from .document import Document, bind, clean
from .figure import draw


def render(document: Document) -> str:
    """Print a document as HTML; every text from outside is escaped by the template engine."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    engine = Environment(
        loader=PackageLoader("profiler.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    engine.filters["clean"] = clean
    engine.filters["bind"] = bind
    template = engine.get_template("report.html.jinja")
    return template.render(document=document, draw=draw)
