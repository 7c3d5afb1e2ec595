"""Progress of a training run, shown on a terminal, in a log file, or not at all."""

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
