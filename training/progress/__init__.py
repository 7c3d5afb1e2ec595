"""Who watches a training run: a terminal, a log file, or nobody."""

from __future__ import annotations

import os
import sys

from .view import SILENT, View


def choose_view(*, quiet: bool = False) -> View:
    """The view that suits standard error: live on a terminal, plain lines anywhere else."""
    if quiet:
        return SILENT
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from .live import LiveView

        return LiveView()
    from .plain import PlainView

    return PlainView()
