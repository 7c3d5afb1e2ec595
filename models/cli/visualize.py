"""The modules of a model with shapes, parameters and MACs; two models side by side.

One model is a tree. Two, or --depth, are their stages, each with a bar as long as its MACs, on one
scale for both. --out FILE.svg draws them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from models.drawing import draw, shape_of, totals
from models.outline import Module, outline, stages
from profiler.cli.options import whole_number
from profiler.errors import UsageError
from profiler.files import write_whole_file
from profiler.values.plain_text import clean

from .list import add_classes

if TYPE_CHECKING:
    from rich.table import Table
    from rich.tree import Tree

DEFAULT_DEPTH = 2
_BAR_WIDTH = 10
_NARROWEST_PAIR = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `visualize`."""
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="one or two; see `python -m models list`"
    )
    parser.add_argument(
        "--depth",
        type=whole_number("--depth", 1, 20),
        metavar="N",
        help=f"how deep stages lie in the model (default: {DEFAULT_DEPTH})",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.svg", help="draw the stages there")
    add_classes(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print a tree or stages, and draw them."""
    if len(arguments.names) > 2:
        raise UsageError(
            f"{len(arguments.names)} models do not fit beside each other", hint="name one or two"
        )
    if arguments.out is not None and arguments.out.suffix != ".svg":
        raise UsageError(
            f"--out {clean(str(arguments.out))} is no .svg file", hint="such as --out models.svg"
        )
    tops = [(name, outline(name, num_classes=arguments.num_classes)) for name in arguments.names]
    depth = arguments.depth or DEFAULT_DEPTH
    columns = [(name, top, stages(top, depth)) for name, top in tops]
    if arguments.out is not None:  # first, so that stdout holds nothing where it cannot be written
        write_whole_file(arguments.out, draw(columns))
    if len(tops) == 1 and arguments.depth is None:
        _print_tree(*tops[0])
    else:
        _print_stages(columns)
    return 0


def _print_tree(name: str, top: Module) -> None:
    from rich.console import Console
    from rich.tree import Tree

    tree = Tree(_label(name, top))
    _grow(tree, top)
    Console(highlight=False, markup=False).print(tree)


def _grow(tree: Tree, module: Module) -> None:
    for name, child in module.children:
        _grow(tree.add(_label(name, child)), child)


def _label(name: str, module: Module) -> str:
    parts = [f"{name}: {module.kind}", f"-> {shape_of(module)}"]
    if module.parameter_count:
        parts.append(f"{module.parameter_count:,} parameters")
    if module.mac_count:
        parts.append(f"{module.mac_count:,} MACs")
    return "  ".join(parts)


def _print_stages(columns: list[tuple[str, Module, tuple[tuple[str, Module], ...]]]) -> None:
    """Beside each other where the terminal is wide enough, below each other elsewhere."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    most_macs = max((m.mac_count for _, _, rows in columns for _, m in rows), default=0) or 1
    tables = [_stage_table(name, top, rows, most_macs) for name, top, rows in columns]
    if console.width < _NARROWEST_PAIR:
        for table in tables:
            console.print(table)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_row(*tables)
    console.print(grid)


def _stage_table(
    name: str, top: Module, rows: tuple[tuple[str, Module], ...], most_macs: int
) -> Table:
    from rich.table import Table

    table = Table(title=f"{clean(name)}: {totals(top)}", title_justify="left", box=None)
    for label, side in (("stage", "left"), ("shape", "left"), ("MACs", "right"), ("", "left")):
        table.add_column(label, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for stage_name, stage in rows:
        bar = "\N{FULL BLOCK}" * max(1, round(_BAR_WIDTH * stage.mac_count / most_macs))
        table.add_row(
            f"{stage_name} {stage.kind}",
            shape_of(stage),
            f"{stage.mac_count:,}" if stage.mac_count else "",
            bar if stage.mac_count else "",
        )
    return table
