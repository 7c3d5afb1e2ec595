"""Count a model: parameters, exact MACs, bytes and size, layer by layer. Nothing is measured.

The count is made on torch's meta device, so that a model larger than the memory can be counted too;
of variants whose weights are zeroed or quantized, and of models that cannot run there, on the CPU,
and the table says so. With --against, what differs from another model is shown layer by layer. With
--second-opinion fvcore counts one call as well, which it traces on the CPU. With --cache-length a
causal language model is counted twice: reading a prompt, and making tokens behind a cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from profiler.render.document import Column, Section, Table
from profiler.render.formats.text import section_blocks
from profiler.render.transforms_table import transforms_table
from profiler.values.applied_transform import (
    quantized_from,
)
from profiler.values.codec import encode
from profiler.values.profile import SCHEMA_VERSION
from profiler.values.units import show_count, show_number

from .call_inputs import add_inputs
from .counted_call import CPU, META
from .counted_model import CountedModel, count_reference
from .decoding import add_decoding, check_decoding
from .layer_changes import LayerChange, changes, changes_table
from .options import add_model, whole_number
from .page import add_wide, page_width
from .stdout import stdout_to_stderr

if TYPE_CHECKING:
    from profiler.counting import Costs
    from profiler.counting.costs import SecondOpinion
    from profiler.values.layer_cost import LayerCost


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `stats`."""
    add_model(parser)
    add_inputs(parser, has_data=False)
    add_decoding(parser)
    add = parser.add_argument
    add(
        "--batch-size",
        type=whole_number("--batch-size", 1),
        metavar="N",
        help="items in the call that is counted (default: 1)",
    )
    add(
        "--device",
        choices=(META, CPU),
        default=META,
        help="meta, where shapes are followed and nothing is computed (the default), or cpu",
    )
    add(
        "--depth", type=whole_number("--depth", 0), metavar="N", help="fold layers below this depth"
    )
    add("--against", metavar="REF", help="show what differs from this model, layer by layer")
    add("--second-opinion", action="store_true", help="let fvcore count the same call on the CPU")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")
    add_wide(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Count and print."""
    check_decoding(arguments)
    with stdout_to_stderr():
        counted = count_reference(arguments.model, arguments)
        bases: tuple[CountedModel | None, ...] = (None,) * len(counted)
        if arguments.against is not None:
            bases = count_reference(arguments.against, arguments)
        for refusal in dict.fromkeys(item.refusal for item in counted if item.refusal is not None):
            print(f"counted on the CPU: {refusal}", file=sys.stderr)
    pairs = list(zip(counted, bases, strict=True))
    if arguments.json:
        found = [_document(arguments, *pair) for pair in pairs]
        print(json.dumps(found[0] if len(found) == 1 else _several(found)))
    else:
        sys.stdout.write("\n".join(_text(arguments, *pair) for pair in pairs))
    return 0


def _several(documents: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "workloads": documents}


def _document(
    arguments: argparse.Namespace, counted: CountedModel, base: CountedModel | None
) -> dict[str, Any]:
    costs = counted.costs
    document = {
        "schema_version": SCHEMA_VERSION,
        "name": counted.name,
        "model": arguments.model,
        "batch_size": counted.batch_size,
        "input_shapes": counted.input_shapes,
        "device": counted.device,
        "basis": "counted",
        "parameter_count": costs.parameter_count,
        "mac_count": costs.mac_count,
        "size_bytes": costs.size_bytes,
        "read_bytes": costs.read_bytes,
        "written_bytes": costs.written_bytes,
        "covered_share": costs.covered_share,
        "uncounted_ops": list(costs.uncounted_ops),
        "fourier_operation_count": costs.fourier_operation_count,
        "second_opinion": encode(costs.second_opinion),
        "effective_mac_count": costs.effective_mac_count,
        "compressed_bytes": counted.compressed_bytes,
        "score": counted.score,
        "score_by_ratio": counted.score_by_ratio,
        "transforms": encode(counted.transforms),
        "layers": [encode(layer) for layer in _layers(arguments, costs)],
    }
    if base is not None:
        document["against"] = {
            "model": arguments.against,
            "parameter_count": base.costs.parameter_count,
            "mac_count": base.costs.mac_count,
            "size_bytes": base.costs.size_bytes,
            "score": base.score,
            "changes": encode(_changes(counted, base)),
        }
    return document


def _layers(arguments: argparse.Namespace, costs: Costs) -> tuple[LayerCost, ...]:
    from profiler.counting import rollup

    return costs.layers if arguments.depth is None else rollup(costs.layers, arguments.depth)


def _text(arguments: argparse.Namespace, counted: CountedModel, base: CountedModel | None) -> str:
    costs, width = counted.costs, page_width(is_wide=arguments.wide)
    tables = [_layer_table(arguments, counted) if base is None else _against(counted, base)]
    if counted.transforms:
        tables.append(transforms_table(counted.transforms))
    section = Section(
        title=f"{counted.name}: {show_count(costs.parameter_count)} parameters, "
        f"{'≥ ' if costs.uncounted_ops else ''}{show_count(costs.mac_count)} MACs, "
        f"{show_number(costs.size_bytes, 'B')}",
        tables=tuple(tables),
        notes=(*_notes(counted), *_variant_notes(counted)),
    )
    return "\n\n".join(block for block in section_blocks(section, width) if block) + "\n"


def _against(counted: CountedModel, base: CountedModel) -> Table:
    before, after = base.costs, counted.costs
    totals = {
        "parameters": (before.parameter_count, after.parameter_count),
        "MACs": (before.mac_count, after.mac_count),
    }
    return changes_table(_changes(counted, base), totals, base.name)


def _changes(counted: CountedModel, base: CountedModel) -> tuple[LayerChange, ...]:
    """None of a network that was compiled into one piece: its layers are not told apart."""
    if quantized_from(counted.transforms) or quantized_from(base.transforms):
        return ()
    return changes(base.costs.layers, counted.costs.layers)


_LEAVES = {"calls": 1, "written": 2, "read": 3}


def _layer_table(arguments: argparse.Namespace, counted: CountedModel) -> Table:
    numbers = ("calls", "parameters", "MACs", "read", "written")
    rows = [
        (
            layer.path or "(model)",
            layer.kind,
            show_count(layer.call_count),
            show_count(layer.parameter_count),
            show_count(layer.mac_count),
            show_number(layer.read_bytes, "B"),
            show_number(layer.written_bytes, "B"),
        )
        for layer in _layers(arguments, counted.costs)
    ]
    return Table(
        caption=f"One call with {counted.input_shapes}, on the {counted.device} device; each layer "
        "without its children",
        columns=(
            Column(label="layer", role="code"),
            Column(label="kind"),
            *(
                Column(label=label, role="number", leaves=_LEAVES.get(label, 0))
                for label in numbers
            ),
        ),
        rows=tuple(rows),
    )


def _variant_notes(counted: CountedModel) -> tuple[str, ...]:
    """What a variant's counts mean, and both of its scores."""
    if not counted.transforms:
        return ()
    notes = [f"{note}." for item in counted.transforms for note in item.notes]
    if quantized_from(counted.transforms):
        notes.append("Quantized, the network is one compiled piece: its layers are not told apart.")
    if counted.compressed_bytes is not None:
        notes.append(
            f"Of the MACs, {show_count(counted.costs.effective_mac_count)} have a weight that is "
            f"not zero; compressed by zlib, the weights take "
            f"{show_number(counted.compressed_bytes, 'B')}."
        )
    if counted.score is not None:
        notes.append(f"Efficiency score by these counts: {counted.score:.6f}.")
    if counted.score_by_ratio is not None:
        notes.append(
            f"Efficiency score by the counts before channels were removed, with p_s: "
            f"{counted.score_by_ratio:.6f}. Either of the two, never both savings at once."
        )
    return tuple(notes)


def _notes(counted: CountedModel) -> tuple[str, ...]:
    costs = counted.costs
    notes = [
        "All figures are counted: exact for the operators that ran on these shapes. MACs are those "
        "of convolutions and matrix products; bytes are unfused traffic."
    ]
    if counted.refusal is not None:
        notes.append(f"Counted in a call on the CPU, since {counted.refusal}.")
    if costs.uncounted_ops:
        notes.append(
            "NOT COUNTED, so that the MACs are a lower bound: " + ", ".join(costs.uncounted_ops)
        )
    if costs.fourier_operation_count:
        notes.append(
            f"Beside the MACs: {show_count(costs.fourier_operation_count)} real operations of "
            "Fourier transforms (5 N log2 N for N complex points, half for real ones)."
        )
    if costs.second_opinion is not None:
        notes.append(_opinion(costs.second_opinion))
    return tuple(notes)


def _opinion(opinion: SecondOpinion) -> str:
    """What the other counter says, and where it differs."""
    if opinion.verdict == "unavailable":
        return f"No second opinion: {opinion.source} could not count this model ({opinion.reason})."
    if opinion.verdict == "agree":
        return (
            f"Second opinion: {opinion.source} agrees on every convolution and matrix product "
            f"({show_count(opinion.mac_count)} MACs)."
        )
    where = "; ".join(
        f"{family} {show_count(ours)} here, {show_count(theirs)} there"
        for family, ours, theirs in opinion.differing_ops
    )
    blind = (
        f" It has no formula for: {', '.join(opinion.unsupported_ops)}."
        if opinion.unsupported_ops
        else ""
    )
    return (
        f"Second opinion: {opinion.source} DISAGREES, with {show_count(opinion.mac_count)} MACs: "
        f"{where}.{blind}"
    )
