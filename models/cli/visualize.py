"""The modules of one model, each with the shape that it gives out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from models import VARIANTS
from models.outline import Module, outline

from .list import add_classes

if TYPE_CHECKING:
    from rich.tree import Tree


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `visualize`."""
    parser.add_argument("name", choices=VARIANTS, metavar="NAME", help=", ".join(VARIANTS))
    add_classes(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the tree."""
    from rich.console import Console
    from rich.tree import Tree

    top = outline(VARIANTS[arguments.name], num_classes=arguments.num_classes)
    tree = Tree(_label(arguments.name, top))
    _grow(tree, top)
    Console(highlight=False).print(tree)
    return 0


def _grow(tree: Tree, module: Module) -> None:
    for name, child in module.children:
        _grow(tree.add(_label(name, child)), child)


def _label(name: str, module: Module) -> str:
    shape = "x".join(map(str, module.output_shape)) if module.output_shape else "not run"
    parts = [f"{name}: {module.kind}", f"-> {shape}"]
    if module.parameter_count:
        parts.append(f"{module.parameter_count:,} parameters")
    return "  ".join(parts)
