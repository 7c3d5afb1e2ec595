"""Seconds and joules of every layer inside one call of a model, and whether they add up.

Time is taken inside whole-model runs, which several fresh processes make by turns; watts are seen
while each layer is replayed alone in one of them. With no sensor that measures the device, joules
are each layer's share of the time of an estimate, and say so.
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

from .call_inputs import add_inputs, batch_size_of
from .decoding import add_decoding, check_decoding
from .layer_pass import REPLAY, layers_here, layers_there
from .options import DTYPES, add_model, add_runtime, add_sensors, add_stopping, whole_number
from .page import add_wide, page_width
from .repetition import add_repetition, check_repetition, fresh_processes
from .stdout import stdout_to_stderr
from .workload import options_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profiler.layers import LayerReport
    from profiler.values.layer_cost import LayerCost

FORMATS = ("text", "md", "html", "csv", "json", "latex")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `layers`."""
    add_model(parser)
    add_inputs(parser)
    add_decoding(parser)
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
        default=REPLAY,
        help="joules from each layer's own watts (replay, the default), or from its share of the "
        "time (hooks)",
    )
    add_sensors(parser)
    add_repetition(parser)
    add("--sort", choices=tuple(SORT_KEYS), help="largest first (default: order of the model)")
    add("--by", choices=("kind",), help="one row a kind of layer")
    add(
        "--depth", type=whole_number("--depth", 0), metavar="N", help="fold layers below this depth"
    )
    add(
        "--dtype",
        choices=DTYPES,
        help="type of the numbers (default: fp32, or what a transform has set)",
    )
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

    _check(arguments)
    with stdout_to_stderr():
        reports = measure(arguments)
    text = _printed(arguments, reports)
    if arguments.out is None:
        sys.stdout.write(text)
        return 0
    write_whole_file(arguments.out, text)
    if not arguments.quiet:
        print(f"wrote {arguments.out}", file=sys.stderr)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    check_repetition(arguments)
    check_decoding(arguments)
    if arguments.json:
        arguments.format = "json"
    if arguments.runtime != "eager":
        raise UsageError(
            f"{arguments.runtime} runs a model as one piece, without layers to look into",
            hint=f"measure --runtime {arguments.runtime} for the whole model, or layers --runtime "
            "eager",
        )


def measure(arguments: argparse.Namespace) -> list[LayerReport]:
    """A report of the model, or with --cache-length of its prefill and of its decoding."""
    from .progress import shown_progress

    batch_size = batch_size_of(arguments)
    several = argparse.Namespace(**{**vars(arguments), "model": [arguments.model]})
    several.checkpoint = None if arguments.checkpoint is None else [arguments.checkpoint]
    options = options_of(several, batch_size)
    precision, method = arguments.precision, arguments.method
    title = f"layers of {arguments.model}, batch {batch_size}"
    with shown_progress(title, arguments.quiet) as progress:
        if arguments.processes == 1:
            return layers_here(options, progress, precision=precision, method=method)
        from profiler.measurement.workers import prepared_processes

        fresh = fresh_processes(arguments, options)
        with prepared_processes(fresh, progress, counts=False) as crew:
            return layers_there(crew, options, progress, precision=precision, method=method)


def _printed(arguments: argparse.Namespace, reports: Sequence[LayerReport]) -> str:
    from profiler.render.layer_sections import arrange

    tables = [
        arrange(report, sort=arguments.sort, by_kind=arguments.by == "kind", depth=arguments.depth)
        for report in reports
    ]
    if arguments.format == "json":
        found = [_document(*pair) for pair in zip(reports, tables, strict=True)]
        whole: dict[str, Any] = found[0] if len(found) == 1 else {"workloads": found}
        return json.dumps({"schema_version": SCHEMA_VERSION, **whole}, allow_nan=False) + "\n"
    if arguments.format == "csv":
        from profiler.values.layer_table import LAYER_COLUMNS, layer_rows, write_csv

        return "\n".join(write_csv(LAYER_COLUMNS, layer_rows(rows)) for rows in tables)
    from profiler.render.formats import render_document
    from profiler.render.layer_sections import joined_layer_document, layer_document

    documents = [layer_document(*pair) for pair in zip(reports, tables, strict=True)]
    document = joined_layer_document(documents)
    if arguments.format == "text":
        from profiler.render.formats.text import render

        return render(document, page_width(is_wide=arguments.wide))
    return render_document(document, arguments.format)


def _document(report: LayerReport, rows: tuple[LayerCost, ...]) -> dict[str, Any]:
    from profiler.values.codec import encode

    document: dict[str, Any] = encode(report)
    document["layers"] = [encode(row) for row in rows]
    return document
