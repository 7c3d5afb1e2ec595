"""`python -m models list|visualize`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from profiler.errors import ProfilerError

from . import DEFAULT_CLASSES, VARIANTS, Variant
from .outline import Module, outline

if TYPE_CHECKING:
    from rich.tree import Tree


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is 0, or 1 or 2 after an error told on stderr."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except ProfilerError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="The study's zoo.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="every model of the zoo")
    listing.add_argument("--json", action="store_true", help="one JSON object on stdout")
    listing.set_defaults(run=_list)
    drawing = verbs.add_parser("visualize", help="the modules of one model, with their shapes")
    drawing.add_argument("name", choices=VARIANTS, metavar="NAME", help=", ".join(VARIANTS))
    drawing.set_defaults(run=_visualize)
    for verb in (listing, drawing):
        verb.add_argument(
            "--num-classes", type=_class_count, default=DEFAULT_CLASSES, help="default 100"
        )
    return parser


def _class_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a number of classes: {text}")
    return int(text)


def _list(arguments: argparse.Namespace) -> None:
    rows = [_summary(name, variant, arguments) for name, variant in VARIANTS.items()]
    if arguments.json:
        print(json.dumps({"models": rows}, indent=2))
        return
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


def _visualize(arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.tree import Tree

    top = outline(VARIANTS[arguments.name], num_classes=arguments.num_classes)
    tree = Tree(_label(arguments.name, top))
    _grow(tree, top)
    Console(highlight=False).print(tree)


def _grow(tree: Tree, module: Module) -> None:
    for name, child in module.children:
        _grow(tree.add(_label(name, child)), child)


def _label(name: str, module: Module) -> str:
    shape = "x".join(map(str, module.output_shape)) if module.output_shape else "not run"
    parts = [f"{name}: {module.kind}", f"-> {shape}"]
    if module.parameter_count:
        parts.append(f"{module.parameter_count:,} parameters")
    return "  ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
