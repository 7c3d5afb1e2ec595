"""Every model of the zoo, with its parameters and the MACs of one image."""

from __future__ import annotations

import argparse
import json

from models import DEFAULT_CLASSES, VARIANTS, Variant
from profiler.cli.options import whole_number


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `list`."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_classes(parser)


def add_classes(parser: argparse.ArgumentParser) -> None:
    """--num-classes."""
    parser.add_argument(
        "--num-classes",
        type=whole_number("--num-classes", 1),
        default=DEFAULT_CLASSES,
        metavar="N",
        help=f"default {DEFAULT_CLASSES}",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Print the table, or the JSON object."""
    rows = [_summary(name, variant, arguments) for name, variant in VARIANTS.items()]
    if arguments.json:
        print(json.dumps({"models": rows}, indent=2))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{arguments.num_classes} classes, one image")
    table.add_column("name")
    table.add_column("parameters", justify="right")
    table.add_column("MACs", justify="right")
    table.add_column("description")
    for row in rows:
        counts = (f"{row['parameter_count']:,}", f"{row['mac_count']:,}")
        table.add_row(str(row["name"]), *counts, str(row["description"]))
    Console().print(table)
    return 0


def _summary(name: str, variant: Variant, arguments: argparse.Namespace) -> dict[str, object]:
    import torch

    from profiler.counting import count

    with torch.device("meta"):
        network = variant(num_classes=arguments.num_classes).eval()
        costs = count(network, torch.empty(1, *variant.input_shape))
    return {
        "name": name,
        "parameter_count": costs.parameter_count,
        "mac_count": costs.mac_count,
        "input_shape": list(variant.input_shape),
        "description": variant.description,
    }
