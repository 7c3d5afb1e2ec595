"""How wide the terminal is, and --wide."""

from __future__ import annotations

import argparse
import shutil


def add_wide(parser: argparse.ArgumentParser) -> None:
    """--wide."""
    parser.add_argument(
        "--wide",
        action="store_true",
        help="all columns of every table, however wide (default: those that the terminal has "
        "room for)",
    )


def page_width(*, is_wide: bool) -> int | None:
    """Characters of a line: those of the terminal, 80 without one; None where all is asked for."""
    return None if is_wide else shutil.get_terminal_size((80, 24)).columns
