"""Every model of the zoo, with its parameters and the MACs of one image; and every transform.

A space is a family of networks. Each point of it has a name, which is all that is needed to build
it: residual:stem=16:widths=32-64:depths=2-2:strides=2-2. A transform is written behind any model,
of the zoo or not, and makes a variant of it: resnet18+groups=8+int8. Transforms are applied in the
order in which they are written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from models import DEFAULT_CLASSES, JOURNEY, SPACES, VARIANTS
from profiler.cli.options import whole_number
from profiler.variants import TRANSFORMS, parse, usage_of

if TYPE_CHECKING:
    from rich.table import Table

_HEADINGS = {"parameter_count": "parameters", "mac_count": "MACs"}


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
    rows = [_summary(name, arguments.num_classes) for name in VARIANTS]
    variants = [_summary(name, arguments.num_classes) for name in JOURNEY if name not in VARIANTS]
    transforms = [_transform(name) for name in TRANSFORMS]
    spaces = [_space(name) for name in SPACES]
    if arguments.json:
        shown = {"models": rows, "variants": variants, "spaces": spaces, "transforms": transforms}
        print(json.dumps(shown, indent=2))
        return 0
    from rich.console import Console

    console = Console()
    console.print(_table(f"{arguments.num_classes} classes, one image", [*rows, *variants]))
    console.print("Spaces, a network of which is written NAME:FIELDS; [] may be left out\n")
    for space in spaces:
        text = f"{space['name']}: {space['description']}\n{space['fields']}\n{space['example']}\n"
        console.print(text, markup=False, highlight=False, overflow="fold")
    console.print(_table("Transforms, written behind any model: NAME+TRANSFORM", transforms))
    return 0


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(title=title)
    for name, value in rows[0].items():
        if not isinstance(value, list):
            table.add_column(_HEADINGS.get(name, name), justify=_side(value))
    for row in rows:
        table.add_row(
            *(
                f"{value:,}" if isinstance(value, int) else str(value)
                for value in row.values()
                if not isinstance(value, list)
            )
        )
    return table


def _side(value: object) -> Literal["left", "right"]:
    return "right" if isinstance(value, int) else "left"


def _space(name: str) -> dict[str, str]:
    space = SPACES[name]
    return {
        "name": name,
        "description": space.description,
        "fields": space.usage,
        "example": space.example,
    }


def _transform(name: str) -> dict[str, str]:
    transform = TRANSFORMS[name]
    return {
        "name": usage_of(name),
        "description": transform.summary,
        "needs": transform.needs,
        "kernels": transform.kernels,
    }


def _summary(name: str, num_classes: int) -> dict[str, Any]:
    import torch

    from profiler.counting import count
    from profiler.variants import build

    with torch.device("meta"):
        target = build(name, num_classes=num_classes)
        costs = count(target.model.eval(), torch.empty(1, *(target.input_shape or ())))
    base = VARIANTS[parse(name).base]
    is_base = name in VARIANTS
    return {
        "name": name,
        "parameter_count": costs.parameter_count,
        "mac_count": costs.mac_count,
        "input_shape": list(base.input_shape),
        "description": base.description if is_base else "a variant of the second study",
    }
