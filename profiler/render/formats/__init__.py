"""Documents in the formats that people read.

A format is one module with `render(document) -> str` and one row in `RENDERERS`. Modules are loaded
when they are asked for, so that Markdown does not pay for the HTML template engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module

from profiler.render.document import Document, Section
from profiler.values.profile import Profile

RENDERERS = {
    "text": "text",
    "md": "markdown",
    "html": "html",
    "csv": "csv",
    "json": "json",
    "latex": "latex",
}
"""Format -> module of this package."""

__all__ = ["RENDERERS", "render_document", "render_profiles"]


def render_profiles(
    profiles: Sequence[Profile],
    form: str,
    *,
    title: str | None = None,
    extra: Iterable[Section] = (),
    run_ids: Sequence[str] = (),
) -> str:
    """Tell the story of profiles in one of the formats of `RENDERERS`.

    Args:
        profiles: at least one; the first of a workload is the base of comparisons.
        form: a key of `RENDERERS`.
        title: heading; None makes one of the profiles' names.
        extra: further sections, for example a claims table.
        run_ids: what the runs are called in the store, one a profile.
    """
    from profiler.render.report import tell

    return render_document(tell(profiles, title=title, extra=extra, run_ids=run_ids), form)


def render_document(document: Document, form: str) -> str:
    """Print a document in one of the formats of `RENDERERS`."""
    text: str = import_module(f".{RENDERERS[form]}", __name__).render(document)
    return text
