"""Seconds and joules of every layer inside one call of a model, and whether they add up.

Time is taken inside whole-model runs; watts while each layer is replayed alone. With no sensor that
measures the device, joules are each layer's share of the time of an estimate, and say so.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.render.layer_groups import SORT_KEYS
from profiler.values.profile import SCHEMA_VERSION

from .call_inputs import add_inputs, batch_size_of, load_call
from .options import DTYPES, add_model, add_runtime, add_sensors, add_stopping, whole_number
from .page import add_wide, page_width
from .stdout import stdout_to_stderr
from .workload import load_target

if TYPE_CHECKING:
    from profiler.layers import LayerReport
    from profiler.values.layer_cost import LayerCost

FORMATS = ("text", "md", "html", "csv", "json", "latex")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `layers`."""
    add_model(parser)
    add_inputs(parser)
    add = parser.add_argument
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add(
        "--batch-size",
        type=whole_number("--batch-size", 1),
        metavar="N",
        help="items in the call (default: 1)",
    )
    add_stopping(parser, share=0.05, budget_s=60.0, of="the whole")
    add(
        "--method",
        choices=("replay", "hooks"),
        default="replay",
        help="joules from each layer's own watts (replay, the default), or from its share of the "
        "time (hooks)",
    )
    add_sensors(parser)
    add("--sort", choices=tuple(SORT_KEYS), help="largest first (default: order of the model)")
    add("--by", choices=("kind",), help="one row a kind of layer")
    add(
        "--depth", type=whole_number("--depth", 0), metavar="N", help="fold layers below this depth"
    )
    add("--dtype", choices=DTYPES, help="type of the numbers (default: the model's own)")
    add_runtime(parser, "eager alone: the others run the model as one piece", default="eager")
    add("--channels-last", action="store_true", help="channels-last memory format")
    add(
        "--threads",
        type=whole_number("--threads", 1, 1024),
        metavar="N",
        help="CPU threads of torch",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="weights: safetensors, or a state dict")
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N", help="default: 0")
    add("--format", choices=FORMATS, default="text", help="default: %(default)s")
    add("--json", action="store_true", help="the same as --format json")
    add("--out", type=Path, metavar="FILE", help="write here, not to stdout")
    add("--quiet", action="store_true", help="no progress and no notes on stderr")
    add_wide(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from profiler.files import write_whole_file
    from profiler.render.layer_sections import arrange

    if arguments.runtime != "eager":
        raise UsageError(
            f"{arguments.runtime} runs a model as one piece, without layers to look into",
            hint=f"measure --runtime {arguments.runtime} for the whole model, or layers --runtime "
            "eager",
        )

    with stdout_to_stderr():
        report = _measure(arguments)
    rows = arrange(
        report, sort=arguments.sort, by_kind=arguments.by == "kind", depth=arguments.depth
    )
    form = "json" if arguments.json else arguments.format
    text = _printed(report, rows, form, page_width(is_wide=arguments.wide))
    if arguments.out is None:
        sys.stdout.write(text)
        return 0
    write_whole_file(arguments.out, text)
    if not arguments.quiet:
        print(f"wrote {arguments.out}", file=sys.stderr)
    return 0


def _measure(arguments: argparse.Namespace) -> LayerReport:
    from profiler.layers import measure_layers

    from .progress import shown_progress

    batch_size = batch_size_of(arguments)
    target = load_target(arguments)
    given = load_call(arguments, target, batch_size)
    title = f"layers of {target.name}, {given.description}"
    with shown_progress(title, arguments.quiet) as progress:
        return measure_layers(
            target.model,
            given.inputs,
            name=target.name,
            device=arguments.device,
            precision=arguments.precision,
            max_seconds=arguments.max_seconds,
            dtype=arguments.dtype,
            channels_last=arguments.channels_last,
            method=arguments.method,
            seed=arguments.seed,
            progress=progress,
        )


def _printed(report: LayerReport, rows: tuple[LayerCost, ...], form: str, width: int | None) -> str:
    if form == "json":
        return json.dumps(_document(report, rows), allow_nan=False) + "\n"
    if form == "csv":
        from profiler.values.layer_table import LAYER_COLUMNS, layer_rows, write_csv

        return write_csv(LAYER_COLUMNS, layer_rows(rows))
    from profiler.render.formats import render_document
    from profiler.render.layer_sections import layer_document

    document = layer_document(report, rows)
    if form == "text":
        from profiler.render.formats.text import render

        return render(document, width)
    return render_document(document, form)


def _document(report: LayerReport, rows: tuple[LayerCost, ...]) -> dict[str, Any]:
    from profiler.values.codec import encode

    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **encode(report)}
    document["layers"] = [encode(row) for row in rows]
    return document
